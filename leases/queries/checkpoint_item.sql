, item AS (
    SELECT lease_id, due, amount, called FROM fresh_item
    UNION ALL
    SELECT lease_id, due, amount, called FROM leases_checkpointitem
    WHERE checkpoint_id = {checkpoint} AND amount > 0 AND lease_id NOT IN (SELECT lease_id FROM touched)
)
