-- The ledger: nothing changed, nothing deleted, no pair across books, nothing under a sealed entry.
CREATE TRIGGER posting_no_update BEFORE UPDATE ON leases_posting
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER posting_no_delete BEFORE DELETE ON leases_posting
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER rentcall_no_update BEFORE UPDATE ON leases_rentcall
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER rentcall_no_delete BEFORE DELETE ON leases_rentcall
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER allocation_no_update BEFORE UPDATE ON leases_allocation
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER allocation_no_delete BEFORE DELETE ON leases_allocation
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER openingbalance_no_update BEFORE UPDATE ON leases_openingbalance
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER openingbalance_no_delete BEFORE DELETE ON leases_openingbalance
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER operation_no_update BEFORE UPDATE ON leases_operation
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER operation_no_delete BEFORE DELETE ON leases_operation
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER movement_no_update BEFORE UPDATE ON leases_movement
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER movement_no_delete BEFORE DELETE ON leases_movement
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER statement_no_update BEFORE UPDATE ON leases_statement
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER statement_no_delete BEFORE DELETE ON leases_statement
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER account_no_update BEFORE UPDATE ON leases_account
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER account_no_delete BEFORE DELETE ON leases_account
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER book_no_update BEFORE UPDATE ON leases_book
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER book_no_delete BEFORE DELETE ON leases_book
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER entry_no_delete BEFORE DELETE ON leases_entry
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER entry_sealed_once BEFORE UPDATE ON leases_entry
WHEN OLD.lines IS NOT NULL OR NEW.lines IS NULL OR NEW.id <> OLD.id OR NEW.label <> OLD.label
    OR NEW.recorded_at <> OLD.recorded_at
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER rentrun_no_delete BEFORE DELETE ON leases_rentrun
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER rentrun_sealed_once BEFORE UPDATE ON leases_rentrun
WHEN OLD.closed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.month <> OLD.month
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
-- INSERT OR REPLACE deletes what is in its way without a word to the triggers of DELETE: whatever a
-- new line would replace is looked for first. The code is the name of the constraint it would break.
-- One trigger and one statement: each more costs a rent run as much as a lookup.
CREATE TRIGGER posting_guard BEFORE INSERT ON leases_posting
BEGIN
    SELECT CASE
        WHEN EXISTS (SELECT 1 FROM leases_posting p WHERE p.id = NEW.id)
            THEN RAISE(ABORT, 'posting_replaces')
        WHEN EXISTS (SELECT 1 FROM leases_posting p
                     WHERE p.source = NEW.source AND p.source_id = NEW.source_id AND p.leg = NEW.leg)
            THEN RAISE(ABORT, 'posting_once_a_source')
        WHEN NOT EXISTS (SELECT 1 FROM leases_entry e WHERE e.id = NEW.entry_id AND e.lines IS NULL)
            THEN RAISE(ABORT, 'entry_sealed')
        WHEN NOT EXISTS (SELECT 1 FROM leases_account d JOIN leases_account c ON c.id = NEW.credit_id
                         WHERE d.id = NEW.debit_id AND d.book_id = c.book_id)
            THEN RAISE(ABORT, 'posting_across_books')
        -- No mandant's money is spent twice: what is held for an owner (kind 6) never goes below zero.
        WHEN (SELECT kind FROM leases_account WHERE id = NEW.credit_id) = 6
            AND (SELECT COALESCE(SUM(amount), 0) FROM leases_posting WHERE debit_id = NEW.credit_id)
            < NEW.amount
            + (SELECT COALESCE(SUM(amount), 0) FROM leases_posting WHERE credit_id = NEW.credit_id)
            THEN RAISE(ABORT, 'mandant_overdrawn')
    END;
END
--%
CREATE TRIGGER rentcall_no_replace BEFORE INSERT ON leases_rentcall
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_rentcall c WHERE c.id = NEW.id);
    SELECT RAISE(ABORT, 'rent_call_once') WHERE EXISTS (
        SELECT 1 FROM leases_rentcall c
        WHERE c.lease_id = NEW.lease_id AND c.month = NEW.month AND c.item = NEW.item
            AND c.account_id = NEW.account_id AND c.version = NEW.version);
END
--%
CREATE TRIGGER allocation_no_replace BEFORE INSERT ON leases_allocation
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_allocation l WHERE l.id = NEW.id);
END
--%
CREATE TRIGGER openingbalance_no_replace BEFORE INSERT ON leases_openingbalance
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (
        SELECT 1 FROM leases_openingbalance o WHERE o.id = NEW.id);
    SELECT RAISE(ABORT, 'opening_balance_once') WHERE EXISTS (
        SELECT 1 FROM leases_openingbalance o WHERE o.account_id = NEW.account_id AND o.month IS NEW.month);
END
--%
CREATE TRIGGER operation_no_replace BEFORE INSERT ON leases_operation
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (
        SELECT 1 FROM leases_operation o WHERE o.id = NEW.id OR o.undoes_id = NEW.undoes_id);
    SELECT RAISE(ABORT, 'operation_once') WHERE EXISTS (
        SELECT 1 FROM leases_operation o WHERE o.kind = NEW.kind AND o.key = NEW.key);
END
--%
CREATE TRIGGER movement_no_replace BEFORE INSERT ON leases_movement
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_movement m WHERE m.id = NEW.id);
    SELECT RAISE(ABORT, 'movement_once') WHERE EXISTS (
        SELECT 1 FROM leases_movement m
        WHERE m.bank_id = NEW.bank_id AND m.booked = NEW.booked AND m.fingerprint = NEW.fingerprint
            AND m.occurrence = NEW.occurrence);
END
--%
CREATE TRIGGER statement_no_replace BEFORE INSERT ON leases_statement
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (
        SELECT 1 FROM leases_statement s WHERE s.id = NEW.id OR s.entry_id = NEW.entry_id);
    SELECT RAISE(ABORT, 'statement_once') WHERE EXISTS (
        SELECT 1 FROM leases_statement s
        WHERE s.bank_id = NEW.bank_id AND s.file_hash = NEW.file_hash AND s."start" = NEW."start"
            AND s."end" = NEW."end" AND s.number = NEW.number);
END
--%
CREATE TRIGGER account_no_replace BEFORE INSERT ON leases_account
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_account a WHERE a.id = NEW.id);
    SELECT RAISE(ABORT, 'account_once_a_lease') WHERE EXISTS (
        SELECT 1 FROM leases_account a
        WHERE a.lease_id = NEW.lease_id AND a.kind = NEW.kind AND a.book_id = NEW.book_id);
    SELECT RAISE(ABORT, 'account_once_an_owner') WHERE EXISTS (
        SELECT 1 FROM leases_account a
        WHERE a.owner_id = NEW.owner_id AND a.kind = NEW.kind AND a.book_id = NEW.book_id);
    SELECT RAISE(ABORT, 'account_once_a_bank_account') WHERE EXISTS (
        SELECT 1 FROM leases_account a WHERE a.bank_id = NEW.bank_id AND a.kind = NEW.kind);
    SELECT RAISE(ABORT, 'account_once_a_book')
    WHERE NEW.lease_id IS NULL AND NEW.owner_id IS NULL AND NEW.bank_id IS NULL AND EXISTS (
        SELECT 1 FROM leases_account a
        WHERE a.book_id = NEW.book_id AND a.kind = NEW.kind
            AND a.lease_id IS NULL AND a.owner_id IS NULL AND a.bank_id IS NULL);
END
--%
CREATE TRIGGER book_no_replace BEFORE INSERT ON leases_book
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (
        SELECT 1 FROM leases_book b WHERE b.id = NEW.id OR b.owner_id IS NEW.owner_id);
END
--%
CREATE TRIGGER entry_no_replace BEFORE INSERT ON leases_entry
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_entry e WHERE e.id = NEW.id);
END
--%
CREATE TRIGGER rentrun_no_replace BEFORE INSERT ON leases_rentrun
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_rentrun r WHERE r.id = NEW.id);
    SELECT RAISE(ABORT, 'rent_run_one_open_a_month') WHERE NEW.closed_at IS NULL AND EXISTS (
        SELECT 1 FROM leases_rentrun r WHERE r.month = NEW.month AND r.closed_at IS NULL);
END
--%
-- The association has one book, which no owner's name makes unique.
CREATE UNIQUE INDEX book_one_of_the_association ON leases_book ((owner_id IS NULL)) WHERE owner_id IS NULL
--%
-- Lines as accountants read them: one account, a signed amount (debit positive).
CREATE VIEW leases_ledgerline AS
    SELECT debit_id AS account_id, amount AS signed, "on", due, source, source_id, leg, entry_id, id AS posting_id, credit_id AS other_id
    FROM leases_posting
    UNION ALL
    SELECT credit_id, -amount, "on", due, source, source_id, leg, entry_id, id, debit_id
    FROM leases_posting
