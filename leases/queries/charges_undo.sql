-- A settlement undone: each lease back to its version before, each operation by its opposite.
INSERT INTO leases_settlement
    (run_id, lease_id, account_id, year, version, days, share, provisions, amount, instalments)
SELECT %(run)s, t.lease_id, t.account_id, t.year, t.version + 1, COALESCE(b.days, 0), COALESCE(b.share, 0),
       COALESCE(b.provisions, 0), -t.amount, 1
FROM leases_settlement t
LEFT JOIN leases_settlement b ON b.lease_id = t.lease_id AND b.account_id = t.account_id AND b.year = t.year
    AND b.version = t.version - 1
WHERE t.run_id = %(undone)s ORDER BY t.id
--%
INSERT INTO leases_operation
    (kind, "key", entry_id, debit_id, credit_id, amount, "on", due, label, undoes_id, made_by_id)
SELECT o.kind, 'undo ' || o.id, %(entry)s, o.credit_id, o.debit_id, o.amount, DAY(%(on)s), o.due, o.label, o.id,
       %(by)s
FROM leases_chargepart p JOIN leases_operation o ON o.entry_id = p.entry_id
WHERE p.run_id = %(undone)s AND NOT EXISTS (SELECT 1 FROM leases_operation u WHERE u.undoes_id = o.id)
ORDER BY o.id
