-- What moved the money held for each owner, by the account on the other side, in whole cents: before a
-- month, in it, after it up to a day. Money: funds, advances, the owner's own bank account less what on it
-- is not identified, cash and what is to be banked. What passes between two of these moves nothing.
-- Uses: posting_debit, posting_credit.
WITH money AS MATERIALIZED (
    SELECT a.id, b.owner_id, a.kind FROM leases_book b JOIN leases_account a ON a.book_id = b.id
    WHERE b.owner_id IS NOT NULL AND a.kind IN ({money}) {only}
), moved AS (
    -- Each half by its own index.
    SELECT m.owner_id, m.kind, p.credit_id AS other_id, p.amount AS signed, p."on", p.source, p.source_id
    FROM money m JOIN leases_posting p ON p.debit_id = m.id WHERE p."on" <= DAY(%(on)s)
    UNION ALL
    SELECT m.owner_id, m.kind, p.debit_id, -p.amount, p."on", p.source, p.source_id
    FROM money m JOIN leases_posting p ON p.credit_id = m.id WHERE p."on" <= DAY(%(on)s)
)
SELECT x.owner_id, x.whence, x.kind, x.operation, x.lease_id, x.own_bank, SUM(x.signed)
FROM (
    SELECT v.owner_id, o.kind, o.lease_id, v.signed,
           CASE WHEN v."on" < DAY(%(month)s) THEN 0 WHEN v."on" < DAY(%(next)s) THEN 1 ELSE 2 END AS whence,
           CASE WHEN v.source IN (%(operation)s, %(receipt)s) THEN
               (SELECT q.kind FROM leases_operation q WHERE q.id = v.source_id) ELSE 0 END AS operation,
           CASE WHEN v.kind IN (%(funds)s, %(advance)s) THEN 0 ELSE 1 END AS own_bank
    FROM moved v JOIN leases_account o ON o.id = v.other_id
    WHERE o.kind NOT IN ({money})
) x
GROUP BY x.owner_id, x.whence, x.kind, x.operation, x.lease_id, x.own_bank
