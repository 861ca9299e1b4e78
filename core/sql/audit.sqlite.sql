-- The audit is added to, never changed: one update is let through, the one that seals a line.
CREATE TRIGGER core_auditline_update BEFORE UPDATE ON core_auditline
WHEN NOT (
    OLD.hash IS NULL AND NEW.hash IS NOT NULL
    AND NEW.id IS OLD.id AND NEW.at IS OLD.at AND NEW.actor IS OLD.actor
    AND NEW.actor_kind IS OLD.actor_kind AND NEW.action IS OLD.action
    AND NEW.resource IS OLD.resource AND NEW.object_id IS OLD.object_id
    AND NEW.detail IS OLD.detail
)
BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END
--%
CREATE TRIGGER core_auditline_delete BEFORE DELETE ON core_auditline
BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END
--%
-- INSERT OR REPLACE deletes without firing the trigger above; a line is born unsealed.
CREATE TRIGGER core_auditline_insert BEFORE INSERT ON core_auditline
WHEN NEW.hash IS NOT NULL OR EXISTS (SELECT 1 FROM core_auditline WHERE id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'audit_append_only'); END
