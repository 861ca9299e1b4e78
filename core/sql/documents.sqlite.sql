-- What was made and sent stays as it was: papers, their sendings, the texts and letterheads by version.
CREATE TRIGGER document_no_update BEFORE UPDATE ON core_document
BEGIN SELECT RAISE(ABORT, 'document_append_only'); END
--%
CREATE TRIGGER document_no_delete BEFORE DELETE ON core_document
BEGIN SELECT RAISE(ABORT, 'document_append_only'); END
--%
-- INSERT OR REPLACE deletes without firing the trigger above.
CREATE TRIGGER document_no_replace BEFORE INSERT ON core_document
BEGIN
    SELECT RAISE(ABORT, 'document_append_only') WHERE EXISTS (
        SELECT 1 FROM core_document d WHERE d.id = NEW.id);
    SELECT RAISE(ABORT, 'document_once_a_month') WHERE EXISTS (
        SELECT 1 FROM core_document d
        WHERE d.subject = NEW.subject AND d.subject_id = NEW.subject_id AND d.kind = NEW.kind
            AND d.month = NEW.month AND d.number = NEW.number);
END
--%
CREATE TRIGGER sending_no_update BEFORE UPDATE ON core_sending
BEGIN SELECT RAISE(ABORT, 'document_append_only'); END
--%
CREATE TRIGGER sending_no_delete BEFORE DELETE ON core_sending
BEGIN SELECT RAISE(ABORT, 'document_append_only'); END
--%
CREATE TRIGGER sending_no_replace BEFORE INSERT ON core_sending
WHEN EXISTS (SELECT 1 FROM core_sending s WHERE s.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'document_append_only'); END
--%
CREATE TRIGGER documenttemplate_no_update BEFORE UPDATE ON core_documenttemplate
BEGIN SELECT RAISE(ABORT, 'document_append_only'); END
--%
CREATE TRIGGER documenttemplate_no_delete BEFORE DELETE ON core_documenttemplate
BEGIN SELECT RAISE(ABORT, 'document_append_only'); END
--%
CREATE TRIGGER documenttemplate_no_replace BEFORE INSERT ON core_documenttemplate
BEGIN
    SELECT RAISE(ABORT, 'document_append_only') WHERE EXISTS (
        SELECT 1 FROM core_documenttemplate t WHERE t.id = NEW.id);
    SELECT RAISE(ABORT, 'document_template_once') WHERE EXISTS (
        SELECT 1 FROM core_documenttemplate t
        WHERE t.code = NEW.code AND t.language = NEW.language AND t.version = NEW.version);
END
--%
CREATE TRIGGER letterhead_no_update BEFORE UPDATE ON core_letterhead
BEGIN SELECT RAISE(ABORT, 'document_append_only'); END
--%
CREATE TRIGGER letterhead_no_delete BEFORE DELETE ON core_letterhead
BEGIN SELECT RAISE(ABORT, 'document_append_only'); END
--%
CREATE TRIGGER letterhead_no_replace BEFORE INSERT ON core_letterhead
WHEN EXISTS (SELECT 1 FROM core_letterhead l WHERE l.id = NEW.id)
BEGIN SELECT RAISE(ABORT, 'document_append_only'); END
