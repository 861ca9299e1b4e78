-- Direct debits: what was asked of the bank and what it answered is never changed nor deleted.
CREATE OR REPLACE FUNCTION debit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'append_only' USING ERRCODE = '23000';
END $$
--%
CREATE TRIGGER debit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_debit
    FOR EACH STATEMENT EXECUTE FUNCTION debit_append_only()
--%
CREATE TRIGGER debitcredit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_debitcredit
    FOR EACH STATEMENT EXECUTE FUNCTION debit_append_only()
--%
CREATE TRIGGER debitreport_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_debitreport
    FOR EACH STATEMENT EXECUTE FUNCTION debit_append_only()
--%
CREATE TRIGGER debitreturn_no_delete BEFORE DELETE OR TRUNCATE ON leases_debitreturn
    FOR EACH STATEMENT EXECUTE FUNCTION debit_append_only()
--%
-- A return told by a report is later seen on a statement, once.
CREATE OR REPLACE FUNCTION debitreturn_seen_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.movement_id IS NOT NULL OR NEW.id <> OLD.id OR NEW.debit_id <> OLD.debit_id OR NEW.code <> OLD.code
       OR NEW."on" <> OLD."on" OR NEW.told_by <> OLD.told_by THEN
        RAISE EXCEPTION 'append_only' USING ERRCODE = '23000';
    END IF;
    RETURN NEW;
END $$
--%
CREATE TRIGGER debitreturn_seen_once BEFORE UPDATE ON leases_debitreturn
    FOR EACH ROW EXECUTE FUNCTION debitreturn_seen_once()
--%
CREATE TRIGGER mandateamendment_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_mandateamendment
    FOR EACH STATEMENT EXECUTE FUNCTION debit_append_only()
--%
CREATE TRIGGER debitbatch_no_delete BEFORE DELETE OR TRUNCATE ON leases_debitbatch
    FOR EACH STATEMENT EXECUTE FUNCTION debit_append_only()
--%
-- A batch is sent, or withdrawn, once; nothing else of it changes.
CREATE OR REPLACE FUNCTION debitbatch_closed_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.sent_on IS NOT NULL OR OLD.withdrawn_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.sha256 <> OLD.sha256
       OR NEW.content <> OLD.content OR NEW.total <> OLD.total OR NEW.count <> OLD.count
       OR NEW.collected_on <> OLD.collected_on OR NEW.message_id <> OLD.message_id
       OR NEW.creditor_id <> OLD.creditor_id THEN
        RAISE EXCEPTION 'append_only' USING ERRCODE = '23000';
    END IF;
    RETURN NEW;
END $$
--%
CREATE TRIGGER debitbatch_closed_once BEFORE UPDATE ON leases_debitbatch
    FOR EACH ROW EXECUTE FUNCTION debitbatch_closed_once()
