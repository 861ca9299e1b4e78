-- Housing benefit and ALT never pay for one home in one month (CSS, art. L. 851-1). What only ends
-- earlier is let through: that is how a conflict is put right.
CREATE TRIGGER benefit_not_with_alt_insert BEFORE INSERT ON leases_benefit
BEGIN
    SELECT RAISE(ABORT, 'benefit_not_with_alt') WHERE EXISTS (SELECT 1 FROM leases_lease l WHERE l.id = NEW.lease_id AND l.kind = 'ALT')
        OR EXISTS (
        SELECT 1 FROM leases_occupancy o JOIN portfolio_place p ON p.id = o.place_id
        JOIN portfolio_unit u ON u.id = p.unit_id LEFT JOIN portfolio_structure s ON s.id = u.structure_id
        WHERE o.lease_id = NEW.lease_id
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND COALESCE(o."end", '9999-12-31') > NEW."start"
        AND (s.kind = 'alt' OR EXISTS (
            SELECT 1 FROM portfolio_place q JOIN leases_occupancy a ON a.place_id = q.id
            JOIN leases_lease l ON l.id = a.lease_id AND l.kind = 'ALT'
            WHERE q.unit_id = p.unit_id
            AND a."start" < COALESCE(NEW."end", '9999-12-31') AND COALESCE(a."end", '9999-12-31') > NEW."start"
            AND date(a."start", 'start of month') < COALESCE(o."end", '9999-12-31')
            AND date(o."start", 'start of month') < COALESCE(a."end", '9999-12-31'))));
END
--%
CREATE TRIGGER benefit_not_with_alt_update BEFORE UPDATE ON leases_benefit
WHEN NEW.lease_id <> OLD.lease_id OR NEW."start" < OLD."start"
    OR COALESCE(NEW."end", '9999-12-31') > COALESCE(OLD."end", '9999-12-31')
BEGIN
    SELECT RAISE(ABORT, 'benefit_not_with_alt') WHERE EXISTS (SELECT 1 FROM leases_lease l WHERE l.id = NEW.lease_id AND l.kind = 'ALT')
        OR EXISTS (
        SELECT 1 FROM leases_occupancy o JOIN portfolio_place p ON p.id = o.place_id
        JOIN portfolio_unit u ON u.id = p.unit_id LEFT JOIN portfolio_structure s ON s.id = u.structure_id
        WHERE o.lease_id = NEW.lease_id
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND COALESCE(o."end", '9999-12-31') > NEW."start"
        AND (s.kind = 'alt' OR EXISTS (
            SELECT 1 FROM portfolio_place q JOIN leases_occupancy a ON a.place_id = q.id
            JOIN leases_lease l ON l.id = a.lease_id AND l.kind = 'ALT'
            WHERE q.unit_id = p.unit_id
            AND a."start" < COALESCE(NEW."end", '9999-12-31') AND COALESCE(a."end", '9999-12-31') > NEW."start"
            AND date(a."start", 'start of month') < COALESCE(o."end", '9999-12-31')
            AND date(o."start", 'start of month') < COALESCE(a."end", '9999-12-31'))));
END
--%
CREATE TRIGGER occupancy_not_with_alt_insert BEFORE INSERT ON leases_occupancy
BEGIN
    SELECT RAISE(ABORT, 'benefit_not_with_alt') WHERE EXISTS (
        SELECT 1 FROM portfolio_place p JOIN portfolio_unit u ON u.id = p.unit_id
        LEFT JOIN portfolio_structure s ON s.id = u.structure_id
        JOIN leases_benefit b ON b.lease_id = NEW.lease_id
            AND b."start" < COALESCE(NEW."end", '9999-12-31') AND COALESCE(b."end", '9999-12-31') > NEW."start"
        WHERE p.id = NEW.place_id AND (s.kind = 'alt' OR EXISTS (
            SELECT 1 FROM portfolio_place q JOIN leases_occupancy a ON a.place_id = q.id
            JOIN leases_lease l ON l.id = a.lease_id AND l.kind = 'ALT'
            WHERE q.unit_id = p.unit_id
            AND a."start" < COALESCE(b."end", '9999-12-31') AND COALESCE(a."end", '9999-12-31') > b."start"
            AND date(a."start", 'start of month') < COALESCE(NEW."end", '9999-12-31')
            AND date(NEW."start", 'start of month') < COALESCE(a."end", '9999-12-31'))))
        OR EXISTS (
        SELECT 1 FROM leases_lease l JOIN portfolio_place p ON p.id = NEW.place_id
        JOIN portfolio_place q ON q.unit_id = p.unit_id JOIN leases_occupancy o ON o.place_id = q.id
        JOIN leases_benefit b ON b.lease_id = o.lease_id
            AND b."start" < COALESCE(o."end", '9999-12-31') AND COALESCE(b."end", '9999-12-31') > o."start"
        WHERE l.id = NEW.lease_id AND l.kind = 'ALT'
        AND NEW."start" < COALESCE(b."end", '9999-12-31') AND COALESCE(NEW."end", '9999-12-31') > b."start"
        AND date(NEW."start", 'start of month') < COALESCE(o."end", '9999-12-31')
        AND date(o."start", 'start of month') < COALESCE(NEW."end", '9999-12-31'));
END
--%
CREATE TRIGGER occupancy_not_with_alt_update BEFORE UPDATE ON leases_occupancy
WHEN NEW.lease_id <> OLD.lease_id OR NEW.place_id <> OLD.place_id OR NEW."start" < OLD."start"
    OR COALESCE(NEW."end", '9999-12-31') > COALESCE(OLD."end", '9999-12-31')
BEGIN
    SELECT RAISE(ABORT, 'benefit_not_with_alt') WHERE EXISTS (
        SELECT 1 FROM portfolio_place p JOIN portfolio_unit u ON u.id = p.unit_id
        LEFT JOIN portfolio_structure s ON s.id = u.structure_id
        JOIN leases_benefit b ON b.lease_id = NEW.lease_id
            AND b."start" < COALESCE(NEW."end", '9999-12-31') AND COALESCE(b."end", '9999-12-31') > NEW."start"
        WHERE p.id = NEW.place_id AND (s.kind = 'alt' OR EXISTS (
            SELECT 1 FROM portfolio_place q JOIN leases_occupancy a ON a.place_id = q.id
            JOIN leases_lease l ON l.id = a.lease_id AND l.kind = 'ALT'
            WHERE q.unit_id = p.unit_id
            AND a."start" < COALESCE(b."end", '9999-12-31') AND COALESCE(a."end", '9999-12-31') > b."start"
            AND date(a."start", 'start of month') < COALESCE(NEW."end", '9999-12-31')
            AND date(NEW."start", 'start of month') < COALESCE(a."end", '9999-12-31'))))
        OR EXISTS (
        SELECT 1 FROM leases_lease l JOIN portfolio_place p ON p.id = NEW.place_id
        JOIN portfolio_place q ON q.unit_id = p.unit_id JOIN leases_occupancy o ON o.place_id = q.id
        JOIN leases_benefit b ON b.lease_id = o.lease_id
            AND b."start" < COALESCE(o."end", '9999-12-31') AND COALESCE(b."end", '9999-12-31') > o."start"
        WHERE l.id = NEW.lease_id AND l.kind = 'ALT'
        AND NEW."start" < COALESCE(b."end", '9999-12-31') AND COALESCE(NEW."end", '9999-12-31') > b."start"
        AND date(NEW."start", 'start of month') < COALESCE(o."end", '9999-12-31')
        AND date(o."start", 'start of month') < COALESCE(NEW."end", '9999-12-31'));
END
