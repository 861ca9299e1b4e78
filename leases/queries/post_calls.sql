-- Each call of a run's part as a pair: tenant against the item's account, or the other way round.
-- Uses rent_call_run, account_once_a_lease for the benefit, account_once_a_book for the rest. An account
-- that is not there leaves a null, which the table refuses: no call goes unposted in silence.
WITH called AS MATERIALIZED (
    SELECT c.id, c.account_id, c.amount, c.due,
           CASE WHEN c.item = %(benefit)s THEN (
               SELECT b.id FROM leases_account b
               WHERE b.lease_id = c.lease_id AND b.kind = %(benefit_account)s AND b.book_id = t.book_id)
           ELSE (
               SELECT o.id FROM leases_account o
               WHERE o.book_id = t.book_id AND o.kind = CASE c.item {kinds} END
                   AND o.lease_id IS NULL AND o.owner_id IS NULL AND o.bank_id IS NULL)
           END AS other_id
    FROM leases_rentcall c JOIN leases_account t ON t.id = c.account_id
    WHERE c.run_id = %(run)s AND c.lease_id BETWEEN %(low)s AND %(high)s
)
INSERT INTO leases_posting (entry_id, debit_id, credit_id, amount, "on", due, source, source_id, leg)
SELECT %(entry)s, CASE WHEN amount > 0 THEN account_id ELSE other_id END,
       CASE WHEN amount < 0 THEN account_id ELSE other_id END,
       ABS(amount), DAY(%(on)s), due, %(source)s, id, 0
FROM called
