-- A part of a settlement from its reckoning in charge_share and charge_balance: the leases settled, those
-- left out, the natures as they were shared, each lease's lines, then what is posted.
INSERT INTO leases_settlement
    (run_id, lease_id, account_id, year, version, days, share, provisions, amount, instalments)
SELECT %(run)s, b.lease_id, b.account_id, %(year)s, b.version + 1, b.days, b.share, b.provisions, b.amount,
       CASE WHEN b.amount > 0 AND (%(late)s = 1 OR b.amount > %(above)s)
            THEN LEAST(%(instalments)s, b.amount) ELSE 1 END
FROM charge_balance b
WHERE b.reason = '' AND (b.version = 0 OR b.share <> b.share_before OR b.provisions <> b.provisions_before)
ORDER BY b.lease_id, b.account_id
--%
INSERT INTO leases_chargeexception (run_id, lease_id, reason)
SELECT DISTINCT %(run)s, b.lease_id, b.reason FROM charge_balance b WHERE b.reason <> ''
ON CONFLICT DO NOTHING
--%
INSERT INTO leases_chargegroup
    (run_id, level, place_id, category, "key", "start", "end", total, whole, owner_share)
SELECT %(run)s, o.level, o.place_id, o.category, o.key, o.spell_start, o.spell_end, o.total, o.whole, o.share
FROM charge_share o
WHERE o.lease_id = 0 AND o.share IS NOT NULL AND o.gid IN (
    SELECT s.gid FROM charge_share s WHERE s.lease_id IN (
        SELECT t.lease_id FROM leases_settlement t
        JOIN charge_balance b ON b.lease_id = t.lease_id AND b.account_id = t.account_id
        WHERE t.run_id = %(run)s AND t.year = %(year)s AND t.version = b.version + 1))
ORDER BY o.gid
ON CONFLICT DO NOTHING
--%
INSERT INTO leases_chargeline (settlement_id, group_id, days, weight, share)
SELECT t.id, g.id, s.days, s.weight, s.share
FROM charge_share s
-- CROSS: joined in this order, each by its index; SQLite would guess another.
CROSS JOIN charge_share o
CROSS JOIN leases_chargegroup g
CROSS JOIN charge_balance b
CROSS JOIN leases_settlement t
WHERE s.lease_id <> 0 AND o.gid = s.gid AND o.lease_id = 0 AND g.run_id = %(run)s AND g.level = o.level
    AND g.place_id = o.place_id AND g.category = o.category AND g.key = o.key
    AND g."start" = o.spell_start AND g."end" = o.spell_end AND b.lease_id = s.lease_id
    AND b.book_id = s.book_id AND t.lease_id = b.lease_id AND t.account_id = b.account_id
    AND t.year = %(year)s AND t.version = b.version + 1 AND t.run_id = %(run)s
ORDER BY t.id, g.id
--%
INSERT INTO leases_operation
    (kind, "key", entry_id, debit_id, credit_id, amount, "on", due, label, made_by_id)
SELECT CASE WHEN t.amount > 0 THEN %(to_pay)s ELSE %(to_give_back)s END,
       'charges ' || t.year || ' lease ' || t.lease_id || ' account ' || t.account_id || ' v' || t.version
       || ' ' || p.number,
       %(entry)s, CASE WHEN t.amount > 0 THEN t.account_id ELSE c.id END,
       CASE WHEN t.amount > 0 THEN c.id ELSE t.account_id END,
       CASE WHEN t.amount > 0 THEN t.amount / t.instalments
            + CASE WHEN p.number <= t.amount %% t.instalments THEN 1 ELSE 0 END ELSE -t.amount END,
       DAY(%(on)s), CASE WHEN t.amount > 0 THEN p.due ELSE DAY(%(on)s) END,
       CASE WHEN t.amount > 0 THEN %(label_to_pay)s ELSE %(label_to_give_back)s END
       || CASE WHEN t.instalments > 1 THEN ' ' || p.number || '/' || t.instalments ELSE '' END,
       %(by)s
FROM charge_balance b
JOIN leases_settlement t ON t.lease_id = b.lease_id AND t.account_id = b.account_id AND t.year = %(year)s
    AND t.version = b.version + 1 AND t.run_id = %(run)s
JOIN leases_account c ON c.book_id = b.book_id AND c.kind = %(charges_account)s
    AND c.lease_id IS NULL AND c.owner_id IS NULL AND c.bank_id IS NULL
JOIN ({dues}) p ON p.number <= t.instalments
WHERE t.amount <> 0
ORDER BY t.id, p.number
