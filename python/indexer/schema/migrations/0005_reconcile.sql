-- optional: indexer reconcile
-- How far `reconcile` is, so that a run that was broken off goes on: a row per task (what was asked for) and pass over a table.
CREATE TABLE indexer.reconcile (
    task text NOT NULL, -- the flags that decide what is looked at
    pass text NOT NULL,
    owner uuid NOT NULL, -- the run that works on it; who finds another has lost it
    seed bigint NOT NULL, -- of a sample
    position text, -- the last key that is done, or the number of the portion of a sample; NULL: none
    keys bigint NOT NULL DEFAULT 0, -- that were looked at
    changed jsonb NOT NULL DEFAULT '{}', -- by class
    started_at timestamptz NOT NULL DEFAULT now(),
    moved_at timestamptz NOT NULL DEFAULT now(),
    done boolean NOT NULL DEFAULT false,
    PRIMARY KEY (task, pass)
);

-- As in the step before: who may use the leases may use this.
DO $$
DECLARE grantee name;
BEGIN
    FOR grantee IN
        SELECT DISTINCT r.rolname FROM pg_class c, aclexplode(c.relacl) a JOIN pg_roles r ON r.oid = a.grantee
        WHERE c.oid = 'indexer.lease'::regclass AND a.privilege_type = 'UPDATE' AND a.grantee <> c.relowner
    LOOP
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON indexer.reconcile TO %I', grantee);
    END LOOP;
END $$;
