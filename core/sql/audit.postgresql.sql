-- The audit is added to, never changed: one update is let through, the one that seals a line.
CREATE OR REPLACE FUNCTION core_auditline_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_append_only' USING ERRCODE = '23000';
END $$
--%
CREATE TRIGGER core_auditline_update BEFORE UPDATE ON core_auditline FOR EACH ROW
WHEN (NOT (
    OLD.hash IS NULL AND NEW.hash IS NOT NULL
    AND (NEW.id, NEW.at, NEW.actor, NEW.actor_kind, NEW.action, NEW.resource, NEW.object_id, NEW.detail)
        IS NOT DISTINCT FROM
        (OLD.id, OLD.at, OLD.actor, OLD.actor_kind, OLD.action, OLD.resource, OLD.object_id, OLD.detail)
))
EXECUTE FUNCTION core_auditline_refuse()
--%
CREATE TRIGGER core_auditline_delete BEFORE DELETE ON core_auditline FOR EACH ROW
EXECUTE FUNCTION core_auditline_refuse()
--%
CREATE TRIGGER core_auditline_truncate BEFORE TRUNCATE ON core_auditline FOR EACH STATEMENT
EXECUTE FUNCTION core_auditline_refuse()
--%
-- A line is born unsealed.
CREATE TRIGGER core_auditline_insert BEFORE INSERT ON core_auditline FOR EACH ROW
WHEN (NEW.hash IS NOT NULL)
EXECUTE FUNCTION core_auditline_refuse()
