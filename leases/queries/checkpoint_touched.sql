-- Leases that the checkpoint cannot tell of: posted to since, or with a posting whose date has come;
-- and those of a payer who chose a month. Uses the posting's id, allocation_chosen, checkpoint_once_a_lease.
WITH touched AS MATERIALIZED (
    SELECT a.lease_id FROM leases_account a
    WHERE a.lease_id IS NOT NULL AND a.id IN (
        SELECT p.debit_id FROM leases_posting p WHERE p.id > {posting}
        UNION ALL
        SELECT p.credit_id FROM leases_posting p WHERE p.id > {posting})
    UNION
    SELECT lease_id FROM leases_allocation WHERE chosen AND lease_id IS NOT NULL
    UNION
    SELECT lease_id FROM leases_checkpointlease WHERE checkpoint_id = {checkpoint} AND next_on <= DAY(%(on)s)
),
