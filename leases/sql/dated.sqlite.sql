-- Dated facts of a lease that exclude one another: terms of one item, free days, benefits of one payer.
CREATE TRIGGER rent_term_one_at_a_time_insert BEFORE INSERT ON leases_rentterm
BEGIN
    SELECT RAISE(ABORT, 'rent_term_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM leases_rentterm o
        WHERE o.lease_id = NEW.lease_id AND o.item = NEW.item AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
END
--%
CREATE TRIGGER rent_term_one_at_a_time_update BEFORE UPDATE ON leases_rentterm
BEGIN
    SELECT RAISE(ABORT, 'rent_term_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM leases_rentterm o
        WHERE o.lease_id = NEW.lease_id AND o.item = NEW.item AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
END
--%
CREATE TRIGGER free_period_one_at_a_time_insert BEFORE INSERT ON leases_freeperiod
BEGIN
    SELECT RAISE(ABORT, 'free_period_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM leases_freeperiod o
        WHERE o.lease_id = NEW.lease_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
END
--%
CREATE TRIGGER free_period_one_at_a_time_update BEFORE UPDATE ON leases_freeperiod
BEGIN
    SELECT RAISE(ABORT, 'free_period_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM leases_freeperiod o
        WHERE o.lease_id = NEW.lease_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
END
--%
CREATE TRIGGER benefit_one_at_a_time_insert BEFORE INSERT ON leases_benefit
BEGIN
    SELECT RAISE(ABORT, 'benefit_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM leases_benefit o
        WHERE o.lease_id = NEW.lease_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
END
--%
CREATE TRIGGER benefit_one_at_a_time_update BEFORE UPDATE ON leases_benefit
BEGIN
    SELECT RAISE(ABORT, 'benefit_one_at_a_time') WHERE EXISTS (
        SELECT 1 FROM leases_benefit o
        WHERE o.lease_id = NEW.lease_id AND o.id <> COALESCE(NEW.id, -1)
        AND o."start" < COALESCE(NEW."end", '9999-12-31') AND NEW."start" < COALESCE(o."end", '9999-12-31'));
END
