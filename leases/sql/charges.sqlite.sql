-- Expenses and settlements are never changed: a mistake is reversed, a correction is a new version.
CREATE TRIGGER expense_no_update BEFORE UPDATE ON leases_expense
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER expense_no_delete BEFORE DELETE ON leases_expense
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER settlement_no_update BEFORE UPDATE ON leases_settlement
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER settlement_no_delete BEFORE DELETE ON leases_settlement
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER chargegroup_no_update BEFORE UPDATE ON leases_chargegroup
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER chargegroup_no_delete BEFORE DELETE ON leases_chargegroup
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER chargeline_no_update BEFORE UPDATE ON leases_chargeline
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER chargeline_no_delete BEFORE DELETE ON leases_chargeline
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER expense_no_replace BEFORE INSERT ON leases_expense
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (
        SELECT 1 FROM leases_expense e WHERE e.id = NEW.id OR e.undoes_id = NEW.undoes_id);
END
--%
CREATE TRIGGER settlement_no_replace BEFORE INSERT ON leases_settlement
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (SELECT 1 FROM leases_settlement t WHERE t.id = NEW.id);
    SELECT RAISE(ABORT, 'settlement_once') WHERE EXISTS (
        SELECT 1 FROM leases_settlement t
        WHERE t.lease_id = NEW.lease_id AND t.account_id = NEW.account_id AND t.year = NEW.year
            AND t.version = NEW.version);
END
--%
CREATE TRIGGER chargeline_no_replace BEFORE INSERT ON leases_chargeline
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (
        SELECT 1 FROM leases_chargeline c
        WHERE c.id = NEW.id OR (c.settlement_id = NEW.settlement_id AND c.group_id = NEW.group_id));
END
--%
CREATE TRIGGER chargerun_no_delete BEFORE DELETE ON leases_chargerun
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
