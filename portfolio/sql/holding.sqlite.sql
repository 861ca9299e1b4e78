-- One holding of a unit at a time, one reason out of service at a time.
CREATE TRIGGER holding_one_at_a_time_insert BEFORE INSERT ON portfolio_holding
BEGIN
    SELECT RAISE(ABORT, 'holding_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM portfolio_holding o
        WHERE o.unit_id = NEW.unit_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
END
--%
CREATE TRIGGER holding_one_at_a_time_update BEFORE UPDATE ON portfolio_holding
BEGIN
    SELECT RAISE(ABORT, 'holding_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM portfolio_holding o
        WHERE o.unit_id = NEW.unit_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
END
--%
CREATE TRIGGER out_of_service_one_at_a_time_insert BEFORE INSERT ON portfolio_outofservice
BEGIN
    SELECT RAISE(ABORT, 'out_of_service_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM portfolio_outofservice o
        WHERE o.unit_id = NEW.unit_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
END
--%
CREATE TRIGGER out_of_service_one_at_a_time_update BEFORE UPDATE ON portfolio_outofservice
BEGIN
    SELECT RAISE(ABORT, 'out_of_service_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM portfolio_outofservice o
        WHERE o.unit_id = NEW.unit_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
END
