-- The aged balance with the kind of owner of the home where each lease lives, or lived last.
-- Uses occupancy_lease_start and holding_unit_start.
FROM (
    SELECT x.lease_id, x.not_due, x.d0_30, x.d31_60, x.d61_90, x.over_90,
           x.d0_30 + x.d31_60 + x.d61_90 + x.over_90 AS due, x.oldest_due,
           GREATEST(x.benefit_wait, 0) AS benefit_wait,
           COALESCE((
               SELECT w.kind FROM leases_occupancy o
               JOIN portfolio_place p ON p.id = o.place_id
               JOIN portfolio_holding h ON h.unit_id = p.unit_id
                   AND h."start" <= LEAST(DAY(%(on)s), COALESCE(o."end", DAY(%(on)s)))
               JOIN portfolio_owner w ON w.id = h.owner_id
               WHERE o.lease_id = x.lease_id AND o."start" <= DAY(%(on)s)
               ORDER BY o."start" DESC, h."start" DESC LIMIT 1), 'own') AS owner_kind
    FROM ({aged}) x
) y
WHERE (y.due > 0 OR y.not_due > 0 OR y.benefit_wait > 0)
