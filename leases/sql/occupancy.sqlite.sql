-- One occupancy at a time per place, starting while it is held, in service and under title.
CREATE TRIGGER occupancy_guard_insert BEFORE INSERT ON leases_occupancy
BEGIN
    SELECT RAISE(ABORT, 'occupancy_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM leases_occupancy o
        WHERE o.place_id = NEW.place_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
    SELECT RAISE(ABORT, 'occupancy_one_a_lease') WHERE EXISTS (
        SELECT 1 FROM leases_occupancy o
        WHERE o.lease_id = NEW.lease_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
    SELECT RAISE(ABORT, 'occupancy_starts_while_held') WHERE NOT EXISTS (
        SELECT 1 FROM portfolio_place p JOIN portfolio_holding h ON h.unit_id = p.unit_id
        WHERE p.id = NEW.place_id AND h."start" <= NEW."start" AND (h."end" IS NULL OR h."end" > NEW."start"));
    SELECT RAISE(ABORT, 'occupancy_starts_in_service') WHERE EXISTS (
        SELECT 1 FROM portfolio_place p JOIN portfolio_outofservice s ON s.unit_id = p.unit_id
        WHERE p.id = NEW.place_id AND s."start" <= NEW."start" AND (s."end" IS NULL OR s."end" > NEW."start"));
    SELECT RAISE(ABORT, 'occupancy_within_title') WHERE EXISTS (
        SELECT 1 FROM leases_lease l WHERE l.id = NEW.lease_id AND NEW."start" < l."start");
END
--%
CREATE TRIGGER occupancy_guard_update BEFORE UPDATE OF place_id, "start", "end", lease_id ON leases_occupancy
BEGIN
    SELECT RAISE(ABORT, 'occupancy_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM leases_occupancy o
        WHERE o.place_id = NEW.place_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
    SELECT RAISE(ABORT, 'occupancy_one_a_lease') WHERE EXISTS (
        SELECT 1 FROM leases_occupancy o
        WHERE o.lease_id = NEW.lease_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
    SELECT RAISE(ABORT, 'occupancy_starts_while_held') WHERE NOT EXISTS (
        SELECT 1 FROM portfolio_place p JOIN portfolio_holding h ON h.unit_id = p.unit_id
        WHERE p.id = NEW.place_id AND h."start" <= NEW."start" AND (h."end" IS NULL OR h."end" > NEW."start"));
    SELECT RAISE(ABORT, 'occupancy_starts_in_service') WHERE EXISTS (
        SELECT 1 FROM portfolio_place p JOIN portfolio_outofservice s ON s.unit_id = p.unit_id
        WHERE p.id = NEW.place_id AND s."start" <= NEW."start" AND (s."end" IS NULL OR s."end" > NEW."start"));
    SELECT RAISE(ABORT, 'occupancy_within_title') WHERE EXISTS (
        SELECT 1 FROM leases_lease l WHERE l.id = NEW.lease_id AND NEW."start" < l."start");
END
