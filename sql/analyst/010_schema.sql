-- Schema analyst: what the role wattloom_analyst may read, and nothing else. Run at every migration; safe to repeat.
SELECT pg_advisory_xact_lock(7761747702); -- roles belong to the whole cluster
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'wattloom_analyst') THEN
        CREATE ROLE wattloom_analyst LOGIN NOINHERIT; -- has no password, so no log-in, until an operator sets one
    END IF;
END
$$;
DROP SCHEMA IF EXISTS analyst CASCADE;
CREATE SCHEMA analyst;
COMMENT ON SCHEMA analyst IS 'Views for analysts. Instants are UTC; energies are in Wh; days are local days of the meter.';
REVOKE ALL ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON SCHEMA wattloom FROM PUBLIC;
