-- Each movement of a statement put to an account, by the rules of leases.matching.HOW in order;
-- what none of them finds goes to suspense. A tenant's account is that of the lease's latest call.
-- Uses: lease's payment_reference, lease_debit_mandate_once, payer's iban, rent_call_once.
WITH told AS MATERIALIZED (
    SELECT m.id, m.amount, m.booked, m.kind, w.month, w.previous,
           e.id AS debited, d.id AS mandated, r.id AS referred,
           CASE WHEN m.amount > 0 AND m.counterparty_iban <> ''
                     AND e.id IS NULL AND d.id IS NULL AND r.id IS NULL THEN
               -- Known for one lease only.
               (SELECT CASE COUNT(*) WHEN 1 THEN MAX(p.lease_id) END FROM leases_payeriban p
                WHERE p.iban = m.counterparty_iban)
           END AS payer
    FROM leases_movement m
    JOIN ({months}) w ON w.day = m.booked
    LEFT JOIN leases_lease e ON m.amount > 0 AND SUBSTR(m.end_to_end, 11, 1) = '-'
        AND e.payment_reference = SUBSTR(m.end_to_end, 1, 10)
    LEFT JOIN leases_lease d ON m.amount > 0 AND d.debit_mandate = m.debit_mandate
        AND NOT (d.debit_mandate = '')
    LEFT JOIN leases_lease r ON m.amount > 0 AND r.payment_reference = m.found_reference
    WHERE m.statement_id = %(statement)s AND NOT (m.kind = 'return' AND m.amount < 0)
), found AS MATERIALIZED (
    SELECT t.*,
           CASE WHEN t.payer IS NOT NULL AND (
                    -- The net call of the month or of the month before, or all that is owed.
                    t.amount IN (SELECT SUM(c.amount) FROM leases_rentcall c
                                 WHERE c.lease_id = t.payer AND c.month IN (t.month, t.previous)
                                 GROUP BY c.month)
                    OR t.amount = (SELECT COALESCE(SUM(g.amount), 0)
                                   FROM leases_account a JOIN leases_posting g ON g.debit_id = a.id
                                   WHERE a.lease_id = t.payer AND a.kind = %(tenant)s)
                                - (SELECT COALESCE(SUM(g.amount), 0)
                                   FROM leases_account a JOIN leases_posting g ON g.credit_id = a.id
                                   WHERE a.lease_id = t.payer AND a.kind = %(tenant)s))
                THEN t.payer END AS paying
    FROM told t
), placed AS MATERIALIZED (
    SELECT f.id, f.amount, f.booked, COALESCE(f.debited, f.mandated, f.referred, f.paying) AS lease_id,
           CASE WHEN f.debited IS NOT NULL THEN 'end_to_end'
                WHEN f.mandated IS NOT NULL THEN 'mandate'
                WHEN f.referred IS NOT NULL THEN 'reference'
                WHEN f.paying IS NOT NULL THEN 'iban'
                WHEN f.kind = 'fee' AND f.amount < 0 THEN 'fee'
                ELSE 'suspense' END AS how
    FROM found f
)
INSERT INTO leases_allocation (movement_id, account_id, lease_id, amount, "on", how, chosen, note)
SELECT x.id,
       CASE WHEN x.how = 'fee' THEN %(expense)s
            WHEN x.lease_id IS NULL THEN %(suspense)s
            ELSE COALESCE(
                (SELECT c.account_id FROM leases_rentcall c WHERE c.lease_id = x.lease_id
                     AND c.month IN (SELECT r.month FROM leases_rentrun r)
                 ORDER BY c.month DESC, c.item DESC, c.account_id DESC LIMIT 1),
                (SELECT MAX(a.id) FROM leases_account a WHERE a.lease_id = x.lease_id AND a.kind = %(tenant)s))
       END,
       x.lease_id, x.amount, x.booked, x.how, 1 = 0, ''
FROM placed x
--%
-- What comes back is told by our own references only; it is tied to the payment that it undoes, even
-- one of the same statement, so it is put after the others.
INSERT INTO leases_allocation (movement_id, account_id, lease_id, amount, "on", how, chosen, note, undoes_id)
SELECT x.id,
       CASE WHEN x.lease_id IS NULL THEN %(suspense)s
            ELSE COALESCE(u.account_id,
                (SELECT c.account_id FROM leases_rentcall c WHERE c.lease_id = x.lease_id
                     AND c.month IN (SELECT r.month FROM leases_rentrun r)
                 ORDER BY c.month DESC, c.item DESC, c.account_id DESC LIMIT 1),
                (SELECT MAX(a.id) FROM leases_account a WHERE a.lease_id = x.lease_id AND a.kind = %(tenant)s))
       END,
       x.lease_id, x.amount, x.booked, CASE WHEN x.lease_id IS NULL THEN 'suspense' ELSE 'return' END,
       1 = 0, '', u.id
FROM (
    SELECT m.id, m.amount, m.booked, COALESCE(e.id, d.id) AS lease_id,
           COALESCE(
               (SELECT l.id FROM leases_allocation l JOIN leases_movement o ON o.id = l.movement_id
                WHERE l.lease_id = COALESCE(e.id, d.id) AND l.amount = -m.amount AND o.booked <= m.booked
                    AND m.end_to_end <> '' AND o.end_to_end = m.end_to_end
                    AND NOT EXISTS (SELECT 1 FROM leases_allocation t WHERE t.undoes_id = l.id)
                ORDER BY l.id DESC LIMIT 1),
               (SELECT l.id FROM leases_allocation l JOIN leases_movement o ON o.id = l.movement_id
                WHERE l.lease_id = COALESCE(e.id, d.id) AND l.amount = -m.amount AND o.booked <= m.booked
                    AND o.kind = 'direct_debit'
                    AND NOT EXISTS (SELECT 1 FROM leases_allocation t WHERE t.undoes_id = l.id)
                ORDER BY l.id DESC LIMIT 1)) AS undone
    FROM leases_movement m
    LEFT JOIN leases_lease e ON SUBSTR(m.end_to_end, 11, 1) = '-'
        AND e.payment_reference = SUBSTR(m.end_to_end, 1, 10)
    LEFT JOIN leases_lease d ON d.debit_mandate = m.debit_mandate AND NOT (d.debit_mandate = '')
    WHERE m.statement_id = %(statement)s AND m.kind = 'return' AND m.amount < 0
) x
LEFT JOIN leases_allocation u ON u.id = x.undone
