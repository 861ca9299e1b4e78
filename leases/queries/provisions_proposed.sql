-- What each lease of a settlement would pay a month by its last result: a twelfth of a whole year's share,
-- to the cent, then up to the association's step; and why it keeps what it pays. Uses settlement_once, rent_term_lease_item.
last AS MATERIALIZED (
    SELECT t.lease_id, CAST(SUM(t.share) AS BIGINT) AS share, CAST(SUM(t.days) AS BIGINT) AS days
    FROM leases_settlement t
    WHERE t.run_id = %(run)s AND NOT EXISTS (SELECT 1 FROM leases_settlement n WHERE n.lease_id = t.lease_id
        AND n.account_id = t.account_id AND n.year = t.year AND n.version > t.version)
    GROUP BY t.lease_id
), compared AS MATERIALIZED (
    SELECT s.lease_id, s.days, s.share, r.id AS term_id, r.amount AS now, r."start" AS term_start,
           r."end" AS term_end,
           CASE WHEN s.days > 0 AND s.share > 0
                THEN ((2 * s.share * %(year_days)s + 12 * s.days) / (24 * s.days) + %(step)s - 1) / %(step)s * %(step)s
                ELSE 0 END AS proposed,
           CASE WHEN l."end" IS NOT NULL AND l."end" <= DAY(%(since)s) THEN 'ended'
                WHEN r.id IS NULL THEN 'no_term'
                WHEN s.days < %(least_days)s THEN 'too_short'
                WHEN EXISTS (SELECT 1 FROM leases_rentterm x WHERE x.lease_id = s.lease_id
                             AND x.item = %(charges)s AND x."start" > DAY(%(since)s)) THEN 'later'
                ELSE '' END AS reason
    FROM last s
    JOIN leases_lease l ON l.id = s.lease_id
    LEFT JOIN leases_rentterm r ON r.lease_id = s.lease_id AND r.item = %(charges)s
        AND r."start" <= DAY(%(since)s) AND (r."end" IS NULL OR r."end" > DAY(%(since)s))
)
