-- After the open items of aged.sql: due months wholly or partly unpaid once the days of grace are over.
-- Where a returned debit, flagged just before, is all that is owed, it speaks alone.
-- Uses posting_credit for the last payment (the + keeps SQLite off the index of sources).
, late_item AS (
    SELECT i.lease_id, i.due, i.amount, i.called FROM item i WHERE i.due <= DAY(%(due_until)s)
), owing AS (
    SELECT lease_id, MIN(due) AS since, MAX(due) AS latest, SUM(amount) AS amount,
           SUM(CASE WHEN amount >= called THEN 1 ELSE 0 END) AS missed,
           SUM(CASE WHEN amount < called THEN 1 ELSE 0 END) AS part
    FROM late_item GROUP BY lease_id HAVING SUM(amount) >= %(smallest)s
), found AS (
    SELECT w.lease_id, CASE WHEN w.missed > 0 THEN 'missed' ELSE 'partial' END AS nature,
           w.since, w.latest, w.amount,
           '{"missed": ' || w.missed || ', "part": ' || w.part || ', "paid_on": ' || COALESCE('"' || (
               SELECT CAST(MAX(p."on") AS text) FROM leases_account a JOIN leases_posting p ON p.credit_id = a.id
               WHERE a.lease_id = w.lease_id AND a.kind = %(tenant_account)s AND +p.source = %(payment)s
                 AND p."on" <= DAY(%(on)s)) || '"', 'null') || '}' AS why
    FROM owing w
    WHERE NOT EXISTS (SELECT 1 FROM arrears_signal s WHERE s.lease_id = w.lease_id AND s.nature = 'rejected'
                      AND s.handled_on IS NULL AND s.seen_in_id = %(run)s AND s.amount >= w.amount)
)
