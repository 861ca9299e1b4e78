-- Paid at last, but late, in several of the last months. A payment counts from its own date, a return
-- takes it back from its own: payments and the last days in time go by in one stream, with no join.
-- Uses account_once_a_lease, posting_debit and posting_credit.
WITH line AS MATERIALIZED (
    SELECT a.lease_id, p.due, p."on", p.amount AS signed, p.source
    FROM leases_account a JOIN leases_posting p ON p.debit_id = a.id
    WHERE a.kind = %(tenant_account)s AND p."on" <= DAY(%(on)s) AND p.due <= DAY(%(on)s)
    UNION ALL
    SELECT a.lease_id, p.due, p."on", -p.amount, p.source
    FROM leases_account a JOIN leases_posting p ON p.credit_id = a.id
    WHERE a.kind = %(tenant_account)s AND p."on" <= DAY(%(on)s) AND p.due <= DAY(%(on)s)
), term AS (
    SELECT lease_id, due, SUM(signed) AS amount FROM line WHERE source <> %(payment)s GROUP BY lease_id, due
), stream AS (
    SELECT lease_id, PLUS_DAYS(due, {late_days}) AS day, 1 AS last_in_time, due, amount, 0 AS paid,
           SUM(amount) OVER (PARTITION BY lease_id ORDER BY due) AS total
    FROM term
    UNION ALL
    SELECT lease_id, "on", 0, due, 0, -signed, 0 FROM line WHERE source = %(payment)s
), passed AS (
    SELECT lease_id, last_in_time, due, amount, total,
           SUM(paid) OVER (PARTITION BY lease_id ORDER BY day, last_in_time) AS in_time,
           SUM(paid) OVER (PARTITION BY lease_id) AS by_now,
           SUM(amount) OVER (PARTITION BY lease_id) AS called
    FROM stream
), counted AS (
    SELECT lease_id, COUNT(*) AS months, MIN(due) AS since, MAX(due) AS latest, MAX(called - by_now) AS owed
    FROM passed
    WHERE last_in_time = 1 AND amount > 0
      AND due >= DAY(%(late_since)s) AND due <= DAY(%(late_until)s)
      AND in_time <= total - %(smallest)s AND by_now > total - %(smallest)s
    GROUP BY lease_id HAVING COUNT(*) >= %(late_times)s
), found AS (
    SELECT c.lease_id, 'late' AS nature, c.since, c.latest, GREATEST(0, c.owed) AS amount,
           '{{"late": ' || c.months || ', "days": ' || %(late_days)s || ', "months": ' || %(late_months)s
           || '}}' AS why
    FROM counted c JOIN leases_lease l ON l.id = c.lease_id AND (l."end" IS NULL OR l."end" > DAY(%(on)s))
)
