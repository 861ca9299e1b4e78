-- What each lease owes at a date by age, in cents: open items by due date, oldest settled first
-- (Code civil, art. 1342-10), the payer's own choice before that. What waits for its benefit is apart.
-- leases.tenant_account.impute() states the rule for one lease; a property test holds the two equal.
-- Uses posting_debit, posting_credit, account_once_a_lease, allocation_chosen. Parameter: on.
-- MATERIALIZED said aloud: within an INSERT, SQLite would else work each part out again for every row.
WITH moved AS MATERIALIZED (
    -- What is owed by due date; what was paid, under no due date.
    SELECT lease_id, due, SUM(signed) AS amount FROM (
        SELECT a.lease_id, CASE WHEN p.source NOT IN (%(payment)s, %(receipt)s) THEN p.due END AS due, p.amount AS signed
        FROM leases_account a JOIN leases_posting p ON p.debit_id = a.id
        WHERE a.kind = %(tenant_account)s AND p."on" <= DAY(%(on)s) {only}
        UNION ALL
        SELECT a.lease_id, CASE WHEN p.source NOT IN (%(payment)s, %(receipt)s) THEN p.due END, -p.amount
        FROM leases_account a JOIN leases_posting p ON p.credit_id = a.id
        WHERE a.kind = %(tenant_account)s AND p."on" <= DAY(%(on)s) {only}
    ) line GROUP BY lease_id, due
), owed AS (
    SELECT lease_id, due, amount FROM moved WHERE due IS NOT NULL
), chosen AS (
    SELECT l.lease_id, c.due, SUM(l.amount) AS amount
    FROM leases_allocation l
    JOIN leases_account a ON a.id = l.account_id AND a.kind = %(tenant_account)s
    JOIN (SELECT lease_id, month, MIN(due) AS due FROM leases_rentcall
          WHERE lease_id IN (SELECT lease_id FROM leases_allocation WHERE chosen)
              AND month IN (SELECT month FROM leases_rentrun)
          GROUP BY lease_id, month) c ON c.lease_id = l.lease_id AND c.month = l.month
    WHERE l.chosen AND l."on" <= DAY(%(on)s)
    GROUP BY l.lease_id, c.due
), charge AS MATERIALIZED (
    SELECT o.lease_id, o.due, o.amount - GREATEST(0, LEAST(o.amount, COALESCE(h.amount, 0))) AS amount,
           GREATEST(0, LEAST(o.amount, COALESCE(h.amount, 0))) AS chosen
    FROM owed o LEFT JOIN chosen h ON h.lease_id = o.lease_id AND h.due = o.due
    WHERE o.amount > 0
), pool AS MATERIALIZED (
    -- Payments and credits that no choice has placed.
    SELECT lease_id, SUM(amount) AS amount FROM (
        SELECT lease_id, -amount AS amount FROM moved WHERE due IS NULL
        UNION ALL
        SELECT lease_id, -SUM(amount) FROM owed WHERE amount < 0 GROUP BY lease_id
        UNION ALL
        SELECT lease_id, -SUM(chosen) FROM charge WHERE chosen > 0 GROUP BY lease_id
    ) parts GROUP BY lease_id
), reached AS (
    SELECT c.lease_id, c.due, c.amount, c.amount + c.chosen AS called,
           SUM(c.amount) OVER (PARTITION BY c.lease_id ORDER BY c.due) - COALESCE(p.amount, 0) AS over
    FROM charge c LEFT JOIN pool p ON p.lease_id = c.lease_id
), {item} AS (
    SELECT lease_id, due, LEAST(over, amount) AS amount, called FROM reached WHERE over > 0 AND amount > 0
)
