INSERT INTO leases_revision (run_id, lease_id, item, "on", version, rule, old, new, effect, "until", series,
                             index_year, quarter, index_old, index_new, points)
SELECT %(run)s, lease_id, item, on_day,
       1 + (SELECT COUNT(*) FROM leases_revision v WHERE v.lease_id = d.lease_id AND v.item = d.item
            AND v."on" = d.on_day),
       rule, old, new, effect, term_end, CASE rule WHEN 'REV_L89' THEN series ELSE '' END,
       CASE rule WHEN 'REV_L89' THEN index_year END, CASE rule WHEN 'REV_L89' THEN quarter END,
       index_old, index_new, CASE rule WHEN 'REV_CONV' THEN d.points END
FROM decided d WHERE reason = '' AND {chosen}
