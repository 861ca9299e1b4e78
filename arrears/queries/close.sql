-- What the last flagging no longer saw closes by itself. Uses signal_open and signal_one_open_a_nature.
UPDATE arrears_signal SET handled_on = DAY(%(on)s), closed_because =
    CASE nature
        WHEN 'benefit_stopped' THEN 'resumed'
        WHEN 'late' THEN 'on_time'
        WHEN 'rejected' THEN 'paid'
        ELSE CASE WHEN EXISTS (
            SELECT 1 FROM arrears_signal s WHERE s.lease_id = arrears_signal.lease_id
              AND s.seen_in_id = %(run)s AND s.nature IN ('missed', 'partial')) THEN 'changed' ELSE 'paid' END
    END
WHERE handled_on IS NULL AND seen_in_id < %(run)s
