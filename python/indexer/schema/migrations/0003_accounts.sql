-- The newest account event of each DID, deletions left out: it decides the status, in whatever order events come (DIV-9).
CREATE TABLE indexer.account_status (
    did text PRIMARY KEY,
    time text NOT NULL, -- of the event, verbatim
    at_ms bigint NOT NULL, -- its instant, milliseconds since the epoch as JavaScript reads `time`; far in the past where it cannot
    status text -- NULL: active
);

-- Look-ups of handles that events asked for, one per DID. `found_time` and `missing_time` are what actor."indexedAt"
-- becomes if a handle is found, and if none is: they go apart, because without a handle the next look-up is due sooner.
CREATE TABLE indexer.handle_lookup (
    did text PRIMARY KEY,
    found_time text NOT NULL,
    missing_time text NOT NULL,
    attempts integer NOT NULL DEFAULT 0, -- how often it was put off
    next_at timestamptz NOT NULL DEFAULT now(), -- not before; whoever takes it moves this on
    cause text -- why it was put off
);
CREATE INDEX handle_lookup_next_at ON indexer.handle_lookup (next_at);

-- Accounts to be removed after asking their PDS, by the newest deletion of each DID. Rows stay: events that are not newer
-- than the deletion of a removed account are stale.
CREATE TABLE indexer.account_deletion (
    did text PRIMARY KEY,
    time text NOT NULL, -- of the event, verbatim
    at_ms bigint NOT NULL, -- as in account_status
    state text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'removing', 'removed')),
    removed_ms bigint, -- events up to this instant are stale; set with 'removing' and kept when a newer deletion is 'asked'
    removed_rows bigint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0, -- how often somebody took it up; who finds another number has lost it
    next_at timestamptz NOT NULL DEFAULT now(), -- not before; whoever takes it moves this on
    cause text -- why it waits, or why the account counts as gone
);
CREATE INDEX account_deletion_next_at ON indexer.account_deletion (next_at) WHERE state <> 'removed';
