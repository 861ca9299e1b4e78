-- The ledger: nothing changed, nothing deleted, no pair across books, nothing under a sealed entry.
CREATE OR REPLACE FUNCTION ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'append_only' USING ERRCODE = '23000';
END $$
--%
CREATE TRIGGER posting_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_posting
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE TRIGGER rentcall_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_rentcall
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE TRIGGER allocation_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_allocation
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE TRIGGER openingbalance_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_openingbalance
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE TRIGGER operation_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_operation
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE TRIGGER movement_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_movement
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE TRIGGER statement_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_statement
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE TRIGGER account_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE TRIGGER book_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_book
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE TRIGGER entry_no_delete BEFORE DELETE OR TRUNCATE ON leases_entry
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE OR REPLACE FUNCTION entry_sealed_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.lines IS NOT NULL OR NEW.lines IS NULL OR NEW.id <> OLD.id OR NEW.label <> OLD.label
       OR NEW.recorded_at <> OLD.recorded_at THEN
        RAISE EXCEPTION 'append_only' USING ERRCODE = '23000';
    END IF;
    RETURN NEW;
END $$
--%
CREATE TRIGGER entry_sealed_once BEFORE UPDATE ON leases_entry
    FOR EACH ROW EXECUTE FUNCTION entry_sealed_once()
--%
CREATE TRIGGER rentrun_no_delete BEFORE DELETE OR TRUNCATE ON leases_rentrun
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE OR REPLACE FUNCTION rentrun_sealed_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.closed_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.month <> OLD.month THEN
        RAISE EXCEPTION 'append_only' USING ERRCODE = '23000';
    END IF;
    RETURN NEW;
END $$
--%
CREATE TRIGGER rentrun_sealed_once BEFORE UPDATE ON leases_rentrun
    FOR EACH ROW EXECUTE FUNCTION rentrun_sealed_once()
--%
CREATE OR REPLACE FUNCTION posting_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    the_entries bigint[];
    the_funds bigint[];
BEGIN
    -- Once a statement, whatever its size: both accounts exist and are of one book.
    IF EXISTS (SELECT 1 FROM added p
               LEFT JOIN leases_account d ON d.id = p.debit_id
               LEFT JOIN leases_account c ON c.id = p.credit_id
               WHERE d.book_id IS DISTINCT FROM c.book_id OR d.id IS NULL) THEN
        RAISE EXCEPTION 'posting_across_books' USING ERRCODE = '23000';
    END IF;
    -- The entry is held until we commit: who seals it counts us, or has sealed it before us.
    SELECT array_agg(DISTINCT entry_id) INTO the_entries FROM added;
    PERFORM 1 FROM leases_entry WHERE id = ANY(the_entries) ORDER BY id FOR SHARE;
    IF EXISTS (SELECT 1 FROM unnest(the_entries) p(entry_id)
               LEFT JOIN leases_entry e ON e.id = p.entry_id
               WHERE e.id IS NULL OR e.lines IS NOT NULL) THEN
        RAISE EXCEPTION 'entry_sealed' USING ERRCODE = '23000';
    END IF;
    -- No mandant's money is spent twice; kind 6 is the funds held for an owner. Its account is
    -- locked: of two sessions that spend at once, the second sees what the first has spent.
    SELECT array_agg(DISTINCT a.id) INTO the_funds
    FROM added p JOIN leases_account a ON a.id = p.credit_id AND a.kind = 6;
    IF the_funds IS NOT NULL THEN
        PERFORM 1 FROM leases_account WHERE id = ANY(the_funds) ORDER BY id FOR NO KEY UPDATE;
        IF EXISTS (SELECT 1 FROM unnest(the_funds) f(id)
                   WHERE (SELECT COALESCE(SUM(amount), 0) FROM leases_posting WHERE debit_id = f.id)
                       < (SELECT COALESCE(SUM(amount), 0) FROM leases_posting WHERE credit_id = f.id)) THEN
            RAISE EXCEPTION 'mandant_overdrawn' USING ERRCODE = '23000';
        END IF;
    END IF;
    RETURN NULL;
END $$
--%
CREATE TRIGGER posting_guard AFTER INSERT ON leases_posting
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION posting_guard()
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
