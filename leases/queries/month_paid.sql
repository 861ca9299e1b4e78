-- Behind aged.sql: of each lease called for a month, what was called before and after its benefit, and
-- what of it is still open at a date. Uses rent_call_once. Parameters: month, low, high, benefit.
, month_due AS (
    SELECT c.lease_id, c.due, SUM(c.amount) AS called,
           SUM(CASE WHEN c.item <> %(benefit)s THEN c.amount ELSE 0 END) AS gross
    FROM leases_rentcall c
    WHERE c.month = DAY(%(month)s) AND c.lease_id BETWEEN %(low)s AND %(high)s
    GROUP BY c.lease_id, c.due
)
, left_open AS MATERIALIZED (
    -- Said aloud, so that SQLite makes an index of it for the join.
    SELECT lease_id, due, amount FROM item
)
SELECT m.lease_id, SUM(m.gross), SUM(m.called), SUM(COALESCE(i.amount, 0))
FROM month_due m LEFT JOIN left_open i ON i.lease_id = m.lease_id AND i.due = m.due
GROUP BY m.lease_id
