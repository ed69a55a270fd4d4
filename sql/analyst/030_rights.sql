-- The analyst role reads the views of schema analyst, and has no other right.
GRANT USAGE ON SCHEMA analyst TO wattloom_analyst;
GRANT SELECT ON ALL TABLES IN SCHEMA analyst TO wattloom_analyst;
