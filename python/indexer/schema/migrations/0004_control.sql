-- optional: indexer pause, resume and rate
-- What operators ask of running instances, and how these answer with the renewal of their lease. One row per consumer; it
-- outlives its instance where something is asked of it.
CREATE TABLE indexer.control (
    consumer text PRIMARY KEY,
    wish bigint NOT NULL DEFAULT 0, -- grows with each command
    asked_at timestamptz, -- since when `paused` is what it is
    paused boolean NOT NULL DEFAULT false,
    rate integer, -- messages a second; 0: no limit; NULL: what the instance was started with
    owner uuid, -- the instance that answered last, as in indexer.lease
    heard bigint, -- the wish that it obeys
    state text, -- working, pausing or paused
    rate_now integer -- messages a second; NULL: no limit
);

-- Who may use the leases may use this: instances of an upgraded schema need no further grants, whatever their version.
DO $$
DECLARE grantee name;
BEGIN
    FOR grantee IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'indexer.lease'::regclass AND a.privilege_type = 'UPDATE' AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON indexer.control TO %I', grantee);
    END LOOP;
END $$;
