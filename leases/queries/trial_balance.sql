-- Each kind of account of a book over some days, in cents: what income and expense came to before
-- the year, what the account opens at, what was debited and credited. Parameters: book, start, end
-- (excluded), year. Each half reads the accounts of the book, then posting_debit or posting_credit.
SELECT kind, WHOLE(SUM(before)) AS before, WHOLE(SUM(opening)) AS opening,
       WHOLE(SUM(debit)) AS debit, WHOLE(SUM(credit)) AS credit
FROM (
    SELECT a.kind,
           SUM(CASE WHEN a.kind IN ({of_the_year}) AND p."on" < DAY(%(year)s) THEN p.amount ELSE 0 END) AS before,
           SUM(CASE WHEN p."on" < DAY(%(start)s)
               AND (a.kind NOT IN ({of_the_year}) OR p."on" >= DAY(%(year)s)) THEN p.amount ELSE 0 END) AS opening,
           SUM(CASE WHEN p."on" >= DAY(%(start)s) THEN p.amount ELSE 0 END) AS debit,
           0 AS credit
    FROM leases_account a JOIN leases_posting p ON p.debit_id = a.id
    WHERE a.book_id = %(book)s AND p."on" < DAY(%(end)s)
    GROUP BY a.kind
    UNION ALL
    SELECT a.kind,
           -SUM(CASE WHEN a.kind IN ({of_the_year}) AND p."on" < DAY(%(year)s) THEN p.amount ELSE 0 END),
           -SUM(CASE WHEN p."on" < DAY(%(start)s)
               AND (a.kind NOT IN ({of_the_year}) OR p."on" >= DAY(%(year)s)) THEN p.amount ELSE 0 END),
           0,
           SUM(CASE WHEN p."on" >= DAY(%(start)s) THEN p.amount ELSE 0 END)
    FROM leases_account a JOIN leases_posting p ON p.credit_id = a.id
    WHERE a.book_id = %(book)s AND p."on" < DAY(%(end)s)
    GROUP BY a.kind
) side
GROUP BY kind
