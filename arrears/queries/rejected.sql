-- Direct debits returned lately, or while the signal is open, on accounts that owe; what an earlier
-- signal told is not told again. Uses account_once_a_lease, posting_debit and posting_credit.
WITH returned AS (
    SELECT l.lease_id, MIN(l."on") AS since, MAX(l."on") AS latest, SUM(-l.amount) AS amount,
           COUNT(*) AS times, MAX(l.movement_id) AS movement_id
    FROM leases_allocation l
    LEFT JOIN arrears_signal s ON s.lease_id = l.lease_id AND s.nature = 'rejected' AND s.handled_on IS NULL
    WHERE l.how = 'return' AND l.lease_id IS NOT NULL AND l.amount < 0 AND l."on" <= DAY(%(on)s)
      AND l."on" >= LEAST(DAY(%(returned_since)s), COALESCE(s.since, DAY(%(returned_since)s)))
      AND NOT EXISTS (SELECT 1 FROM arrears_signal c WHERE c.lease_id = l.lease_id AND c.nature = 'rejected'
                      AND c.handled_on IS NOT NULL AND c.latest >= l."on")
    GROUP BY l.lease_id
), standing AS (
    SELECT r.lease_id, r.since, r.latest, r.amount, r.times, r.movement_id,
           COALESCE((SELECT SUM(p.amount) FROM leases_account a JOIN leases_posting p ON p.debit_id = a.id
                     WHERE a.lease_id = r.lease_id AND a.kind = %(tenant_account)s
                       AND p."on" <= DAY(%(on)s) AND p.due <= DAY(%(on)s)), 0)
         - COALESCE((SELECT SUM(p.amount) FROM leases_account a JOIN leases_posting p ON p.credit_id = a.id
                     WHERE a.lease_id = r.lease_id AND a.kind = %(tenant_account)s
                       AND p."on" <= DAY(%(on)s) AND p.due <= DAY(%(on)s)), 0) AS owed
    FROM returned r
), found AS (
    SELECT t.lease_id, 'rejected' AS nature, t.since, t.latest, LEAST(t.amount, t.owed) AS amount,
           '{{"code": "' || CASE WHEN m.return_code IN ({codes}) THEN m.return_code ELSE '' END
           || '", "times": ' || t.times || ', "movement": ' || t.movement_id || '}}' AS why
    FROM standing t JOIN leases_movement m ON m.id = t.movement_id
    WHERE t.owed > 0
)
