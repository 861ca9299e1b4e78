-- Leases of a month to look at: lease_id, code, blocking, amount in cents.
SELECT o.lease_id, 'no_rent_term' AS code, 1 AS blocking, CAST(NULL AS bigint) AS amount
FROM leases_occupancy o
WHERE o."start" < DAY(%(next)s) AND (o."end" IS NULL OR o."end" > DAY(%(month)s))
    AND NOT EXISTS (SELECT 1 FROM leases_rentterm t WHERE t.lease_id = o.lease_id AND t.item = %(rent)s
                    AND t."start" < DAY(%(next)s) AND (t."end" IS NULL OR t."end" > DAY(%(month)s)))
GROUP BY o.lease_id
UNION ALL
SELECT o.lease_id, 'not_held', 0, CAST(NULL AS bigint)
FROM leases_occupancy o JOIN portfolio_place p ON p.id = o.place_id
WHERE o."start" < DAY(%(next)s) AND (o."end" IS NULL OR o."end" > DAY(%(month)s))
    AND NOT EXISTS (SELECT 1 FROM portfolio_holding h WHERE h.unit_id = p.unit_id
                    AND h."start" < COALESCE(o."end", DAY(%(next)s))
                    AND (h."end" IS NULL OR h."end" >= LEAST(COALESCE(o."end", DAY(%(next)s)), DAY(%(next)s))))
GROUP BY o.lease_id
UNION ALL
SELECT l.id, 'no_place', 0, CAST(NULL AS bigint)
FROM leases_lease l
WHERE l."start" <= DAY(%(month)s) AND (l."end" IS NULL OR l."end" >= DAY(%(next)s))
    AND NOT EXISTS (SELECT 1 FROM leases_occupancy o WHERE o.lease_id = l.id
                    AND o."start" < DAY(%(next)s) AND (o."end" IS NULL OR o."end" > DAY(%(month)s)))
UNION ALL
SELECT t.lease_id, 'above_ceiling', 0, MAX(t.amount - u.rent_ceiling)
FROM leases_rentterm t
JOIN leases_occupancy o ON o.lease_id = t.lease_id
    AND o."start" < DAY(%(next)s) AND (o."end" IS NULL OR o."end" > DAY(%(month)s))
JOIN portfolio_place p ON p.id = o.place_id JOIN portfolio_unit u ON u.id = p.unit_id
WHERE t.item = %(rent)s AND t."start" < DAY(%(next)s) AND (t."end" IS NULL OR t."end" > DAY(%(month)s))
    AND t.amount > u.rent_ceiling
GROUP BY t.lease_id
UNION ALL
-- FREEZE_FG: a raise that starts while the home is F or G, under a contract made since the freeze.
SELECT t.lease_id, 'frozen_raised', 0, MAX(t.amount - b.amount)
FROM leases_rentterm t
JOIN leases_rentterm b ON b.lease_id = t.lease_id AND b.item = t.item AND b."end" = t."start"
    AND b.amount < t.amount
JOIN leases_lease l ON l.id = t.lease_id AND (l."start" >= DAY(%(frozen_since)s)
    OR (l.last_renewed_on >= DAY(%(frozen_since)s) AND l.last_renewed_on <= t."start"))
JOIN leases_occupancy o ON o.lease_id = t.lease_id
    AND o."start" < DAY(%(next)s) AND (o."end" IS NULL OR o."end" > DAY(%(month)s))
JOIN portfolio_place p ON p.id = o.place_id
JOIN portfolio_energylabel e ON e.unit_id = p.unit_id AND e.letter IN ({frozen})
    AND e.issued_on <= t."start" AND e.valid_until > t."start"
WHERE t.item = %(rent)s AND t."start" < DAY(%(next)s) AND (t."end" IS NULL OR t."end" > DAY(%(month)s))
    AND t."start" >= DAY(%(frozen_since)s)
    AND NOT EXISTS (SELECT 1 FROM portfolio_energylabel n WHERE n.unit_id = p.unit_id
                    AND n.issued_on > e.issued_on AND n.issued_on <= t."start")
GROUP BY t.lease_id
