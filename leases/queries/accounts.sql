-- The books of mandants, and the accounts that leases and books need, where they are not there yet.
-- In one order: of two runs that open at once, the second waits for the first and adds nothing.
INSERT INTO leases_book (owner_id)
SELECT DISTINCT h.owner_id FROM portfolio_holding h
WHERE h.title IN ({owners_book_titles}) AND NOT EXISTS (SELECT 1 FROM leases_book b WHERE b.owner_id = h.owner_id)
ORDER BY 1
ON CONFLICT DO NOTHING
--%
INSERT INTO leases_account (book_id, kind, lease_id)
SELECT DISTINCT COALESCE(b.id, %(own_book)s), k.kind, o.lease_id
FROM leases_occupancy o
JOIN portfolio_place p ON p.id = o.place_id
JOIN portfolio_holding h ON h.unit_id = p.unit_id
    AND (o."end" IS NULL OR h."start" < o."end") AND (h."end" IS NULL OR h."end" > o."start")
LEFT JOIN leases_book b ON b.owner_id = h.owner_id AND h.title IN ({owners_book_titles})
CROSS JOIN (SELECT 1 AS kind UNION ALL SELECT 2) k
WHERE NOT EXISTS (SELECT 1 FROM leases_account a WHERE a.lease_id = o.lease_id AND a.kind = k.kind
                  AND a.book_id = COALESCE(b.id, %(own_book)s))
ORDER BY 3, 2, 1
ON CONFLICT DO NOTHING
--%
INSERT INTO leases_account (book_id, kind)
SELECT b.id, k.kind FROM leases_book b CROSS JOIN ({item_kinds}) k
WHERE NOT EXISTS (SELECT 1 FROM leases_account a WHERE a.book_id = b.id AND a.kind = k.kind
                  AND a.lease_id IS NULL AND a.owner_id IS NULL AND a.bank_id IS NULL)
ORDER BY 1, 2
ON CONFLICT DO NOTHING
