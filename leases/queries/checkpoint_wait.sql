        UNION ALL
        SELECT lease_id, wait FROM leases_checkpointlease
        WHERE checkpoint_id = {checkpoint} AND wait <> 0 AND lease_id NOT IN (SELECT lease_id FROM touched)
