-- What each lease under a mandate was called, paid and owes over a month, in its owner's book, in whole
-- cents: called (aid included), of it aid; charged otherwise; paid by the tenant, by the aid; then as
-- it stands at the end: owed, aid waited for, deposit. Uses: posting_debit, posting_credit,
-- occupancy_lease_start, holding_unit_start.
WITH wanted AS MATERIALIZED (
    SELECT a.id, b.owner_id, a.lease_id, a.kind
    FROM leases_book b
    JOIN leases_account a ON a.book_id = b.id AND a.lease_id IS NOT NULL
        AND a.kind IN (%(tenant)s, %(benefit)s, %(deposit)s)
    WHERE b.owner_id IS NOT NULL {only}
), moved AS (
    -- Each half by its own index.
    SELECT w.owner_id, w.lease_id, w.kind, p.source, p."on", p.amount AS signed
    FROM wanted w JOIN leases_posting p ON p.debit_id = w.id WHERE p."on" < DAY(%(next)s)
    UNION ALL
    SELECT w.owner_id, w.lease_id, w.kind, p.source, p."on", -p.amount
    FROM wanted w JOIN leases_posting p ON p.credit_id = w.id WHERE p."on" < DAY(%(next)s)
), summed AS (
    SELECT owner_id, lease_id,
           SUM(CASE WHEN kind <> %(deposit)s AND source = %(call)s AND "on" >= DAY(%(month)s) THEN signed ELSE 0 END) AS called,
           SUM(CASE WHEN kind = %(benefit)s AND source = %(call)s AND "on" >= DAY(%(month)s) THEN signed ELSE 0 END) AS aid,
           SUM(CASE WHEN kind <> %(deposit)s AND source IN (%(operation)s, %(opening)s) AND "on" >= DAY(%(month)s)
                    THEN signed ELSE 0 END) AS charged,
           SUM(CASE WHEN kind = %(tenant)s AND source IN (%(allocation)s, %(receipt)s) AND "on" >= DAY(%(month)s)
                    THEN -signed ELSE 0 END) AS paid,
           SUM(CASE WHEN kind = %(benefit)s AND source IN (%(allocation)s, %(receipt)s) AND "on" >= DAY(%(month)s)
                    THEN -signed ELSE 0 END) AS aid_paid,
           SUM(CASE WHEN kind = %(tenant)s THEN signed ELSE 0 END) AS owed,
           SUM(CASE WHEN kind = %(benefit)s THEN signed ELSE 0 END) AS aid_waited,
           SUM(CASE WHEN kind = %(deposit)s THEN -signed ELSE 0 END) AS deposit
    FROM moved GROUP BY owner_id, lease_id
)
SELECT s.owner_id, s.lease_id, l.reference,
       (SELECT p.unit_id FROM leases_occupancy o
        JOIN portfolio_place p ON p.id = o.place_id
        JOIN portfolio_holding h ON h.unit_id = p.unit_id AND h.owner_id = s.owner_id
        WHERE o.lease_id = s.lease_id AND o."start" < DAY(%(next)s)
        ORDER BY o."start" DESC, o.id DESC LIMIT 1) AS unit_id,
       s.called, s.aid, s.charged, s.paid, s.aid_paid, s.owed, s.aid_waited, s.deposit
FROM summed s JOIN leases_lease l ON l.id = s.lease_id
WHERE s.called <> 0 OR s.aid <> 0 OR s.charged <> 0 OR s.paid <> 0 OR s.aid_paid <> 0
    OR s.owed <> 0 OR s.aid_waited <> 0 OR s.deposit <> 0
ORDER BY s.owner_id, l.reference
