-- What was made and sent stays as it was: papers, their sendings, the texts and letterheads by version.
CREATE OR REPLACE FUNCTION document_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'document_append_only' USING ERRCODE = '23000';
END $$
--%
CREATE TRIGGER document_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_document
    FOR EACH STATEMENT EXECUTE FUNCTION document_append_only()
--%
CREATE TRIGGER sending_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_sending
    FOR EACH STATEMENT EXECUTE FUNCTION document_append_only()
--%
CREATE TRIGGER documenttemplate_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_documenttemplate
    FOR EACH STATEMENT EXECUTE FUNCTION document_append_only()
--%
CREATE TRIGGER letterhead_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core_letterhead
    FOR EACH STATEMENT EXECUTE FUNCTION document_append_only()
