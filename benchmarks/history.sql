-- One month more of the ledger, written after the first month that the product called itself.
-- Parameters: m (1 to …), month, due, calls, entries, leases, run, statement, statement_entry, paid,
-- aid_paid, month_end, opening and the kinds of account.
INSERT INTO leases_entry (id, label, recorded_at, lines, total)
SELECT id + %(m)s * %(entries)s, label, recorded_at, lines, total FROM leases_entry WHERE id <= %(entries)s
--%
INSERT INTO leases_rentrun (id, month, opened_at, closed_at, sealed_calls, sealed_total)
SELECT 1 + %(m)s, DAY(%(month)s), opened_at, closed_at, sealed_calls, sealed_total FROM leases_rentrun WHERE id = 1
--%
INSERT INTO leases_runpart (run_id, first_lease, last_lease, done_at, entry_id)
SELECT 1 + %(m)s, first_lease, last_lease, done_at, entry_id + %(m)s * %(entries)s FROM leases_runpart WHERE run_id = 1
--%
INSERT INTO leases_rentcall
    (id, run_id, lease_id, account_id, month, item, version, amount, monthly, days, month_days, due)
SELECT id + %(m)s * %(calls)s, 1 + %(m)s, lease_id, account_id, DAY(%(month)s), item, version, amount, monthly,
       days, month_days, DAY(%(due)s)
FROM leases_rentcall WHERE id <= %(calls)s ORDER BY id
--%
INSERT INTO leases_posting (entry_id, debit_id, credit_id, amount, "on", due, source, source_id, leg)
SELECT entry_id + %(m)s * %(entries)s, debit_id, credit_id, amount, DAY(%(month)s), DAY(%(due)s), source,
       source_id + %(m)s * %(calls)s, leg
FROM leases_posting WHERE source = %(call)s AND source_id <= %(calls)s ORDER BY source_id
