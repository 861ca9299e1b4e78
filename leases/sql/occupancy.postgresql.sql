-- One occupancy at a time per place, starting while it is held, in service and under title.
ALTER TABLE leases_occupancy ADD CONSTRAINT occupancy_one_at_a_time
    EXCLUDE USING gist (place_id WITH =, daterange("start", "end") WITH &&)
--%
ALTER TABLE leases_occupancy ADD CONSTRAINT occupancy_one_a_lease
    EXCLUDE USING gist (lease_id WITH =, daterange("start", "end") WITH &&)
--%
CREATE OR REPLACE FUNCTION occupancy_guard() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    the_unit bigint;
BEGIN
    -- The place's row is locked first, so that a holding's end waits for us or we for it.
    SELECT unit_id INTO the_unit FROM portfolio_place WHERE id = NEW.place_id FOR SHARE;
    IF NOT EXISTS (SELECT 1 FROM portfolio_holding h WHERE h.unit_id = the_unit
                   AND h."start" <= NEW."start" AND (h."end" IS NULL OR h."end" > NEW."start")) THEN
        RAISE EXCEPTION 'occupancy_starts_while_held' USING ERRCODE = '23000';
    END IF;
    IF EXISTS (SELECT 1 FROM portfolio_outofservice s WHERE s.unit_id = the_unit
               AND s."start" <= NEW."start" AND (s."end" IS NULL OR s."end" > NEW."start")) THEN
        RAISE EXCEPTION 'occupancy_starts_in_service' USING ERRCODE = '23000';
    END IF;
    IF EXISTS (SELECT 1 FROM leases_lease l WHERE l.id = NEW.lease_id AND NEW."start" < l."start") THEN
        RAISE EXCEPTION 'occupancy_within_title' USING ERRCODE = '23000';
    END IF;
    RETURN NEW;
END $$
--%
CREATE TRIGGER occupancy_guard BEFORE INSERT OR UPDATE OF place_id, "start", "end", lease_id ON leases_occupancy
    FOR EACH ROW EXECUTE FUNCTION occupancy_guard()
