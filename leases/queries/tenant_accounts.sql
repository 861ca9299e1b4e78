-- A tenant's account for every lease that has none yet, in the book it pays to: money may come
-- before the first call. Uses account_once_a_lease, occupancy_lease_start, holding_unit_start.
INSERT INTO leases_account (book_id, kind, lease_id)
SELECT COALESCE((
           SELECT COALESCE(b.id, %(own_book)s)
           FROM leases_occupancy o
           JOIN portfolio_place p ON p.id = o.place_id
           JOIN portfolio_holding h ON h.unit_id = p.unit_id
               AND (o."end" IS NULL OR h."start" < o."end") AND (h."end" IS NULL OR h."end" > o."start")
           LEFT JOIN leases_book b ON b.owner_id = h.owner_id AND h.title IN ({owners_book_titles})
           WHERE o.lease_id = l.id ORDER BY h."start" DESC LIMIT 1
       ), %(own_book)s), %(tenant)s, l.id
FROM leases_lease l
WHERE NOT EXISTS (SELECT 1 FROM leases_account a WHERE a.lease_id = l.id AND a.kind = %(tenant)s)
ON CONFLICT DO NOTHING
