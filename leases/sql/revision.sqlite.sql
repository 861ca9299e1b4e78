-- Revisions are added to, never changed: an undoing is another line.
CREATE TRIGGER revision_no_update BEFORE UPDATE ON leases_revision
BEGIN
    SELECT RAISE(ABORT, 'revision_append_only');
END
--%
CREATE TRIGGER revision_no_delete BEFORE DELETE ON leases_revision
BEGIN
    SELECT RAISE(ABORT, 'revision_append_only');
END
--%
CREATE TRIGGER revision_no_replace BEFORE INSERT ON leases_revision
BEGIN
    SELECT RAISE(ABORT, 'revision_append_only') WHERE EXISTS (
        SELECT 1 FROM leases_revision r WHERE r.id = NEW.id OR r.undoes_id = NEW.undoes_id);
    SELECT RAISE(ABORT, 'revision_once') WHERE EXISTS (
        SELECT 1 FROM leases_revision r WHERE r.lease_id = NEW.lease_id AND r.item = NEW.item
            AND r."on" = NEW."on" AND r.version = NEW.version);
END
--%
CREATE TRIGGER revisionrun_no_update BEFORE UPDATE ON leases_revisionrun
BEGIN
    SELECT RAISE(ABORT, 'revision_append_only');
END
--%
CREATE TRIGGER revisionrun_no_delete BEFORE DELETE ON leases_revisionrun
BEGIN
    SELECT RAISE(ABORT, 'revision_append_only');
END
--%
CREATE TRIGGER revisionrun_no_replace BEFORE INSERT ON leases_revisionrun
BEGIN
    SELECT RAISE(ABORT, 'revision_append_only') WHERE EXISTS (
        SELECT 1 FROM leases_revisionrun r WHERE r.id = NEW.id OR r.key = NEW.key);
END
