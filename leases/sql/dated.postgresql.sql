-- Dated facts of a lease that exclude one another: terms of one item, free days, benefits of one payer.
ALTER TABLE leases_rentterm ADD CONSTRAINT rent_term_one_at_a_time
    EXCLUDE USING gist (lease_id WITH =, item WITH =, daterange("start", "end") WITH &&)
--%
ALTER TABLE leases_freeperiod ADD CONSTRAINT free_period_one_at_a_time
    EXCLUDE USING gist (lease_id WITH =, daterange("start", "end") WITH &&)
--%
ALTER TABLE leases_benefit ADD CONSTRAINT benefit_one_at_a_time
    EXCLUDE USING gist (lease_id WITH =, daterange("start", "end") WITH &&)
