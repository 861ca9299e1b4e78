-- What only one of the two says: the checkpoint, or the full reckoning.
SELECT 'checkpoint', 'aged balance of lease ' || lease_id FROM (
    SELECT lease_id, not_due, d0_30, d31_60, d61_90, over_90, oldest_due, benefit_wait, SUM(side) AS sides FROM (
        SELECT q.*, 1 AS side FROM ({quick}) q UNION ALL SELECT f.*, -1 FROM ({full}) f
    ) both_aged GROUP BY lease_id, not_due, d0_30, d31_60, d61_90, over_90, oldest_due, benefit_wait
) compared WHERE sides <> 0
UNION
SELECT 'checkpoint', 'open items of lease ' || lease_id FROM (
    SELECT lease_id, due, amount, called, SUM(side) AS sides FROM (
        SELECT q.*, 1 AS side FROM ({quick_items} SELECT lease_id, due, amount, called FROM item) q
        UNION ALL
        SELECT f.*, -1 FROM ({full_items} SELECT lease_id, due, amount, called FROM item) f
    ) both_items GROUP BY lease_id, due, amount, called
) compared_items WHERE sides <> 0
ORDER BY 2 LIMIT %(most)s
