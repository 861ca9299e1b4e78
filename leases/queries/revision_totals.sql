SELECT COALESCE(owner_kind, '') AS owner_kind, rule, reason, COUNT(DISTINCT lease_id), SUM(old), SUM(new)
FROM decided WHERE {chosen}
GROUP BY COALESCE(owner_kind, ''), rule, reason
ORDER BY 1, 2, 3
