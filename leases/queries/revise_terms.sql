-- The terms of what a part has revised: the one that runs ends the day before, the new one starts.
UPDATE leases_rentterm AS t SET "end" = v.effect
FROM leases_revision v
WHERE v.run_id = %(run)s AND v.lease_id BETWEEN %(low)s AND %(high)s
    AND t.lease_id = v.lease_id AND t.item = v.item AND t."start" < v.effect
    AND (t."end" IS NULL OR t."end" > v.effect)
--%
INSERT INTO leases_rentterm (lease_id, item, amount, "start", "end")
SELECT v.lease_id, v.item, v.new, v.effect, v."until"
FROM leases_revision v
WHERE v.run_id = %(run)s AND v.lease_id BETWEEN %(low)s AND %(high)s
