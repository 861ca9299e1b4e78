-- Revisions are added to, never changed: an undoing is another line.
CREATE OR REPLACE FUNCTION revision_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'revision_append_only' USING ERRCODE = '23000';
END $$
--%
CREATE TRIGGER revision_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_revision
    FOR EACH STATEMENT EXECUTE FUNCTION revision_append_only()
--%
CREATE TRIGGER revisionrun_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_revisionrun
    FOR EACH STATEMENT EXECUTE FUNCTION revision_append_only()
