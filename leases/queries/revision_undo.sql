-- Undo revisions chosen: a line that says so, the new term goes, the term before runs on as it did.
-- Only where the two terms still stand as the revision left them, and nothing is recorded after.
INSERT INTO leases_revision (run_id, lease_id, item, "on", version, rule, old, new, effect, "until", series,
                             index_year, quarter, index_old, index_new, points, undoes_id)
SELECT %(run)s, v.lease_id, v.item, v."on",
       1 + (SELECT COUNT(*) FROM leases_revision w WHERE w.lease_id = v.lease_id AND w.item = v.item
            AND w."on" = v."on"),
       v.rule, v.new, v.old, v.effect, v."until", v.series, v.index_year, v.quarter, v.index_old,
       v.index_new, v.points, v.id
FROM leases_revision v
JOIN leases_rentterm t ON t.lease_id = v.lease_id AND t.item = v.item AND t."start" = v.effect
    AND t.amount = v.new AND (t."end" = v."until" OR (t."end" IS NULL AND v."until" IS NULL))
JOIN leases_rentterm b ON b.lease_id = v.lease_id AND b.item = v.item AND b."end" = v.effect
    AND b.amount = v.old
WHERE {chosen} AND v.undoes_id IS NULL AND v.lease_id BETWEEN %(low)s AND %(high)s
    AND NOT EXISTS (SELECT 1 FROM leases_revision u WHERE u.undoes_id = v.id)
    AND NOT EXISTS (SELECT 1 FROM leases_rentterm z WHERE z.lease_id = v.lease_id AND z.item = v.item
                    AND z."start" > v.effect)
--%
DELETE FROM leases_rentterm
WHERE EXISTS (SELECT 1 FROM leases_revision v WHERE v.run_id = %(run)s
              AND v.lease_id BETWEEN %(low)s AND %(high)s AND v.lease_id = leases_rentterm.lease_id
              AND v.item = leases_rentterm.item AND v.effect = leases_rentterm."start")
--%
UPDATE leases_rentterm AS t SET "end" = v."until"
FROM leases_revision v
WHERE v.run_id = %(run)s AND v.lease_id BETWEEN %(low)s AND %(high)s
    AND t.lease_id = v.lease_id AND t.item = v.item AND t."end" = v.effect
