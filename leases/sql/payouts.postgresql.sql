-- A transfer ordered for an owner is never changed nor deleted; a batch is withdrawn, never deleted.
CREATE TRIGGER payout_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_payout
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE TRIGGER payoutbatch_no_delete BEFORE DELETE OR TRUNCATE ON leases_payoutbatch
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE OR REPLACE FUNCTION payoutbatch_withdrawn_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.withdrawn_at IS NOT NULL OR NEW.id <> OLD.id OR NEW.bank_id <> OLD.bank_id OR NEW."on" <> OLD."on" THEN
        RAISE EXCEPTION 'append_only' USING ERRCODE = '23000';
    END IF;
    RETURN NEW;
END $$
--%
CREATE TRIGGER payoutbatch_withdrawn_once BEFORE UPDATE ON leases_payoutbatch
    FOR EACH ROW EXECUTE FUNCTION payoutbatch_withdrawn_once()
--%
CREATE TRIGGER ownerstatement_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_ownerstatement
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
--%
CREATE TRIGGER fee_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_fee
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_append_only()
