-- Open what is found, or refresh what is open already. A signal that a mediator handled stays closed
-- while nothing newer nor larger comes; a handled return speaks for the month it left unpaid too. A missed payment that becomes
-- partial keeps its reminder; a new signal goes to the lease's last mediator.
-- Uses signal_one_open_a_nature and the index on the signal's lease.
INSERT INTO arrears_signal (lease_id, nature, opened_on, since, latest, amount, monthly, why, mediator_id,
                            remind_on, handled_on, handled_by_id, closed_because, opened_in_id, seen_in_id)
{found}
SELECT f.lease_id, f.nature, DAY(%(on)s), f.since, f.latest, WHOLE(f.amount),
       COALESCE(NULLIF(GREATEST(0, f.rent - f.benefit), 0), f.rent), f.why{as_json},
       (SELECT s.mediator_id FROM arrears_signal s WHERE s.lease_id = f.lease_id AND s.mediator_id IS NOT NULL
        ORDER BY s.id DESC LIMIT 1),
       (SELECT s.remind_on FROM arrears_signal s WHERE s.lease_id = f.lease_id AND s.handled_on IS NULL
        AND s.nature IN ('missed', 'partial') AND f.nature IN ('missed', 'partial')
        ORDER BY s.id DESC LIMIT 1),
       NULL, NULL, '', %(run)s, %(run)s
FROM (
    SELECT x.lease_id, x.nature, x.since, x.latest, x.amount, x.why,
           COALESCE((SELECT SUM(t.amount) FROM leases_rentterm t WHERE t.lease_id = x.lease_id
                     AND t."start" <= DAY(%(on)s) AND (t."end" IS NULL OR t."end" > DAY(%(on)s))), 0) AS rent,
           COALESCE((SELECT SUM(b.amount) FROM leases_benefit b WHERE b.lease_id = x.lease_id
                     AND b.paid_to_landlord AND b."start" <= DAY(%(on)s)
                     AND (b."end" IS NULL OR b."end" > DAY(%(on)s))), 0) AS benefit
    FROM found x
) f
WHERE EXISTS (SELECT 1 FROM arrears_signal s WHERE s.lease_id = f.lease_id AND s.nature = f.nature
              AND s.handled_on IS NULL)
   OR NOT EXISTS (
        SELECT 1 FROM arrears_signal s
        WHERE s.lease_id = f.lease_id AND s.handled_by_id IS NOT NULL AND s.latest >= f.latest
          AND (s.nature = f.nature
               OR (s.nature IN ('missed', 'partial', 'rejected') AND f.nature IN ('missed', 'partial')))
          AND (s.amount >= f.amount OR f.nature IN ('late', 'rejected')))
ON CONFLICT (lease_id, nature) WHERE handled_on IS NULL DO UPDATE SET
    since = excluded.since, latest = excluded.latest, amount = excluded.amount,
    monthly = excluded.monthly, why = excluded.why, seen_in_id = excluded.seen_in_id
