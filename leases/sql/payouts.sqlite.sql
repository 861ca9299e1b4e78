-- A transfer ordered for an owner is never changed nor deleted; a batch is withdrawn, never deleted.
CREATE TRIGGER payout_no_update BEFORE UPDATE ON leases_payout
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER payout_no_delete BEFORE DELETE ON leases_payout
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER payout_no_replace BEFORE INSERT ON leases_payout
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (
        SELECT 1 FROM leases_payout p WHERE p.id = NEW.id OR p.end_to_end = NEW.end_to_end);
END
--%
CREATE TRIGGER payoutbatch_no_delete BEFORE DELETE ON leases_payoutbatch
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER payoutbatch_withdrawn_once BEFORE UPDATE ON leases_payoutbatch
WHEN OLD.withdrawn_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.bank_id <> OLD.bank_id OR NEW."on" <> OLD."on"
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER ownerstatement_no_update BEFORE UPDATE ON leases_ownerstatement
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER ownerstatement_no_delete BEFORE DELETE ON leases_ownerstatement
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER fee_no_update BEFORE UPDATE ON leases_fee
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER fee_no_delete BEFORE DELETE ON leases_fee
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
