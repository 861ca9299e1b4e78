-- The accounts closed up to a day take no posting dated on it or before; a final FEC keeps them closed.
CREATE OR REPLACE FUNCTION posting_in_open_period() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Once a statement, whatever its size: nothing more is asked unless its first day may be closed.
    IF (SELECT MIN("on") FROM added) <= (SELECT MAX(up_to) FROM leases_periodlock) THEN
        IF EXISTS (
            WITH held AS (
                SELECT DISTINCT ON (book_id) book_id, up_to FROM leases_periodlock ORDER BY book_id, id DESC
            )
            SELECT 1 FROM added p JOIN leases_account a ON a.id = p.debit_id
            JOIN held h ON h.book_id IS NULL OR h.book_id = a.book_id
            WHERE p."on" <= h.up_to) THEN
            RAISE EXCEPTION 'period_locked' USING ERRCODE = '23000';
        END IF;
    END IF;
    RETURN NULL;
END $$
--%
CREATE TRIGGER posting_in_open_period AFTER INSERT ON leases_posting
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION posting_in_open_period()
--%
CREATE OR REPLACE FUNCTION periodlock_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'append_only' USING ERRCODE = '23000';
END $$
--%
CREATE TRIGGER periodlock_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON leases_periodlock
    FOR EACH STATEMENT EXECUTE FUNCTION periodlock_append_only()
--%
CREATE OR REPLACE FUNCTION periodlock_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM leases_fecfile f
        WHERE f.declared_at IS NOT NULL AND (NEW.book_id IS NULL OR f.book_id = NEW.book_id)
            AND (NEW.up_to IS NULL OR NEW.up_to < f.last_day)
            AND COALESCE((SELECT l.up_to FROM leases_periodlock l
                          WHERE l.book_id IS NOT DISTINCT FROM CASE WHEN NEW.book_id IS NULL THEN f.book_id END
                          ORDER BY l.id DESC LIMIT 1), '-infinity'::date) < f.last_day) THEN
        RAISE EXCEPTION 'period_final' USING ERRCODE = '23000';
    END IF;
    RETURN NEW;
END $$
--%
CREATE TRIGGER periodlock_guard BEFORE INSERT ON leases_periodlock
    FOR EACH ROW EXECUTE FUNCTION periodlock_guard()
--%
CREATE OR REPLACE FUNCTION fecfile_final_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.declared_at IS NOT NULL THEN
        RAISE EXCEPTION 'append_only' USING ERRCODE = '23000';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$
--%
CREATE TRIGGER fecfile_final_kept BEFORE UPDATE OR DELETE ON leases_fecfile
    FOR EACH ROW EXECUTE FUNCTION fecfile_final_kept()
--%
CREATE OR REPLACE FUNCTION fecpart_final_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' OR EXISTS (
        SELECT 1 FROM leases_fecfile f
        WHERE f.id = CASE WHEN TG_OP = 'DELETE' THEN OLD.fec_id ELSE NEW.fec_id END
            AND f.declared_at IS NOT NULL) THEN
        RAISE EXCEPTION 'append_only' USING ERRCODE = '23000';
    END IF;
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$
--%
CREATE TRIGGER fecpart_final_kept BEFORE INSERT OR UPDATE OR DELETE ON leases_fecpart
    FOR EACH ROW EXECUTE FUNCTION fecpart_final_kept()
