UPDATE leases_monthtoreview SET run_id = %(run)s
WHERE run_id IS NULL AND lease_id BETWEEN %(low)s AND %(high)s AND month < DAY(%(month)s)
    AND lease_id NOT IN (SELECT x.lease_id FROM leases_runexception x WHERE x.run_id = %(run)s AND x.blocking)
