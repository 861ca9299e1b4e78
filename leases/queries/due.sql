-- What each lease owes for a month and was not called yet, by book and item, in whole cents.
-- The rule is stated in Python by leases.rent.owed(); a property test holds the two equal.
-- Uses: occupancy_lease_start, holding_unit_start, rent_term_lease_item, benefit_lease_start,
-- rent_call_once. Parameters: month, next, month_days, run, low, high, own_book.
WITH work AS MATERIALIZED (
    SELECT l.id AS lease_id, l."end" AS title_end, l.billing, l.due_day,
           DAY(%(month)s) AS month, DAY(%(next)s) AS next_month, %(month_days)s AS month_days
    FROM leases_lease l
    WHERE l.id BETWEEN %(low)s AND %(high)s
      AND l.id NOT IN ({left_out})
    UNION ALL
    SELECT l.id, l."end", l.billing, l.due_day, r.month, r.next_month, DAYS(r.month, r.next_month)
    FROM leases_monthtoreview r JOIN leases_lease l ON l.id = r.lease_id
    WHERE {reviewed} AND r.lease_id BETWEEN %(low)s AND %(high)s AND r.month < DAY(%(month)s)
      AND l.id NOT IN ({left_out})
), held AS MATERIALIZED (
    -- Days occupied while the home is held, by book, under title (beyond = 0) or without (1).
    SELECT w.lease_id, w.month, w.next_month, w.month_days, x.beyond,
           COALESCE(b.id, %(own_book)s) AS book_id,
           GREATEST(o."start", h."start", w.month,
                    CASE x.beyond WHEN 1 THEN w.title_end ELSE o."start" END) AS first_day,
           LEAST(COALESCE(o."end", w.next_month), COALESCE(h."end", w.next_month), w.next_month,
                 CASE x.beyond WHEN 0 THEN COALESCE(w.title_end, w.next_month) ELSE w.next_month END) AS end_day
    FROM work w
    JOIN leases_occupancy o ON o.lease_id = w.lease_id AND o."start" < w.next_month
        AND (o."end" IS NULL OR o."end" > w.month)
    JOIN portfolio_place p ON p.id = o.place_id
    JOIN portfolio_holding h ON h.unit_id = p.unit_id AND h."start" < w.next_month
        AND (h."end" IS NULL OR h."end" > w.month)
    LEFT JOIN leases_book b ON b.owner_id = h.owner_id AND h.title IN ({owners_book_titles})
    JOIN (SELECT 0 AS beyond UNION ALL SELECT 1) x ON x.beyond = 0 OR w.title_end < w.next_month
    WHERE NOT EXISTS (SELECT 1 FROM portfolio_safetyorder s WHERE s.unit_id = p.unit_id
                      AND s.rent_stops <= w.month
                      AND (s.rent_resumes IS NULL OR s.rent_resumes > w.month))
), pieces AS (
    SELECT h.lease_id, h.book_id, h.month, h.month_days, t.item AS agreed_item,
           CASE h.beyond WHEN 1 THEN %(indemnity)s ELSE t.item END AS item, t.amount AS monthly,
           GREATEST(h.first_day, t."start") AS first_day,
           LEAST(h.end_day, COALESCE(t."end", h.end_day)) AS end_day
    FROM held h
    JOIN leases_rentterm t ON t.lease_id = h.lease_id AND t."start" < h.end_day
        AND (t."end" IS NULL OR t."end" > h.first_day)
    WHERE h.first_day < h.end_day
), freed AS MATERIALIZED (
    -- Days owed of each piece, less its rent-free days.
    SELECT p.lease_id, p.book_id, p.month, p.month_days, p.agreed_item, p.item, p.monthly,
           DAYS(p.first_day, p.end_day) - COALESCE((
               SELECT SUM(DAYS(g.free_start, g.free_end)) FROM (
                   SELECT GREATEST(f."start", p.first_day) AS free_start,
                          LEAST(f."end", p.end_day) AS free_end
                   FROM leases_freeperiod f WHERE f.lease_id = p.lease_id
                       AND f."start" < p.end_day AND f."end" > p.first_day) g), 0) AS days
    FROM pieces p
), owed AS MATERIALIZED (
    -- Rounded half up to the cent once, here.
    SELECT lease_id, book_id, month, item,
           WHOLE((2 * SUM(monthly * days) + month_days) / (2 * month_days)) AS amount,
           WHOLE(SUM(monthly * days) * COUNT(DISTINCT agreed_item) / SUM(days)) AS monthly,
           WHOLE(SUM(days) / COUNT(DISTINCT agreed_item)) AS days, month_days
    FROM freed WHERE days > 0
    GROUP BY lease_id, book_id, month, item, month_days
), aided AS (
    -- The benefit of a whole month occupied to its end, never more than what is owed.
    SELECT h.lease_id, h.book_id, h.month, LEAST(b.amount, d.amount) AS amount, b.amount AS monthly,
           h.month_days
    FROM (SELECT DISTINCT lease_id, book_id, month, month_days FROM held
          WHERE first_day < end_day AND end_day = next_month) h
    JOIN leases_benefit b ON b.lease_id = h.lease_id AND b.paid_to_landlord AND b."start" <= h.month
        AND (b."end" IS NULL OR b."end" > h.month)
    JOIN (SELECT lease_id, book_id, month, SUM(amount) AS amount FROM owed
          GROUP BY lease_id, book_id, month) d
        ON d.lease_id = h.lease_id AND d.book_id = h.book_id AND d.month = h.month
), called AS MATERIALIZED (
    SELECT c.lease_id, a.book_id, c.month, c.item, SUM(c.amount) AS amount, MAX(c.version) AS version,
           MAX(w.month_days) AS month_days
    FROM work w
    JOIN leases_rentcall c ON c.lease_id = w.lease_id AND c.month = w.month
    JOIN leases_account a ON a.id = c.account_id
    GROUP BY c.lease_id, a.book_id, c.month, c.item
), due AS MATERIALIZED (
    SELECT lease_id, book_id, month, item, amount, monthly, days, month_days FROM owed
    UNION ALL
    SELECT lease_id, book_id, month, %(benefit)s, -amount, monthly, month_days, month_days FROM aided
), difference AS (
    -- What is due less what was called; and what was called but is due no more.
    SELECT d.lease_id, d.book_id, d.month, d.item, WHOLE(d.amount - COALESCE(c.amount, 0)) AS amount,
           COALESCE(c.version, 0) + 1 AS version, d.monthly, d.days, d.month_days
    FROM due d
    LEFT JOIN called c ON c.lease_id = d.lease_id AND c.book_id = d.book_id AND c.month = d.month
        AND c.item = d.item
    WHERE d.amount <> COALESCE(c.amount, 0)
    UNION ALL
    SELECT c.lease_id, c.book_id, c.month, c.item, WHOLE(-c.amount), c.version + 1, 0, 0, c.month_days
    FROM called c
    LEFT JOIN due d ON d.lease_id = c.lease_id AND d.book_id = c.book_id AND d.month = c.month
        AND d.item = c.item
    WHERE d.lease_id IS NULL AND c.amount <> 0
)
