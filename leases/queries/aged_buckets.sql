, bucket AS (
    SELECT lease_id, due, amount, DAYS(due, %(on)s) AS days FROM item
)
SELECT lease_id, WHOLE(SUM(not_due)) AS not_due, WHOLE(SUM(d0_30)) AS d0_30, WHOLE(SUM(d31_60)) AS d31_60,
       WHOLE(SUM(d61_90)) AS d61_90, WHOLE(SUM(over_90)) AS over_90, MIN(oldest_due) AS oldest_due,
       WHOLE(SUM(benefit_wait)) AS benefit_wait
FROM (
    SELECT lease_id,
           CASE WHEN days < 0 THEN amount ELSE 0 END AS not_due,
           CASE WHEN days BETWEEN 0 AND 30 THEN amount ELSE 0 END AS d0_30,
           CASE WHEN days BETWEEN 31 AND 60 THEN amount ELSE 0 END AS d31_60,
           CASE WHEN days BETWEEN 61 AND 90 THEN amount ELSE 0 END AS d61_90,
           CASE WHEN days > 90 THEN amount ELSE 0 END AS over_90,
           CASE WHEN days >= 0 THEN due END AS oldest_due, 0 AS benefit_wait
    FROM bucket
    UNION ALL
    SELECT lease_id, 0, 0, 0, 0, 0, NULL, SUM(signed) FROM (
        SELECT a.lease_id, p.amount AS signed
        FROM leases_account a JOIN leases_posting p ON p.debit_id = a.id
        WHERE a.kind = %(benefit_account)s AND p."on" <= DAY(%(on)s) {only}
        UNION ALL
        SELECT a.lease_id, -p.amount
        FROM leases_account a JOIN leases_posting p ON p.credit_id = a.id
        WHERE a.kind = %(benefit_account)s AND p."on" <= DAY(%(on)s) {only}
        {kept}
    ) expected GROUP BY lease_id
) everything
GROUP BY lease_id
HAVING SUM(not_due + d0_30 + d31_60 + d61_90 + over_90) > 0 OR SUM(benefit_wait) <> 0
