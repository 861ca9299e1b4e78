-- Call what is due. A credit keeps the due date of its month; a back-charge falls due with this run.
{due}, dated AS (
    SELECT d.*, CASE w.billing WHEN 'arrears' THEN
               CASE WHEN d.amount < 0 THEN w.next_month ELSE DAY(%(next)s) END
           ELSE CASE WHEN d.amount < 0 THEN d.month ELSE DAY(%(month)s) END END AS first_day,
           w.due_day - 1 AS after
    FROM difference d
    JOIN work w ON w.lease_id = d.lease_id AND w.month = d.month
)
INSERT INTO leases_rentcall
    (run_id, lease_id, account_id, month, item, version, amount, monthly, days, month_days, due)
SELECT %(run)s, d.lease_id, a.id, d.month, d.item, d.version, d.amount, d.monthly, d.days, d.month_days,
       PLUS_DAYS(d.first_day, d.after)
FROM dated d
JOIN leases_account a ON a.lease_id = d.lease_id AND a.book_id = d.book_id AND a.kind = %(tenant_account)s
