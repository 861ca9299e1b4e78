-- The accounts closed up to a day take no posting dated on it or before; a final FEC keeps them closed.
CREATE TRIGGER posting_in_open_period BEFORE INSERT ON leases_posting
WHEN NEW."on" <= (SELECT MAX(up_to) FROM leases_periodlock)
BEGIN
    SELECT RAISE(ABORT, 'period_locked') WHERE NEW."on" <= (
        SELECT l.up_to FROM leases_periodlock l WHERE l.book_id IS NULL ORDER BY l.id DESC LIMIT 1);
    SELECT RAISE(ABORT, 'period_locked') WHERE NEW."on" <= (
        SELECT l.up_to FROM leases_periodlock l
        WHERE l.book_id = (SELECT a.book_id FROM leases_account a WHERE a.id = NEW.debit_id)
        ORDER BY l.id DESC LIMIT 1);
END
--%
CREATE TRIGGER periodlock_no_update BEFORE UPDATE ON leases_periodlock
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER periodlock_no_delete BEFORE DELETE ON leases_periodlock
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER periodlock_guard BEFORE INSERT ON leases_periodlock
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (
        SELECT 1 FROM leases_periodlock l WHERE l.id = NEW.id);
    SELECT RAISE(ABORT, 'period_final') WHERE EXISTS (
        SELECT 1 FROM leases_fecfile f
        WHERE f.declared_at IS NOT NULL AND (NEW.book_id IS NULL OR f.book_id = NEW.book_id)
            AND (NEW.up_to IS NULL OR NEW.up_to < f.last_day)
            AND COALESCE((SELECT l.up_to FROM leases_periodlock l
                          WHERE l.book_id IS CASE WHEN NEW.book_id IS NULL THEN f.book_id END
                          ORDER BY l.id DESC LIMIT 1), '') < f.last_day);
END
--%
CREATE TRIGGER fecfile_final_kept BEFORE UPDATE ON leases_fecfile
WHEN OLD.declared_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER fecfile_final_not_deleted BEFORE DELETE ON leases_fecfile
WHEN OLD.declared_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER fecpart_no_update BEFORE UPDATE ON leases_fecpart
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER fecpart_final_kept BEFORE DELETE ON leases_fecpart
WHEN (SELECT declared_at FROM leases_fecfile WHERE id = OLD.fec_id) IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'append_only');
END
--%
CREATE TRIGGER fecpart_guard BEFORE INSERT ON leases_fecpart
BEGIN
    SELECT RAISE(ABORT, 'append_only') WHERE EXISTS (
        SELECT 1 FROM leases_fecfile f WHERE f.id = NEW.fec_id AND f.declared_at IS NOT NULL)
        OR EXISTS (SELECT 1 FROM leases_fecpart p WHERE p.id = NEW.id OR (p.fec_id = NEW.fec_id AND p.number = NEW.number));
END
