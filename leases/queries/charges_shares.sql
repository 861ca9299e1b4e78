-- What of each expense each lease owes, and what stays with the owner (lease 0, whose line alone names the
-- place and nature), in cents: days × weight,
-- the cents left to the largest remainders, so that a total is shared exactly. The rule is stated in
-- Python by leases.yearly.charges.shared(); a property test holds the two equal.
-- Uses unit_share_once, key_total_once, expense_year_building, expense_year_unit.
spent AS (
    SELECT CASE WHEN e.site_id IS NOT NULL THEN 1 WHEN e.building_id IS NOT NULL THEN 2 ELSE 3 END AS level,
           COALESCE(e.site_id, e.building_id, e.unit_id) AS place_id, e.category, e.key,
           e."start" AS spell_start, e."end" AS spell_end, CAST(SUM(e.recoverable) AS BIGINT) AS total,
           CAST(SUM(e.amount) AS BIGINT) AS cost
    FROM leases_expense e WHERE e.year = %(year)s
    GROUP BY 1, 2, e.category, e.key, e."start", e."end"
), sums AS MATERIALIZED (
    SELECT ROW_NUMBER() OVER (ORDER BY level, place_id, category, key, spell_start, spell_end) AS gid,
           level, place_id, category, key, spell_start, spell_end, DAYS(spell_start, spell_end) AS spell_days,
           total
    FROM spent WHERE total <> 0 OR cost <> 0
), placed AS (
    SELECT s.gid, s.category, s.key, s.spell_start, s.spell_end, u.id AS unit_id, u.living_surface, b.site_id
    FROM sums s
    JOIN portfolio_building b ON b.site_id = s.place_id
    JOIN portfolio_unit u ON u.building_id = b.id
    WHERE s.level = 1
    UNION ALL
    SELECT s.gid, s.category, s.key, s.spell_start, s.spell_end, u.id, u.living_surface, b.site_id
    FROM sums s
    JOIN portfolio_unit u ON u.building_id = s.place_id
    JOIN portfolio_building b ON b.id = u.building_id
    WHERE s.level = 2
    UNION ALL
    SELECT s.gid, s.category, s.key, s.spell_start, s.spell_end, u.id, u.living_surface, b.site_id
    FROM sums s
    JOIN portfolio_unit u ON u.id = s.place_id
    JOIN portfolio_building b ON b.id = u.building_id
    WHERE s.level = 3
), members AS MATERIALIZED (
    SELECT p.gid, p.key, p.spell_start, p.spell_end, p.unit_id,
           (SELECT COUNT(*) FROM portfolio_place k WHERE k.unit_id = p.unit_id) AS places, CASE
           WHEN p.key = 1 THEN CAST(ROUND(p.living_surface * 100) AS BIGINT)
           WHEN p.key IN (2, 4) THEN 100
           ELSE (SELECT CAST(ROUND(v.value * 100) AS BIGINT) FROM leases_unitshare v
                 WHERE v.unit_id = p.unit_id AND v.key = p.key AND v.category IN (p.category, 0)
                   AND v.year IN (%(year)s, 0) ORDER BY v.category DESC, v.year DESC LIMIT 1)
           END AS weight
    FROM placed p
    WHERE p.site_id IN (SELECT site_id FROM charge_span)
      AND EXISTS (SELECT 1 FROM portfolio_holding h WHERE h.unit_id = p.unit_id AND h."start" < DAY(%(end)s)
                  AND (h."end" IS NULL OR h."end" > DAY(%(start)s)))
), parts AS MATERIALIZED (
    SELECT m.gid, c.lease_id, c.book_id, c.settled, c.chosen, c.days, m.weight * c.days / m.places AS alone,
           CASE WHEN m.key = 4 AND c.people > 1 THEN m.weight * c.people * c.days / m.places
           ELSE m.weight * c.days / m.places END AS weight
    FROM members m
    JOIN charge_span c ON c.unit_id = m.unit_id AND c.spell_start = m.spell_start AND c.spell_end = m.spell_end
), wholes AS MATERIALIZED (
    -- Side by side rather than joined: what is reckoned here has no index. Every home counts for every day;
    -- by occupants, an empty one counts for one person.
    SELECT g.gid, g.level, g.place_id, g.category, g.key, g.spell_start, g.spell_end, g.total, g.missing,
           CAST(CASE WHEN g.missing > 0 THEN 0 ELSE GREATEST(g.weight, COALESCE((
               SELECT CAST(ROUND(t.value * 100) AS BIGINT) FROM leases_keytotal t
               WHERE g.level = 2 AND t.building_id = g.place_id AND t.key = g.key), 0)) * g.spell_days
               + g.more END AS BIGINT) AS whole
    FROM (
        SELECT gid, MAX(level) AS level, MAX(place_id) AS place_id, MAX(category) AS category, MAX(key) AS key,
               MAX(spell_start) AS spell_start, MAX(spell_end) AS spell_end, MAX(spell_days) AS spell_days,
               MAX(total) AS total, CAST(SUM(weight) AS BIGINT) AS weight, CAST(SUM(missing) AS BIGINT) AS missing,
               CAST(SUM(more) AS BIGINT) AS more
        FROM (
            SELECT gid, level, place_id, category, key, spell_start, spell_end, spell_days, total, 0 AS weight,
                   0 AS missing, 0 AS more, 0 AS chosen
            FROM sums
            UNION ALL
            SELECT gid, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, COALESCE(weight, 0),
                   CASE WHEN weight IS NULL THEN 1 ELSE 0 END, 0, 0
            FROM members
            UNION ALL
            SELECT gid, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, COALESCE(weight - alone, 0), chosen
            FROM parts
        ) everything
        GROUP BY gid HAVING MAX(chosen) = 1
    ) g
), entries AS (
    -- The leases of a group, in one line each, then its owner.
    SELECT gid, lease_id, book_id, CAST(SUM(days) AS BIGINT) AS days,
           COALESCE(CAST(SUM(weight) AS BIGINT), 0) AS weight, MAX(chosen) AS chosen, CAST(NULL AS BIGINT) AS level,
           CAST(NULL AS BIGINT) AS place_id, CAST(NULL AS BIGINT) AS category, CAST(NULL AS BIGINT) AS key,
           DAY(%(no_day)s) AS spell_start, DAY(%(no_day)s) AS spell_end, CAST(NULL AS BIGINT) AS total,
           CAST(NULL AS BIGINT) AS whole
    FROM parts WHERE settled = 1 GROUP BY gid, lease_id, book_id
    UNION ALL
    SELECT gid, 0, 0, 0, 0, 1, level, place_id, category, key, spell_start, spell_end, total, whole FROM wholes
), known AS (
    SELECT gid, lease_id, book_id, days, chosen, level, place_id, category, key, spell_start, spell_end,
           MAX(total) OVER g AS total, MAX(whole) OVER g AS whole,
           CASE lease_id WHEN 0 THEN CAST(whole - SUM(weight) OVER g AS BIGINT) ELSE weight END AS weight
    FROM entries WINDOW g AS (PARTITION BY gid)
), floored AS (
    SELECT k.*, CASE WHEN whole > 0 THEN ABS(total) * weight / whole END AS base,
           CASE WHEN whole > 0 THEN ABS(total) * weight %% whole END AS rest
    FROM known k WHERE whole IS NOT NULL
), ranked AS (
    SELECT f.*, ABS(f.total) - SUM(f.base) OVER (PARTITION BY f.gid) AS cents_left,
           ROW_NUMBER() OVER (PARTITION BY f.gid ORDER BY f.rest DESC,
               CASE f.lease_id WHEN 0 THEN 1 ELSE 0 END, f.lease_id, f.book_id) AS turn
    FROM floored f
), charge_share AS MATERIALIZED (
    SELECT gid, level, place_id, category, key, spell_start, spell_end, total, whole, lease_id, book_id, days,
           weight, CAST((base + CASE WHEN turn <= cents_left THEN 1 ELSE 0 END)
                        * CASE WHEN total < 0 THEN -1 ELSE 1 END AS BIGINT) AS share
    FROM ranked WHERE chosen = 1
)
