-- The terms that change: the one that runs ends the day before, the new one starts; or is written over
-- where it starts on that very day.
UPDATE leases_rentterm SET amount = (
    SELECT c.proposed FROM charge_proposal c WHERE c.term_id = leases_rentterm.id)
WHERE id IN (SELECT c.term_id FROM charge_proposal c WHERE c.term_start = DAY(%(since)s))
--%
UPDATE leases_rentterm SET "end" = DAY(%(since)s)
WHERE id IN (SELECT c.term_id FROM charge_proposal c WHERE c.term_start < DAY(%(since)s))
--%
INSERT INTO leases_rentterm (lease_id, item, amount, "start", "end")
SELECT c.lease_id, %(charges)s, c.proposed, DAY(%(since)s), c.term_end
FROM charge_proposal c WHERE c.term_start < DAY(%(since)s) ORDER BY c.lease_id
