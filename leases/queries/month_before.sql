-- What is on each tenant's account at a date, whatever its due date, in cents.
-- Uses account_once_a_lease, posting_debit, posting_credit. Parameters: on, low, high, tenant_account.
SELECT lease_id, SUM(signed) FROM (
    SELECT a.lease_id, p.amount AS signed
    FROM leases_account a JOIN leases_posting p ON p.debit_id = a.id
    WHERE a.kind = %(tenant_account)s AND a.lease_id BETWEEN %(low)s AND %(high)s AND p."on" <= DAY(%(on)s)
    UNION ALL
    SELECT a.lease_id, -p.amount
    FROM leases_account a JOIN leases_posting p ON p.credit_id = a.id
    WHERE a.kind = %(tenant_account)s AND a.lease_id BETWEEN %(low)s AND %(high)s AND p."on" <= DAY(%(on)s)
) line GROUP BY lease_id
