-- Totals of what is due by owner kind and item; the lines without item count the leases.
, placed AS (
    SELECT d.lease_id, d.item, d.amount,
           COALESCE(w.kind, 'own') AS kind
    FROM difference d LEFT JOIN leases_book b ON b.id = d.book_id
    LEFT JOIN portfolio_owner w ON w.id = b.owner_id
)
SELECT kind, item, COUNT(*), 0, SUM(amount) FROM placed GROUP BY kind, item
UNION ALL
SELECT kind, 0, 0, COUNT(DISTINCT lease_id), 0 FROM placed GROUP BY kind
ORDER BY 1, 2
