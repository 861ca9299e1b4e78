-- Expenses and settlements are never changed: a mistake is reversed, a correction is a new version.
CREATE OR REPLACE FUNCTION charges_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'append_only' USING ERRCODE = '23000';
END $$
--%
CREATE TRIGGER expense_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_expense
    FOR EACH STATEMENT EXECUTE FUNCTION charges_append_only()
--%
CREATE TRIGGER settlement_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_settlement
    FOR EACH STATEMENT EXECUTE FUNCTION charges_append_only()
--%
CREATE TRIGGER chargegroup_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_chargegroup
    FOR EACH STATEMENT EXECUTE FUNCTION charges_append_only()
--%
CREATE TRIGGER chargeline_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_chargeline
    FOR EACH STATEMENT EXECUTE FUNCTION charges_append_only()
--%
CREATE TRIGGER chargerun_no_delete BEFORE DELETE OR TRUNCATE ON leases_chargerun
    FOR EACH STATEMENT EXECUTE FUNCTION charges_append_only()
