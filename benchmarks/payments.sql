-- What came in during a month: each household's transfer (92 in 100 in full, 5 half, 3 nothing) and one
-- transfer of the housing benefit for all. A payment into a mandant's book has a leg in each book.
-- Parameters: m (0 to …), month, paid_on, aid_paid_on, month_end, leases, entry, opening, kinds.
INSERT INTO leases_entry (id, label, recorded_at) VALUES (%(entry)s, 'Statement', %(now)s)
--%
INSERT INTO leases_statement (id, bank_id, number, "start", "end", opening, closing, file_name, file_hash,
                              imported_at, entry_id, sealed_movements, sealed_total)
VALUES (1 + %(m)s, 1, %(number)s, DAY(%(month)s), DAY(%(month_end)s), %(opening)s, %(opening)s, 'history.xml',
        %(number)s, %(now)s, %(entry)s, 0, 0)
--%
INSERT INTO leases_movement
    (id, statement_id, bank_id, line, booked, amount, kind, label, end_to_end, debit_mandate, found_reference,
     remittance, counterparty, counterparty_iban, return_code, bank_reference, fingerprint, occurrence)
SELECT %(m)s * (%(leases)s + 1) + l.id, 1 + %(m)s, 1, l.id, DAY(%(paid_on)s),
       CASE WHEN (l.id * 7919 + %(m)s * 104729) %% 100 < 8 THEN c.net / 2 ELSE c.net END, 'credit_transfer',
       'VIR NAME' || l.id || ' ' || l.payment_reference, '', '', l.payment_reference, 'LOYER ' || l.payment_reference,
       'NAME' || l.id, i.iban, '', 'B' || %(m)s || '-' || l.id, 'f' || %(m)s || '-' || l.id, 1
FROM leases_lease l
JOIN leases_payeriban i ON i.lease_id = l.id
JOIN (SELECT lease_id, CAST(SUM(amount) AS bigint) AS net FROM leases_rentcall WHERE id <= %(calls)s GROUP BY lease_id) c ON c.lease_id = l.id
WHERE (l.id * 7919 + %(m)s * 104729) %% 100 >= 3
ORDER BY l.id
--%
INSERT INTO leases_movement
    (id, statement_id, bank_id, line, booked, amount, kind, label, end_to_end, debit_mandate, found_reference,
     remittance, counterparty, counterparty_iban, return_code, bank_reference, fingerprint, occurrence)
SELECT (%(m)s + 1) * (%(leases)s + 1), 1 + %(m)s, 1, %(leases)s + 1, DAY(%(aid_paid_on)s), SUM(amount), 'credit_transfer',
       'VIR CAF DU NORD', '', '', '', '', 'CAF DU NORD', '', '', 'B' || %(m)s || '-0', 'f' || %(m)s || '-0', 1
FROM leases_benefit
--%
INSERT INTO leases_allocation (id, movement_id, account_id, lease_id, amount, "on", how, chosen, note)
SELECT %(m)s * 2 * %(leases)s + m.line, m.id, a.id, m.line, m.amount, m.booked, 'reference', FALSE, ''
FROM leases_movement m JOIN leases_account a ON a.lease_id = m.line AND a.kind = %(tenant_account)s
WHERE m.statement_id = 1 + %(m)s AND m.line <= %(leases)s ORDER BY m.id
--%
INSERT INTO leases_allocation (id, movement_id, account_id, lease_id, amount, "on", how, month, chosen, note)
SELECT (%(m)s * 2 + 1) * %(leases)s + b.lease_id, m.id, a.id, b.lease_id, b.amount, m.booked, 'list', DAY(%(month)s), FALSE, ''
FROM leases_movement m CROSS JOIN leases_benefit b
JOIN leases_account a ON a.lease_id = b.lease_id AND a.kind = %(benefit_account)s
WHERE m.id = (%(m)s + 1) * (%(leases)s + 1) ORDER BY b.lease_id
--%
INSERT INTO leases_posting (entry_id, debit_id, credit_id, amount, "on", due, source, source_id, leg)
SELECT %(entry)s, CASE k.leg WHEN 0 THEN d.id ELSE f.id END,
       CASE WHEN k.leg = 0 AND a.book_id <> 1 THEN h.id ELSE a.id END, l.amount, l."on", l."on", %(allocation)s, l.id, k.leg
FROM leases_allocation l
JOIN leases_account a ON a.id = l.account_id
JOIN leases_account d ON d.kind = %(bank)s AND d.bank_id = 1
LEFT JOIN leases_account h ON h.book_id = 1 AND h.kind = %(held_for)s AND h.owner_id = a.book_id
LEFT JOIN leases_account f ON f.book_id = a.book_id AND f.kind = %(funds)s AND f.owner_id IS NULL AND f.lease_id IS NULL
    AND f.bank_id IS NULL
JOIN (SELECT 0 AS leg UNION ALL SELECT 1) k ON k.leg = 0 OR a.book_id <> 1
WHERE l.id > %(m)s * 2 * %(leases)s AND l.id <= (%(m)s + 1) * 2 * %(leases)s ORDER BY l.id, k.leg
--%
UPDATE leases_statement SET
    sealed_movements = (SELECT COUNT(*) FROM leases_movement WHERE statement_id = 1 + %(m)s),
    sealed_total = (SELECT SUM(amount) FROM leases_movement WHERE statement_id = 1 + %(m)s),
    closing = opening + (SELECT SUM(amount) FROM leases_movement WHERE statement_id = 1 + %(m)s)
WHERE id = 1 + %(m)s
--%
UPDATE leases_entry SET
    lines = (SELECT COUNT(*) FROM leases_posting WHERE entry_id = %(entry)s),
    total = (SELECT SUM(amount) FROM leases_posting WHERE entry_id = %(entry)s)
WHERE id = %(entry)s
