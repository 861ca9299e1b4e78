-- Each lease's year: its share, its provisions called, what was settled before, and why it is left out.
-- Parameters: year, start, end, charges (item), tenant_account, barred. Uses rent_call_once, settlement_once.
folk AS MATERIALIZED (
    SELECT lease_id, book_id, MAX(settled) AS settled, CAST(SUM(days) AS BIGINT) AS days
    FROM charge_span
    WHERE chosen = 1 AND spell_start = DAY(%(start)s) AND spell_end = DAY(%(end)s)
    GROUP BY lease_id, book_id
), called AS MATERIALIZED (
    SELECT c.lease_id, a.book_id, CAST(SUM(c.amount) AS BIGINT) AS amount
    FROM (SELECT DISTINCT lease_id FROM folk) f
    JOIN leases_rentcall c ON c.lease_id = f.lease_id AND c.month >= DAY(%(start)s)
        AND c.month < DAY(%(end)s) AND c.item = %(charges)s
    JOIN leases_account a ON a.id = c.account_id
    GROUP BY c.lease_id, a.book_id
), gathered AS MATERIALIZED (
    -- Side by side rather than joined: what is reckoned here has no index.
    SELECT lease_id, book_id, MAX(settled) AS settled, CAST(SUM(days) AS BIGINT) AS days, MAX(odd) AS odd,
           CAST(SUM(share) AS BIGINT) AS share, CAST(SUM(provisions) AS BIGINT) AS provisions
    FROM (
        SELECT lease_id, book_id, 1 AS there, settled, days, -1 AS odd, 0 AS share, 0 AS provisions FROM folk
        UNION ALL
        SELECT lease_id, book_id, 0, 0, 0, CASE WHEN share IS NULL THEN 1 ELSE 0 END, COALESCE(share, 0), 0
        FROM charge_share WHERE lease_id <> 0
        UNION ALL
        SELECT lease_id, book_id, 0, 0, 0, -1, 0, amount FROM called
    ) everything
    GROUP BY lease_id, book_id HAVING MAX(there) = 1
), balanced AS (
    SELECT g.lease_id, g.book_id, a.id AS account_id, g.settled, g.days, g.odd, g.share, g.provisions,
           COALESCE(b.version, 0) AS version, COALESCE(b.share, 0) AS share_before,
           COALESCE(b.provisions, 0) AS provisions_before
    FROM gathered g
    LEFT JOIN leases_account a ON a.lease_id = g.lease_id AND a.book_id = g.book_id AND a.kind = %(tenant_account)s
    LEFT JOIN leases_settlement b ON b.lease_id = g.lease_id AND b.account_id = a.id AND b.year = %(year)s
        AND b.version = (SELECT MAX(n.version) FROM leases_settlement n WHERE n.lease_id = g.lease_id
            AND n.account_id = a.id AND n.year = %(year)s)
), charge_balance AS MATERIALIZED (
    SELECT lease_id, book_id, account_id, days, share, provisions, version, share_before, provisions_before,
           share - provisions - share_before + provisions_before AS amount,
           CASE WHEN settled = 0 THEN 'flat'
                WHEN odd = 1 THEN 'no_key'
                WHEN odd = -1 THEN 'no_expenses'
                WHEN %(barred)s = 1 AND share - provisions - share_before + provisions_before > 0 THEN 'barred'
                ELSE '' END AS reason
    FROM balanced
)
