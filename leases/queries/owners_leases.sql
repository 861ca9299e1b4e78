-- What each lease under a mandate received, was called and owed, in its owner's book, in whole cents.
-- received, called: since the first month whose fee was counted for that owner, up to the month's end;
-- deposits are no receipts. owed_before, owed_after: due and unpaid beyond the deposit held, at the eve
-- of the month and at its end. unit_id: the last home occupied that was held of that owner.
-- Uses: account_once_a_lease, posting_debit, posting_credit, occupancy_lease_start, holding_unit_start.
WITH begun AS MATERIALIZED (
    SELECT b.id AS book_id, b.owner_id,
           COALESCE((SELECT MIN(f.month) FROM leases_fee f WHERE f.owner_id = b.owner_id), DAY(%(month)s)) AS since
    FROM leases_book b WHERE b.owner_id IS NOT NULL
), wanted AS MATERIALIZED (
    SELECT a.id, g.owner_id, g.since, a.lease_id, a.kind
    FROM begun g
    JOIN leases_account a ON a.book_id = g.book_id AND a.lease_id IS NOT NULL
        AND a.kind IN (%(tenant)s, %(benefit)s, %(deposit)s)
), moved AS (
    -- Each half by its own index.
    SELECT w.owner_id, w.since, w.lease_id, w.kind, p.source, p."on", p.due, p.amount AS signed,
           CASE WHEN p.source = %(operation)s THEN
               (SELECT q.kind FROM leases_operation q WHERE q.id = p.source_id) END AS operation
    FROM wanted w JOIN leases_posting p ON p.debit_id = w.id WHERE p."on" < DAY(%(next)s)
    UNION ALL
    SELECT w.owner_id, w.since, w.lease_id, w.kind, p.source, p."on", p.due, -p.amount,
           CASE WHEN p.source = %(operation)s THEN
               (SELECT q.kind FROM leases_operation q WHERE q.id = p.source_id) END
    FROM wanted w JOIN leases_posting p ON p.credit_id = w.id WHERE p."on" < DAY(%(next)s)
), summed AS (
    SELECT owner_id, lease_id,
           SUM(CASE WHEN "on" < since OR kind = %(deposit)s THEN 0
                    WHEN source IN (%(allocation)s, %(receipt)s) THEN -signed
                    WHEN operation IN (%(deposit_called)s, %(deposit_given_back)s) THEN -signed ELSE 0 END) AS received,
           SUM(CASE WHEN "on" >= since AND kind <> %(deposit)s AND source = %(call)s THEN signed ELSE 0 END) AS called,
           SUM(CASE WHEN kind <> %(benefit)s AND "on" < DAY(%(month)s) AND due < DAY(%(month)s)
                    THEN signed ELSE 0 END) AS owed_before,
           SUM(CASE WHEN kind <> %(benefit)s AND due < DAY(%(next)s) THEN signed ELSE 0 END) AS owed_after
    FROM moved GROUP BY owner_id, lease_id
)
SELECT s.owner_id, s.lease_id,
       (SELECT p.unit_id FROM leases_occupancy o
        JOIN portfolio_place p ON p.id = o.place_id
        JOIN portfolio_holding h ON h.unit_id = p.unit_id AND h.owner_id = s.owner_id
        WHERE o.lease_id = s.lease_id AND o."start" < DAY(%(next)s)
        ORDER BY o."start" DESC, o.id DESC LIMIT 1) AS unit_id,
       s.received, s.called, s.owed_before, s.owed_after
FROM summed s
ORDER BY s.owner_id, s.lease_id
