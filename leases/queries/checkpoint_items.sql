-- After the open items of aged.sql: what is open, and every due date still to come.
SELECT lease_id, due, WHOLE(MAX(amount)) AS amount, WHOLE(MAX(called)) AS called FROM (
    SELECT lease_id, due, amount, called FROM item
    UNION ALL
    SELECT lease_id, due, 0, amount FROM owed WHERE due > DAY(%(on)s)
) line GROUP BY lease_id, due
