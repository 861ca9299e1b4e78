-- Direct debits: what was asked of the bank and what it answered is never changed nor deleted.
CREATE TRIGGER debit_no_update BEFORE UPDATE ON leases_debit
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER debit_no_delete BEFORE DELETE ON leases_debit
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER debit_no_replace BEFORE INSERT ON leases_debit
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_debit o WHERE o.id = NEW.id);
END
--%
CREATE TRIGGER debitcredit_no_update BEFORE UPDATE ON leases_debitcredit
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER debitcredit_no_delete BEFORE DELETE ON leases_debitcredit
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER debitcredit_no_replace BEFORE INSERT ON leases_debitcredit
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_debitcredit o WHERE o.id = NEW.id);
END
--%
CREATE TRIGGER debitreport_no_update BEFORE UPDATE ON leases_debitreport
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER debitreport_no_delete BEFORE DELETE ON leases_debitreport
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER debitreport_no_replace BEFORE INSERT ON leases_debitreport
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_debitreport o WHERE o.id = NEW.id);
END
--%
-- A return told by a report is later seen on a statement, once.
CREATE TRIGGER debitreturn_seen_once BEFORE UPDATE ON leases_debitreturn
WHEN OLD.movement_id IS NOT NULL OR NEW.id <> OLD.id OR NEW.debit_id <> OLD.debit_id OR NEW.code <> OLD.code
    OR NEW."on" <> OLD."on" OR NEW.told_by <> OLD.told_by
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER debitreturn_no_delete BEFORE DELETE ON leases_debitreturn
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER debitreturn_no_replace BEFORE INSERT ON leases_debitreturn
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_debitreturn o WHERE o.id = NEW.id);
END
--%
CREATE TRIGGER mandateamendment_no_update BEFORE UPDATE ON leases_mandateamendment
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER mandateamendment_no_delete BEFORE DELETE ON leases_mandateamendment
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER mandateamendment_no_replace BEFORE INSERT ON leases_mandateamendment
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_mandateamendment o WHERE o.id = NEW.id);
END
--%
CREATE TRIGGER debitbatch_no_delete BEFORE DELETE ON leases_debitbatch
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
-- A batch is sent, or withdrawn, once; nothing else of it changes.
CREATE TRIGGER debitbatch_closed_once BEFORE UPDATE ON leases_debitbatch
WHEN OLD.sent_on IS NOT NULL OR OLD.withdrawn_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.sha256 <> OLD.sha256
    OR NEW.content <> OLD.content OR NEW.total <> OLD.total OR NEW.count <> OLD.count
    OR NEW.collected_on <> OLD.collected_on OR NEW.message_id <> OLD.message_id
    OR NEW.creditor_id <> OLD.creditor_id
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
