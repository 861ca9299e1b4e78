SELECT SUBSTR(CAST(on_day AS text), 1, 7), COUNT(DISTINCT lease_id), SUM(new - old)
FROM decided WHERE reason = '' AND {chosen}
GROUP BY SUBSTR(CAST(on_day AS text), 1, 7)
ORDER BY 1
