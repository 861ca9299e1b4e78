-- One holding of a unit at a time.
ALTER TABLE portfolio_holding ADD CONSTRAINT holding_one_at_a_time
    EXCLUDE USING gist (unit_id WITH =, daterange("start", "end") WITH &&)
--%
ALTER TABLE portfolio_outofservice ADD CONSTRAINT out_of_service_one_at_a_time
    EXCLUDE USING gist (unit_id WITH =, daterange("start", "end") WITH &&)
