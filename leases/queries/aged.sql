-- What each lease owes at a date by age, in cents: open items by due date, oldest settled first
-- (Code civil, art. 1342-10), the payer's own choice before that. What waits for its benefit is apart.
-- leases.tenant_account.impute() states the rule for one lease; a property test holds the two equal.
-- Uses posting_debit, posting_credit, account_once_a_lease, allocation_chosen. Parameter: on.
-- MATERIALIZED said aloud: within an INSERT, SQLite would else work each part out again for every row.
-- The postings are read once for both accounts of a lease.
WITH line AS MATERIALIZED (
    SELECT a.lease_id, a.kind, p.due, p.amount AS signed, p.source
    FROM leases_account a JOIN leases_posting p ON p.debit_id = a.id
    WHERE a.kind IN (%(tenant_account)s, %(benefit_account)s) AND p."on" <= DAY(%(on)s) {only}
    UNION ALL
    SELECT a.lease_id, a.kind, p.due, -p.amount, p.source
    FROM leases_account a JOIN leases_posting p ON p.credit_id = a.id
    WHERE a.kind IN (%(tenant_account)s, %(benefit_account)s) AND p."on" <= DAY(%(on)s) {only}
), owed AS MATERIALIZED (
    SELECT lease_id, due, SUM(signed) AS amount FROM line
    WHERE kind = %(tenant_account)s AND source <> %(payment)s GROUP BY lease_id, due
), chosen AS (
    SELECT l.lease_id, c.due, SUM(l.amount) AS amount
    FROM leases_allocation l
    JOIN leases_account a ON a.id = l.account_id AND a.kind = %(tenant_account)s
    JOIN (SELECT lease_id, month, MIN(due) AS due FROM leases_rentcall
          WHERE lease_id IN (SELECT lease_id FROM leases_allocation WHERE chosen)
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
        SELECT lease_id, -SUM(signed) AS amount FROM line
        WHERE kind = %(tenant_account)s AND source = %(payment)s GROUP BY lease_id
        UNION ALL
        SELECT lease_id, -SUM(amount) FROM owed WHERE amount < 0 GROUP BY lease_id
        UNION ALL
        SELECT lease_id, -SUM(chosen) FROM charge WHERE chosen > 0 GROUP BY lease_id
    ) parts GROUP BY lease_id
), reached AS (
    SELECT c.lease_id, c.due, c.amount, c.amount + c.chosen AS called,
           SUM(c.amount) OVER (PARTITION BY c.lease_id ORDER BY c.due) - COALESCE(p.amount, 0) AS over
    FROM charge c LEFT JOIN pool p ON p.lease_id = c.lease_id
), item AS (
    SELECT lease_id, due, LEAST(over, amount) AS amount, called FROM reached WHERE over > 0 AND amount > 0
)
