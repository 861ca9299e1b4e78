-- Days of each lease in each home, by book and by the days that expenses are for: occupied under title,
-- while held, less the days on which nothing is due (orders, rent-free). Parameters: year, start, end,
-- own_book, low, high (sites), site, building (0: any).
-- Uses occupancy_place_start, holding_unit_start, expense_year_building.
met AS MATERIALIZED (
    SELECT o.lease_id, u.building_id, b.site_id
    FROM leases_occupancy o
    JOIN portfolio_place p ON p.id = o.place_id
    JOIN portfolio_unit u ON u.id = p.unit_id
    JOIN portfolio_building b ON b.id = u.building_id
    WHERE o."start" < DAY(%(end)s) AND (o."end" IS NULL OR o."end" > DAY(%(start)s))
), chosen AS MATERIALIZED (
    SELECT lease_id FROM met GROUP BY lease_id
    HAVING MIN(site_id) BETWEEN %(low)s AND %(high)s
       AND (%(site)s = 0 OR MAX(CASE WHEN site_id = %(site)s THEN 1 ELSE 0 END) = 1)
       AND (%(building)s = 0 OR MAX(CASE WHEN building_id = %(building)s THEN 1 ELSE 0 END) = 1)
), spells AS MATERIALIZED (
    SELECT DAY(%(start)s) AS first_day, DAY(%(end)s) AS end_day
    UNION
    SELECT "start", "end" FROM leases_expense WHERE year = %(year)s
), held AS MATERIALIZED (
    SELECT o.lease_id, l.kind, l.household_id, p.unit_id, u.building_id, b.site_id,
           COALESCE(k.id, %(own_book)s) AS book_id, s.first_day AS spell_start, s.end_day AS spell_end,
           GREATEST(o."start", h."start", s.first_day) AS first_day,
           LEAST(COALESCE(o."end", s.end_day), COALESCE(h."end", s.end_day), COALESCE(l."end", s.end_day),
                 s.end_day) AS end_day
    FROM leases_occupancy o
    JOIN leases_lease l ON l.id = o.lease_id
    JOIN portfolio_place p ON p.id = o.place_id
    JOIN portfolio_unit u ON u.id = p.unit_id
    JOIN portfolio_building b ON b.id = u.building_id
    JOIN portfolio_holding h ON h.unit_id = u.id AND h."start" < DAY(%(end)s)
        AND (h."end" IS NULL OR h."end" > DAY(%(start)s))
    LEFT JOIN leases_book k ON k.owner_id = h.owner_id AND h.title IN ({owners_book_titles})
    CROSS JOIN spells s
    WHERE o."start" < DAY(%(end)s) AND (o."end" IS NULL OR o."end" > DAY(%(start)s))
      AND b.site_id IN (SELECT m.site_id FROM met m JOIN chosen c ON c.lease_id = m.lease_id)
), owing AS MATERIALIZED (
    SELECT h.lease_id, h.kind, h.household_id, h.unit_id, h.building_id, h.site_id, h.book_id, h.spell_start,
           h.spell_end, h.end_day, DAYS(h.first_day, h.end_day)
           - COALESCE((SELECT SUM(DAYS(x.first_day, x.end_day)) FROM (
               SELECT GREATEST(s.rent_stops, h.first_day) AS first_day,
                      LEAST(COALESCE(s.rent_resumes, h.end_day), h.end_day) AS end_day
               FROM portfolio_safetyorder s WHERE s.unit_id = h.unit_id AND s.rent_stops < h.end_day
                   AND (s.rent_resumes IS NULL OR s.rent_resumes > h.first_day)) x), 0)
           - COALESCE((SELECT SUM(DAYS(x.first_day, x.end_day)) FROM (
               SELECT GREATEST(f."start", h.first_day) AS first_day, LEAST(f."end", h.end_day) AS end_day
               FROM leases_freeperiod f WHERE f.lease_id = h.lease_id AND f."start" < h.end_day
                   AND f."end" > h.first_day) x), 0)
           + COALESCE((SELECT SUM(DAYS(x.first_day, x.end_day)) FROM (
               SELECT GREATEST(f."start", s.rent_stops, h.first_day) AS first_day,
                      LEAST(f."end", COALESCE(s.rent_resumes, h.end_day), h.end_day) AS end_day
               FROM leases_freeperiod f
               JOIN portfolio_safetyorder s ON s.unit_id = h.unit_id AND s.rent_stops < f."end"
                   AND (s.rent_resumes IS NULL OR s.rent_resumes > f."start")
               WHERE f.lease_id = h.lease_id) x WHERE x.first_day < x.end_day), 0) AS days
    FROM held h WHERE h.first_day < h.end_day
), summed AS (
    SELECT lease_id, kind, household_id, unit_id, building_id, site_id, book_id, spell_start, spell_end,
           MAX(end_day) AS end_day, CAST(GREATEST(SUM(days), 0) AS BIGINT) AS days
    FROM owing
    GROUP BY lease_id, kind, household_id, unit_id, building_id, site_id, book_id, spell_start, spell_end
), charge_span AS MATERIALIZED (
    SELECT s.lease_id, s.unit_id, s.building_id, s.site_id, s.book_id, s.spell_start, s.spell_end, s.days,
           CASE WHEN s.lease_id IN (SELECT lease_id FROM chosen) THEN 1 ELSE 0 END AS chosen,
           CASE WHEN s.kind IN ({settled_kinds})
                 AND NOT EXISTS (SELECT 1 FROM leases_flatcharges f WHERE f.lease_id = s.lease_id)
                THEN 1 ELSE 0 END AS settled,
           (SELECT COUNT(*) FROM leases_membership m WHERE m.household_id = s.household_id
            AND m."start" < s.end_day AND (m."end" IS NULL OR m."end" >= s.end_day)) AS people
    FROM summed s
)
