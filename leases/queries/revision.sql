-- Each lease and item whose yearly revision falls in a month, or in several: old and new amount in whole cents, or the
-- reason why it is left out. The rule is stated in Python by leases.yearly.revision_rule; a property test
-- holds the two equal. The days, their quarters and their limits come as rows.
-- Uses: revision_clause_once, occupancy_lease_start, holding_unit_start, rent_term_lease_item,
-- index_value_once, revision_once. Parameters: first, next, low, high, rent, frozen_here, frozen_overseas.
WITH kinds(kind, rule, whole, redevance, freezes, years_mp, years_person) AS (VALUES {kinds}),
days(on_day, month_day, effect, effect_year, effect_md, year_before, year_after, lost, points,
    y1, y2, y3, y4)
AS (VALUES {days}),
written AS MATERIALIZED (
    -- Each lease with its clause, and the day of the year on which it is revised.
    SELECT l.id AS lease_id, l.signed_on, l."start" AS first_day, l."end" AS title_end, l.last_renewed_on,
           k.rule, k.whole, k.redevance, k.freezes, k.years_mp, k.years_person,
           c.revised, NULLIF(c.series, '') AS clause_series, COALESCE(c.quarter, {quarter_out}) AS quarter,
           CASE k.rule WHEN 'REV_CONV' THEN '01-01'
               ELSE COALESCE(NULLIF(c.month_day, ''), SUBSTR(CAST(l."start" AS text), 6, 5)) END AS month_day
    FROM leases_lease l
    JOIN kinds k ON k.kind = l.kind
    LEFT JOIN leases_revisionclause c ON c.lease_id = l.id AND c."start" < DAY(%(next)s)
        AND NOT EXISTS (SELECT 1 FROM leases_revisionclause n WHERE n.lease_id = l.id
                        AND n."start" > c."start" AND n."start" < DAY(%(next)s))
    WHERE l.id BETWEEN %(low)s AND %(high)s AND l."start" < DAY(%(next)s)
        AND (l."end" IS NULL OR l."end" > DAY(%(first)s))
), told AS MATERIALIZED (
    SELECT w.*, CASE WHEN w.last_renewed_on <= d.effect THEN w.last_renewed_on END AS renewed_on,
           d.on_day, d.effect, d.effect_year, d.effect_md, d.year_before, d.year_after, d.lost, d.points,
           CASE w.quarter WHEN 1 THEN d.y1 WHEN 2 THEN d.y2 WHEN 3 THEN d.y3 ELSE d.y4 END AS index_year
    FROM written w
    JOIN days d ON d.month_day = w.month_day AND w.first_day < d.on_day
        AND (w.title_end IS NULL OR w.title_end > d.on_day)
), homes AS MATERIALIZED (
    -- Where each is on its day: the last entered, held that day, with the label valid then.
    SELECT * FROM (
        SELECT t.lease_id, u.rent_ceiling, SUBSTR(b.postcode, 1, 2) AS department, w.kind AS owner_kind,
               CASE WHEN h.title IN ({owners_book_titles}) THEN w.nature ELSE 'mp' END AS nature,
               (SELECT e.letter FROM portfolio_energylabel e
                WHERE e.unit_id = p.unit_id AND e.issued_on <= t.on_day AND e.valid_until > t.on_day
                ORDER BY e.issued_on DESC LIMIT 1) AS letter,
               ROW_NUMBER() OVER (PARTITION BY t.lease_id ORDER BY o."start" DESC, o.id DESC) AS nth
        FROM told t
        JOIN leases_occupancy o ON o.lease_id = t.lease_id AND o."start" <= t.on_day
            AND (o."end" IS NULL OR o."end" > t.on_day)
        JOIN portfolio_place p ON p.id = o.place_id
        JOIN portfolio_unit u ON u.id = p.unit_id
        JOIN portfolio_building b ON b.id = u.building_id
        JOIN portfolio_holding h ON h.unit_id = p.unit_id AND h."start" <= t.on_day
            AND (h."end" IS NULL OR h."end" > t.on_day)
        JOIN portfolio_owner w ON w.id = h.owner_id
    ) ranked WHERE nth = 1
), placed AS MATERIALIZED (
    SELECT t.*, h.rent_ceiling, h.owner_kind, h.nature, h.letter,
           COALESCE(t.clause_series, CASE WHEN h.department = '20' THEN 'corsica'
               WHEN h.department IN ('97', '98') THEN 'overseas' ELSE 'metropolitan' END) AS series,
           CASE WHEN h.department IN ('97', '98') THEN DAY(%(frozen_overseas)s)
               ELSE DAY(%(frozen_here)s) END AS frozen_since,
           CASE WHEN h.nature IN ('person', 'family_sci') THEN t.years_person ELSE t.years_mp END AS years,
           CAST(SUBSTR(CAST(COALESCE(t.renewed_on, t.first_day) AS text), 1, 4) AS integer) AS base_year,
           SUBSTR(CAST(COALESCE(t.renewed_on, t.first_day) AS text), 6, 5) AS base_md
    FROM told t LEFT JOIN homes h ON h.lease_id = t.lease_id
), priced AS MATERIALIZED (
    SELECT p.*, r.item, r.amount AS old, r."start" AS term_start, r."end" AS term_end,
           n.hundredths AS index_new, i.hundredths AS index_old,
           CASE p.rule WHEN 'REV_CONV' THEN r.amount * (10000 + p.points) / 10000
               ELSE (2 * r.amount * n.hundredths + i.hundredths) / (2 * i.hundredths) END AS new
    FROM placed p
    LEFT JOIN leases_rentterm r ON r.lease_id = p.lease_id AND r."start" <= p.effect AND r.amount > 0
        AND (r."end" IS NULL OR r."end" > p.effect)
        AND (r.item = %(rent)s OR (p.redevance = 1 AND r.item IN ({parts})))
    LEFT JOIN leases_indexvalue n ON p.rule = 'REV_L89' AND n.series = p.series
        AND n.year = p.index_year AND n.quarter = p.quarter
    LEFT JOIN leases_indexvalue i ON i.series = n.series AND i.year = n.year - 1 AND i.quarter = n.quarter
), decided AS MATERIALIZED (
    -- The + keeps SQLite from looking all of these up by a null undoes_id rather than by their lease.
    SELECT p.*, CASE
        WHEN p.whole <> '' THEN p.whole
        WHEN p.owner_kind IS NULL THEN 'no_home'
        WHEN p.nature = 'hlm' THEN 'landlord_hlm'
        WHEN p.rule = 'REV_L89' AND p.revised IS NULL THEN 'clause_unknown'
        WHEN p.rule = 'REV_L89' AND NOT p.revised THEN 'no_clause'
        WHEN p.rule = 'REV_L89' AND p.first_day > p.year_before THEN 'first_year'
        WHEN EXISTS (SELECT 1 FROM leases_revision v WHERE v.lease_id = p.lease_id
                     AND +v.undoes_id IS NULL AND v."on" > p.year_before AND v."on" < p.year_after
                     AND NOT EXISTS (SELECT 1 FROM leases_revision u WHERE u.undoes_id = v.id))
            THEN 'already_revised'
        WHEN p.lost = 1 THEN 'lost'
        WHEN p.title_end <= p.effect THEN 'ended'
        -- FREEZE_FG: by the signature, a renewal recorded, or the last tacit one (a term of some years).
        WHEN p.freezes = 1 AND p.letter IN ({frozen}) AND (
            p.signed_on >= p.frozen_since OR p.renewed_on >= p.frozen_since
            OR (p.effect_year - p.base_year - CASE WHEN p.base_md > p.effect_md THEN 1 ELSE 0 END >= p.years
                AND CAST(p.base_year + (p.effect_year - p.base_year
                        - CASE WHEN p.base_md > p.effect_md THEN 1 ELSE 0 END) / p.years * p.years AS text)
                    || '-' || p.base_md >= CAST(p.frozen_since AS text))) THEN 'frozen'
        WHEN (p.rule = 'REV_CONV' AND p.points IS NULL)
            OR (p.rule = 'REV_L89' AND p.index_old IS NULL) THEN 'not_published'
        WHEN p.item IS NULL THEN 'no_rent'
        WHEN p.term_start >= p.on_day THEN 'new_rent'
        WHEN EXISTS (SELECT 1 FROM leases_rentterm z WHERE z.lease_id = p.lease_id AND z.item = p.item
                     AND z."start" > p.effect) THEN 'later_rent'
        WHEN p.rule = 'REV_CONV' AND p.item = %(rent)s AND p.old > p.rent_ceiling THEN 'above_ceiling'
        WHEN p.new <= p.old THEN 'no_rise'
        ELSE '' END AS reason
    FROM priced p
)
