SELECT lease_id, rule, on_day, effect, COALESCE(owner_kind, ''), letter, item, old,
       CASE reason WHEN '' THEN new END, series, index_year, quarter, index_new, index_old, reason
FROM decided WHERE {chosen}
ORDER BY reason, lease_id, item
LIMIT %(size)s OFFSET %(skip)s
