-- A movement that carries the reference of one of our payments to owners leaves suspense at once: to
-- what the payment was for, or back to it where the bank returned it. Runs after match.sql, before the
-- statement is posted. Our own transfer from one bank account to another is known on both. A bank that
-- tells no end-to-end reference may write it in the label. Uses: payout_end_to_end, allocation_payout.
INSERT INTO leases_allocation (movement_id, account_id, amount, "on", how, chosen, note, settles_id)
SELECT s.movement_id,
       CASE WHEN b.bank_id = m.bank_id THEN y.account_id ELSE y.other_account_id END,
       s.amount, s."on", 'payout', 1 = 0, y.end_to_end, s.id
FROM leases_movement m
JOIN leases_allocation s ON s.movement_id = m.id AND s.account_id = %(suspense)s
JOIN leases_payout y ON y.amount = ABS(m.amount)
    AND (y.end_to_end = m.end_to_end
         OR (m.end_to_end = '' AND (m.label || ' ' || m.remittance) LIKE '%%' || y.end_to_end || '%%'))
JOIN leases_payoutbatch b ON b.id = y.batch_id AND b.withdrawn_at IS NULL
WHERE m.statement_id = %(statement)s
    AND (b.bank_id = m.bank_id OR (m.amount > 0 AND y.other_account_id IS NOT NULL))
    -- Debited once, returned once: a second of either waits for somebody.
    AND NOT EXISTS (
        SELECT 1 FROM leases_allocation k JOIN leases_movement n ON n.id = k.movement_id
        WHERE k.how = 'payout' AND k.note = y.end_to_end AND n.bank_id = m.bank_id
            AND (k.amount > 0) = (m.amount > 0))
    AND NOT EXISTS (
        SELECT 1 FROM leases_movement n
        WHERE n.statement_id = m.statement_id AND n.id < m.id AND n.end_to_end = m.end_to_end
            AND n.amount = m.amount AND m.end_to_end <> '')
