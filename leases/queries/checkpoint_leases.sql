-- Each lease as a checkpoint keeps it: owed and due, benefit expected, and the next date of a posting made
-- ahead of its day. Uses posting_debit and posting_credit.
SELECT lease_id, WHOLE(COALESCE(SUM(owed), 0)) AS owed, WHOLE(COALESCE(SUM(wait), 0)) AS wait, MIN(next_on) AS next_on FROM (
    SELECT a.lease_id,
           CASE WHEN a.kind = %(tenant_account)s AND p."on" <= DAY(%(on)s) AND p.due <= DAY(%(on)s) THEN p.amount END AS owed,
           CASE WHEN a.kind = %(benefit_account)s AND p."on" <= DAY(%(on)s) THEN p.amount END AS wait,
           CASE WHEN p."on" > DAY(%(on)s) THEN p."on" WHEN p.source IN (%(payment)s, %(receipt)s) AND p.due > DAY(%(on)s) THEN p.due END AS next_on
    FROM leases_account a JOIN leases_posting p ON p.debit_id = a.id WHERE a.lease_id IS NOT NULL
    UNION ALL
    SELECT a.lease_id,
           CASE WHEN a.kind = %(tenant_account)s AND p."on" <= DAY(%(on)s) AND p.due <= DAY(%(on)s) THEN -p.amount END,
           CASE WHEN a.kind = %(benefit_account)s AND p."on" <= DAY(%(on)s) THEN -p.amount END,
           CASE WHEN p."on" > DAY(%(on)s) THEN p."on" WHEN p.source IN (%(payment)s, %(receipt)s) AND p.due > DAY(%(on)s) THEN p.due END
    FROM leases_account a JOIN leases_posting p ON p.credit_id = a.id WHERE a.lease_id IS NOT NULL
) line GROUP BY lease_id
