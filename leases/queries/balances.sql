-- What households owe that is due on a day, lease by lease, in cents.
-- Side by side, so that each half reads its own index: account_once_a_lease, posting_debit, posting_credit.
SELECT l.id,
       WHOLE((SELECT COALESCE(SUM(p.amount), 0) FROM leases_account a JOIN leases_posting p ON p.debit_id = a.id
        WHERE a.lease_id = l.id AND a.kind = %(tenant_account)s AND p."on" <= DAY(%(on)s) AND p.due <= DAY(%(on)s))
     - (SELECT COALESCE(SUM(p.amount), 0) FROM leases_account a JOIN leases_posting p ON p.credit_id = a.id
        WHERE a.lease_id = l.id AND a.kind = %(tenant_account)s AND p."on" <= DAY(%(on)s) AND p.due <= DAY(%(on)s)))
FROM leases_lease l WHERE l.id IN ({ids})
