-- Call what is due. A credit keeps the due date of its month; a back-charge falls due with this run.
{due}, dated AS (
    SELECT d.*, l.due_day - 1 AS after,
           CASE WHEN l.billing = 'arrears' THEN
               CASE WHEN d.amount < 0 THEN PLUS_DAYS(d.month, d.month_days) ELSE DAY(%(next)s) END
           WHEN d.amount < 0 THEN d.month ELSE DAY(%(month)s) END AS first_day
    FROM difference d JOIN leases_lease l ON l.id = d.lease_id
)
INSERT INTO leases_rentcall
    (run_id, lease_id, account_id, month, item, version, amount, monthly, days, month_days, due)
SELECT %(run)s, d.lease_id, a.id, d.month, d.item, d.version, d.amount, d.monthly, d.days, d.month_days,
       PLUS_DAYS(d.first_day, d.after)
FROM dated d
JOIN leases_account a ON a.lease_id = d.lease_id AND a.book_id = d.book_id AND a.kind = %(tenant_account)s
