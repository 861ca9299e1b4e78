-- What each lease was to have of housing benefit for a month and what the payer paid for it, in cents.
-- later: paid in a month after that in which it was due (back-payment). Uses rent_call_once, allocation_on,
-- list_detail_month, benefit_lease_start. Parameters: month, next, since, benefit, benefit_account, late_apl, late_al.
SELECT t.lease_id, COALESCE(MAX(b.payer), MAX(f.payer)), COALESCE(MAX(b.kind), MAX(f.kind)),
       COALESCE(MAX(b.beneficiary_number), MAX(f.beneficiary_number)),
       WHOLE(SUM(t.expected)), WHOLE(SUM(t.paid)),
       WHOLE(SUM(CASE WHEN t."on" >= CASE WHEN COALESCE(b.kind, f.kind) = 'al' THEN DAY(%(late_al)s)
                                          ELSE DAY(%(late_apl)s) END THEN t.paid ELSE 0 END)),
       WHOLE(SUM(t.recall)), WHOLE(SUM(t.recovery))
FROM (
    SELECT c.lease_id, -c.amount AS expected, 0 AS paid, NULL AS "on", 0 AS recall, 0 AS recovery
    FROM leases_rentcall c WHERE c.month = DAY(%(month)s) AND c.item = %(benefit)s
    UNION ALL
    SELECT l.lease_id, 0, l.amount, l."on", 0, 0
    FROM leases_allocation l JOIN leases_account a ON a.id = l.account_id AND a.kind = %(benefit_account)s
    -- What is taken back says no month of its own.
    LEFT JOIN leases_allocation u ON u.id = l.undoes_id
    WHERE l."on" >= DAY(%(since)s) AND l.lease_id IS NOT NULL
        AND (COALESCE(l.month, u.month) = DAY(%(month)s)
             OR COALESCE(l.month, u.month) IS NULL AND l."on" >= DAY(%(month)s) AND l."on" < DAY(%(next)s))
    UNION ALL
    SELECT d.lease_id, 0, 0, NULL, d.recall, d.recovery FROM leases_listdetail d WHERE d.month = DAY(%(month)s)
) t
LEFT JOIN leases_benefit b ON b.lease_id = t.lease_id AND b."start" <= DAY(%(month)s)
    AND (b."end" IS NULL OR b."end" > DAY(%(month)s))
LEFT JOIN leases_benefit f ON b.id IS NULL AND f.lease_id = t.lease_id AND f."start" = (
    SELECT MAX(o."start") FROM leases_benefit o WHERE o.lease_id = t.lease_id)
GROUP BY t.lease_id
ORDER BY t.lease_id
