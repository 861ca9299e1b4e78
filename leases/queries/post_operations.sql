-- Each operation of an entry as a pair, and as a second one where it passes from one book to another.
-- Uses the index of the entry.
INSERT INTO leases_posting (entry_id, debit_id, credit_id, amount, "on", due, source, source_id, leg)
SELECT o.entry_id, o.debit_id, o.credit_id, o.amount, o."on", o.due,
       CASE WHEN o.kind IN ({pays}) THEN %(receipt)s ELSE %(operation)s END, o.id, 0
FROM leases_operation o WHERE o.entry_id = %(entry)s ORDER BY o.id
--%
INSERT INTO leases_posting (entry_id, debit_id, credit_id, amount, "on", due, source, source_id, leg)
SELECT o.entry_id, o.other_debit_id, o.other_credit_id, o.amount, o."on", o.due,
       CASE WHEN o.kind IN ({pays}) THEN %(receipt)s ELSE %(operation)s END, o.id, 1
FROM leases_operation o WHERE o.entry_id = %(entry)s AND o.other_debit_id IS NOT NULL ORDER BY o.id
