-- Rent and charges called by the runs of a month, in cents, by who held the home on its first day.
-- Lease by lease before its home is looked for. Uses rent_run_month, rent_call_run, occupancy_lease_start,
-- holding_unit_start.
WITH called AS MATERIALIZED (
    SELECT c.lease_id, SUM(c.amount) AS amount
    FROM leases_rentrun r JOIN leases_rentcall c ON c.run_id = r.id
    WHERE r.month = DAY(%(start)s) AND c.item <> %(benefit)s GROUP BY c.lease_id
), held AS (
    SELECT c.amount, (
        SELECT (SELECT w.kind FROM portfolio_place p
                JOIN portfolio_holding h ON h.unit_id = p.unit_id AND h."start" <= DAY(%(start)s)
                    AND (h."end" IS NULL OR h."end" > DAY(%(start)s))
                JOIN portfolio_owner w ON w.id = h.owner_id WHERE p.id = o.place_id)
        FROM leases_occupancy o WHERE o.lease_id = c.lease_id AND o."start" < DAY(%(end)s)
        ORDER BY o."start" DESC LIMIT 1) AS kind
    FROM called c
)
SELECT kind, WHOLE(SUM(amount)) FROM held GROUP BY kind
