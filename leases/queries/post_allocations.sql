-- The accounts that a payment into another book goes through, where they are not there yet.
INSERT INTO leases_account (book_id, kind, owner_id)
SELECT DISTINCT %(bank_book)s, {held}, k.owner_id
FROM leases_allocation l
JOIN leases_movement m ON m.id = l.movement_id
JOIN leases_account a ON a.id = l.account_id AND a.book_id <> %(bank_book)s
JOIN leases_book k ON k.id = a.book_id
WHERE {which} AND NOT EXISTS (
    SELECT 1 FROM leases_account h WHERE h.book_id = %(bank_book)s AND h.kind = {held} AND h.owner_id = k.owner_id)
    AND (k.owner_id IS NOT NULL OR NOT EXISTS (
        SELECT 1 FROM leases_account h WHERE h.book_id = %(bank_book)s AND h.kind = {held}
            AND h.lease_id IS NULL AND h.owner_id IS NULL AND h.bank_id IS NULL))
ON CONFLICT DO NOTHING
--%
INSERT INTO leases_account (book_id, kind)
SELECT k.book_id, t.kind
FROM (SELECT DISTINCT a.book_id
      FROM leases_allocation l
      JOIN leases_movement m ON m.id = l.movement_id
      JOIN leases_account a ON a.id = l.account_id AND a.book_id <> %(bank_book)s
      WHERE {which}) k
CROSS JOIN (SELECT {funds} AS kind UNION ALL SELECT {advance}) t
WHERE NOT EXISTS (
    SELECT 1 FROM leases_account h WHERE h.book_id = k.book_id AND h.kind = t.kind
        AND h.lease_id IS NULL AND h.owner_id IS NULL AND h.bank_id IS NULL)
ON CONFLICT DO NOTHING
--%
-- In the bank's book: from the bank, or from suspense, to the account, or to what is held for the
-- other book's owner. What only parts a suspense line in smaller ones moves no money.
WITH way AS MATERIALIZED (
    SELECT k.id AS book_id, COALESCE(h.id, n.id) AS held
    FROM leases_book k
    LEFT JOIN leases_account h ON h.book_id = %(bank_book)s AND h.kind = {held} AND h.owner_id = k.owner_id
    LEFT JOIN leases_account n ON k.owner_id IS NULL AND n.book_id = %(bank_book)s AND n.kind = {held}
        AND n.lease_id IS NULL AND n.owner_id IS NULL AND n.bank_id IS NULL
), x AS (
    SELECT l.id, l.amount, l."on", COALESCE(s.account_id, %(bank_account)s) AS origin,
           CASE WHEN a.book_id = %(bank_book)s THEN a.id ELSE w.held END AS target
    FROM leases_allocation l
    JOIN leases_movement m ON m.id = l.movement_id
    JOIN leases_account a ON a.id = l.account_id
    JOIN way w ON w.book_id = a.book_id
    LEFT JOIN leases_allocation s ON s.id = l.settles_id
    WHERE {which}
)
INSERT INTO leases_posting (entry_id, debit_id, credit_id, amount, "on", due, source, source_id, leg)
SELECT %(entry)s,
       CASE WHEN x.amount > 0 THEN x.origin ELSE x.target END,
       CASE WHEN x.amount > 0 THEN x.target ELSE x.origin END,
       ABS(x.amount), x."on", x."on", %(source)s, x.id, 0
FROM x
WHERE x.target IS NULL OR x.origin <> x.target
--%
-- In the other book: what comes in, before what goes out.
WITH way AS MATERIALIZED (
    SELECT f.book_id, f.id AS funds
    FROM leases_book k
    JOIN leases_account f ON f.book_id = k.id AND f.kind = {funds}
        AND f.lease_id IS NULL AND f.owner_id IS NULL AND f.bank_id IS NULL
)
INSERT INTO leases_posting (entry_id, debit_id, credit_id, amount, "on", due, source, source_id, leg)
SELECT %(entry)s, w.funds, a.id, l.amount, l."on", l."on", %(source)s, l.id, 1
FROM leases_allocation l
JOIN leases_movement m ON m.id = l.movement_id
JOIN leases_account a ON a.id = l.account_id AND a.book_id <> %(bank_book)s
LEFT JOIN way w ON w.book_id = a.book_id
WHERE {which} AND l.amount > 0
--%
-- What goes out beyond the funds held for the owner is advanced by the manager.
WITH gone AS MATERIALIZED (
    SELECT l.id, l.amount, l."on", a.id AS account_id, a.book_id,
           SUM(-l.amount) OVER (PARTITION BY a.book_id ORDER BY l.id) AS running
    FROM leases_allocation l
    JOIN leases_movement m ON m.id = l.movement_id
    JOIN leases_account a ON a.id = l.account_id AND a.book_id <> %(bank_book)s
    WHERE {which} AND l.amount < 0
), way AS MATERIALIZED (
    SELECT f.book_id, f.id AS funds, v.id AS advance,
           (SELECT COALESCE(SUM(n.amount), 0) FROM leases_posting n WHERE n.debit_id = f.id)
           - (SELECT COALESCE(SUM(n.amount), 0) FROM leases_posting n WHERE n.credit_id = f.id) AS held
    FROM (SELECT DISTINCT book_id FROM gone) k
    JOIN leases_account f ON f.book_id = k.book_id AND f.kind = {funds}
        AND f.lease_id IS NULL AND f.owner_id IS NULL AND f.bank_id IS NULL
    JOIN leases_account v ON v.book_id = k.book_id AND v.kind = {advance}
        AND v.lease_id IS NULL AND v.owner_id IS NULL AND v.bank_id IS NULL
)
INSERT INTO leases_posting (entry_id, debit_id, credit_id, amount, "on", due, source, source_id, leg)
SELECT %(entry)s, g.account_id, CASE WHEN g.running <= w.held THEN w.funds ELSE w.advance END, -g.amount,
       g."on", g."on", %(source)s, g.id, 1
FROM gone g LEFT JOIN way w ON w.book_id = g.book_id
ORDER BY g.id
