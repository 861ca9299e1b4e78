-- Benefit that should have come by its usual day of payment and did not, or a right that ended
-- without another. A back-payment is expected with the benefit of the month it was called in.
-- Uses benefit_lease_start, account_once_a_lease, posting_debit and posting_credit.
WITH own AS (
    -- The benefit's own account, where the lease's last right tells when it is usually paid.
    SELECT a.id AS account_id, a.lease_id, b.kind, CASE b.kind {cuts} END AS due_before,
           CASE b.kind {runs} END AS run_before
    FROM leases_account a
    JOIN leases_lease l ON l.id = a.lease_id
    JOIN leases_benefit b ON b.lease_id = a.lease_id AND b.id = (
        SELECT x.id FROM leases_benefit x WHERE x.lease_id = a.lease_id AND x."start" <= DAY(%(on)s)
        ORDER BY x."start" DESC, x.id DESC LIMIT 1)
    WHERE a.kind = %(benefit_account)s
), line AS (
    SELECT o.lease_id, o.kind, p.due, p."on", p.amount AS signed, p.source, o.due_before, o.run_before
    FROM own o JOIN leases_posting p ON p.debit_id = o.account_id WHERE p."on" <= DAY(%(on)s)
    UNION ALL
    SELECT o.lease_id, o.kind, p.due, p."on", -p.amount, p.source, o.due_before, o.run_before
    FROM own o JOIN leases_posting p ON p.credit_id = o.account_id WHERE p."on" <= DAY(%(on)s)
), called AS (
    SELECT lease_id, kind, due, SUM(signed) AS amount FROM line
    WHERE source <> %(payment)s AND due < due_before AND "on" < run_before GROUP BY lease_id, kind, due
), paid AS (
    SELECT lease_id, -SUM(signed) AS amount FROM line WHERE source = %(payment)s GROUP BY lease_id
), reached AS (
    SELECT c.lease_id, c.kind, c.due, c.amount,
           SUM(c.amount) OVER (PARTITION BY c.lease_id ORDER BY c.due) - COALESCE(p.amount, 0) AS over
    FROM called c LEFT JOIN paid p ON p.lease_id = c.lease_id
), overdue AS (
    SELECT lease_id, kind, MIN(due) AS since, MAX(due) AS latest, SUM(LEAST(over, amount)) AS amount
    FROM reached WHERE over > 0 AND amount > 0
    GROUP BY lease_id, kind HAVING SUM(LEAST(over, amount)) >= %(smallest)s
), ended AS (
    SELECT b.lease_id, b.kind, b."end" AS since, b.amount
    FROM leases_benefit b
    JOIN leases_lease l ON l.id = b.lease_id AND (l."end" IS NULL OR l."end" > DAY(%(on)s))
    LEFT JOIN arrears_signal s ON s.lease_id = b.lease_id AND s.nature = 'benefit_stopped' AND s.handled_on IS NULL
    WHERE b.paid_to_landlord AND b."end" <= DAY(%(on)s)
      AND (b."end" > DAY(%(ended_since)s) OR s.since <= b."end")
      AND NOT EXISTS (SELECT 1 FROM leases_benefit x WHERE x.lease_id = b.lease_id
                      AND (x."end" IS NULL OR x."end" > b."end"))
), found AS (
    SELECT e.lease_id, 'benefit_stopped' AS nature, LEAST(e.since, COALESCE(o.since, e.since)) AS since,
           GREATEST(e.since, COALESCE(o.latest, e.since)) AS latest, COALESCE(o.amount, e.amount) AS amount,
           '{{"kind": "' || e.kind || '", "ended": "' || CAST(e.since AS text) || '"}}' AS why
    FROM ended e LEFT JOIN overdue o ON o.lease_id = e.lease_id
    UNION ALL
    SELECT o.lease_id, 'benefit_stopped', o.since, o.latest, o.amount, '{{"kind": "' || o.kind || '"}}'
    FROM overdue o WHERE o.lease_id NOT IN (SELECT lease_id FROM ended)
)
