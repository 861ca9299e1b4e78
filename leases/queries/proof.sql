-- One proof a statement: (proof, line), first broken line first.
SELECT 'entry_unsealed', 'entry ' || e.id FROM leases_entry e WHERE e.lines IS NULL ORDER BY e.id
--%
-- Count, sum, and the digest in which every column of every line weighs.
SELECT 'entry_total', 'entry ' || e.id || ': ' || COALESCE(p.lines, 0) || ' lines, ' || COALESCE(p.total, 0)
       || ' cents; sealed ' || e.lines || ' lines, ' || e.total || ' cents'
FROM leases_entry e
LEFT JOIN (SELECT p.entry_id, COUNT(*) AS lines, SUM(p.amount) AS total, {posting_digest} AS digest
           FROM leases_posting p GROUP BY p.entry_id) p ON p.entry_id = e.id
WHERE e.lines IS NOT NULL AND (e.lines <> COALESCE(p.lines, 0) OR e.total <> COALESCE(p.total, 0)
    OR COALESCE(e.digest, 0) <> COALESCE(p.digest, 0))
ORDER BY e.id
--%
SELECT 'posting_entry', 'posting ' || p.id || ' of entry ' || p.entry_id
FROM leases_posting p LEFT JOIN leases_entry e ON e.id = p.entry_id WHERE e.id IS NULL ORDER BY p.id
--%
SELECT 'call_unposted', 'call ' || c.id || ' of lease ' || c.lease_id
FROM leases_rentcall c LEFT JOIN leases_posting p ON p.source = %(call)s AND p.source_id = c.id AND p.leg = 0
WHERE p.id IS NULL ORDER BY c.id
--%
SELECT 'call_posting', 'posting ' || p.id || ' of entry ' || p.entry_id
FROM leases_posting p
LEFT JOIN leases_rentcall c ON c.id = p.source_id
LEFT JOIN leases_account d ON d.id = p.debit_id
LEFT JOIN leases_account k ON k.id = p.credit_id
WHERE p.source = %(call)s AND (c.id IS NULL OR p.leg <> 0 OR p.amount <> ABS(c.amount) OR p.due <> c.due
    OR (c.amount > 0 AND p.debit_id <> c.account_id) OR (c.amount < 0 AND p.credit_id <> c.account_id)
    OR (CASE WHEN c.amount > 0 THEN k.kind ELSE d.kind END) <> (CASE c.item {kinds} END)
    OR (c.item = %(benefit)s AND (CASE WHEN c.amount > 0 THEN k.lease_id ELSE d.lease_id END) <> c.lease_id))
ORDER BY p.id
--%
SELECT 'run_total', 'run ' || r.id || ': ' || COALESCE(c.calls, 0) || ' calls, ' || COALESCE(c.total, 0)
       || ' cents; sealed ' || r.sealed_calls || ' calls, ' || r.sealed_total || ' cents'
FROM leases_rentrun r
LEFT JOIN (SELECT c.run_id, COUNT(*) AS calls, SUM(c.amount) AS total, {call_digest} AS digest
           FROM leases_rentcall c GROUP BY c.run_id) c ON c.run_id = r.id
WHERE r.closed_at IS NOT NULL
    AND (COALESCE(r.sealed_calls, -1) <> COALESCE(c.calls, 0) OR COALESCE(r.sealed_total, 0) <> COALESCE(c.total, 0)
        OR COALESCE(r.sealed_digest, 0) <> COALESCE(c.digest, 0))
ORDER BY r.id
--%
SELECT 'call_run', 'call ' || c.id || ' of lease ' || c.lease_id
FROM leases_rentcall c LEFT JOIN leases_rentrun r ON r.id = c.run_id
LEFT JOIN leases_account t ON t.id = c.account_id
WHERE r.id IS NULL OR t.id IS NULL OR t.lease_id IS NULL OR t.lease_id <> c.lease_id ORDER BY c.id
--%
SELECT 'allocation_unposted', 'allocation ' || l.id || ' of movement ' || l.movement_id
FROM leases_allocation l
LEFT JOIN leases_posting p ON p.source = %(allocation)s AND p.source_id = l.id AND p.leg = 0
JOIN leases_account a ON a.id = l.account_id
-- A part of a suspense line put apart in suspense moves no money.
WHERE p.id IS NULL AND NOT (l.settles_id IS NOT NULL AND a.kind = %(suspense_account)s) ORDER BY l.id
--%
-- The last leg touches the account allocated; the first takes from the movement's bank account, or
-- from the suspense line settled; the second from the funds of the owner it went through.
SELECT 'allocation_posting', 'posting ' || p.id || ' of entry ' || p.entry_id
FROM leases_posting p
LEFT JOIN leases_allocation l ON l.id = p.source_id
LEFT JOIN leases_account a ON a.id = l.account_id
LEFT JOIN leases_account d ON d.id = p.debit_id
LEFT JOIN leases_account k ON k.id = p.credit_id
LEFT JOIN leases_movement m ON m.id = l.movement_id
LEFT JOIN leases_allocation s ON s.id = l.settles_id
LEFT JOIN leases_book b ON b.id = a.book_id
LEFT JOIN leases_posting o ON o.source = p.source AND o.source_id = p.source_id AND o.leg = 1
WHERE p.source = %(allocation)s AND (l.id IS NULL OR p.leg > 1 OR p.amount <> ABS(l.amount) OR p."on" <> l."on"
    OR (p.leg = CASE WHEN o.id IS NULL THEN 0 ELSE 1 END
        AND (CASE WHEN l.amount > 0 THEN p.credit_id ELSE p.debit_id END) <> l.account_id)
    OR (p.leg = 0 AND s.id IS NULL AND COALESCE(CASE WHEN l.amount > 0 THEN d.bank_id ELSE k.bank_id END, 0) <> m.bank_id)
    OR (p.leg = 0 AND s.id IS NOT NULL AND (CASE WHEN l.amount > 0 THEN p.debit_id ELSE p.credit_id END) <> s.account_id)
    OR (p.leg = 0 AND o.id IS NOT NULL
        AND ((CASE WHEN l.amount > 0 THEN k.kind ELSE d.kind END) <> %(held_account)s
            OR COALESCE(CASE WHEN l.amount > 0 THEN k.owner_id ELSE d.owner_id END, 0) <> COALESCE(b.owner_id, 0)))
    OR (p.leg = 1 AND (d.book_id <> a.book_id
        OR (CASE WHEN l.amount > 0 THEN d.kind ELSE k.kind END) NOT IN (%(funds_account)s, %(advance_account)s))))
ORDER BY p.id
--%
SELECT 'movement_total', 'movement ' || m.id || ': ' || COALESCE(l.total, 0) || ' of ' || m.amount || ' cents'
FROM leases_movement m
LEFT JOIN (SELECT movement_id, SUM(amount) AS total FROM leases_allocation WHERE settles_id IS NULL
           GROUP BY movement_id) l ON l.movement_id = m.id
WHERE m.amount <> COALESCE(l.total, 0) ORDER BY m.id
--%
SELECT 'statement_total', 'statement ' || s.id
FROM leases_statement s
LEFT JOIN (SELECT statement_id, COUNT(*) AS lines, SUM(amount) AS total FROM leases_movement
           GROUP BY statement_id) m ON m.statement_id = s.id
WHERE s.sealed_movements <> COALESCE(m.lines, 0) OR s.sealed_total <> COALESCE(m.total, 0)
    OR s.opening + s.sealed_total <> s.closing
ORDER BY s.id
--%
SELECT 'statement_chain', 'statement ' || s.id || ': opens with ' || s.opening || ' cents after ' || s.before
FROM (SELECT id, opening, LAG(closing) OVER (PARTITION BY bank_id ORDER BY id) AS before FROM leases_statement) s
WHERE s.opening <> s.before ORDER BY s.id
--%
-- What a bank account holds in the ledger is its last closing balance less its first opening balance.
SELECT 'bank_balance', 'bank account ' || b.id || ': ' || COALESCE(p.total, 0) || ' cents in the ledger, '
       || (f.closing - g.opening) || ' cents on its statements'
FROM leases_bankaccount b
JOIN (SELECT bank_id, MIN(id) AS first_id, MAX(id) AS last_id FROM leases_statement GROUP BY bank_id) s
    ON s.bank_id = b.id
JOIN leases_statement g ON g.id = s.first_id
JOIN leases_statement f ON f.id = s.last_id
LEFT JOIN (SELECT a.bank_id, SUM(v.signed) AS total FROM leases_account a
           JOIN leases_ledgerline v ON v.account_id = a.id
           WHERE a.kind = %(bank_account)s AND v.source = %(allocation)s GROUP BY a.bank_id) p ON p.bank_id = b.id
WHERE COALESCE(p.total, 0) <> f.closing - g.opening ORDER BY b.id
--%
SELECT 'opening_unposted', 'opening balance ' || o.id
FROM leases_openingbalance o
LEFT JOIN leases_posting p ON p.source = %(opening)s AND p.source_id = o.id AND p.leg = 0
WHERE p.id IS NULL ORDER BY o.id
--%
SELECT 'opening_posting', 'posting ' || p.id || ' of entry ' || p.entry_id
FROM leases_posting p LEFT JOIN leases_openingbalance o ON o.id = p.source_id
LEFT JOIN leases_account d ON d.id = p.debit_id
LEFT JOIN leases_account k ON k.id = p.credit_id
WHERE p.source = %(opening)s AND (o.id IS NULL OR p.leg > 1 OR p.amount <> ABS(o.amount) OR p."on" <> o."on"
    OR p.due <> COALESCE(o.month, o."on")
    OR (p.leg = 0 AND (CASE WHEN o.amount > 0 THEN p.debit_id ELSE p.credit_id END) <> o.account_id)
    OR (CASE WHEN p.leg = 0 AND o.amount < 0 THEN d.kind ELSE k.kind END) <> %(opening_account)s)
ORDER BY p.id
--%
SELECT 'operation_unposted', 'operation ' || o.id
FROM leases_operation o
LEFT JOIN leases_posting p ON p.source IN (%(operation)s, %(receipt)s) AND p.source_id = o.id AND p.leg = 0
LEFT JOIN leases_posting q ON q.source = p.source AND q.source_id = o.id AND q.leg = 1
WHERE p.id IS NULL OR (o.other_debit_id IS NOT NULL AND q.id IS NULL) ORDER BY o.id
--%
SELECT 'operation_posting', 'posting ' || p.id || ' of entry ' || p.entry_id
FROM leases_posting p LEFT JOIN leases_operation o ON o.id = p.source_id
WHERE p.source IN (%(operation)s, %(receipt)s) AND (o.id IS NULL OR p.leg > 1
    OR p.source <> CASE WHEN o.kind IN ({pays}) THEN %(receipt)s ELSE %(operation)s END
    OR p.entry_id <> o.entry_id OR p.amount <> o.amount OR p."on" <> o."on" OR p.due <> o.due
    OR p.debit_id <> CASE p.leg WHEN 0 THEN o.debit_id ELSE COALESCE(o.other_debit_id, 0) END
    OR p.credit_id <> CASE p.leg WHEN 0 THEN o.credit_id ELSE COALESCE(o.other_credit_id, 0) END)
ORDER BY p.id
--%
-- An undoing is the opposite of what it undoes; only an owner's funds may be replaced by an advance.
SELECT 'operation_undone', 'operation ' || u.id
FROM leases_operation u JOIN leases_operation o ON o.id = u.undoes_id
LEFT JOIN leases_account f ON f.id = u.other_credit_id
WHERE u.kind <> o.kind OR u.amount <> o.amount OR u.debit_id <> o.credit_id OR u.credit_id <> o.debit_id
    OR COALESCE(u.other_debit_id, 0) <> COALESCE(o.other_credit_id, 0)
    OR (COALESCE(u.other_credit_id, 0) <> COALESCE(o.other_debit_id, 0) AND f.kind <> %(advance_account)s)
ORDER BY u.id
--%
SELECT 'unknown_source', 'posting ' || p.id || ' of entry ' || p.entry_id
FROM leases_posting p WHERE p.source NOT IN (%(call)s, %(allocation)s, %(opening)s, %(operation)s, %(receipt)s) ORDER BY p.id
--%
SELECT 'across_books', 'posting ' || p.id || ' of entry ' || p.entry_id
FROM leases_posting p
LEFT JOIN leases_account d ON d.id = p.debit_id
LEFT JOIN leases_account c ON c.id = p.credit_id
WHERE d.id IS NULL OR c.id IS NULL OR d.book_id <> c.book_id ORDER BY p.id
--%
SELECT 'overdrawn', 'account ' || a.id || ' of book ' || a.book_id
FROM leases_account a JOIN leases_ledgerline v ON v.account_id = a.id
WHERE a.kind = %(funds_account)s GROUP BY a.id, a.book_id HAVING SUM(v.signed) < 0 ORDER BY a.id
--%
SELECT 'suspense', 'allocation ' || l.id
FROM leases_allocation l
JOIN (SELECT settles_id, SUM(amount) AS total FROM leases_allocation WHERE settles_id IS NOT NULL
      GROUP BY settles_id) s ON s.settles_id = l.id
WHERE ABS(s.total) > ABS(l.amount) OR s.total * l.amount < 0 ORDER BY l.id
