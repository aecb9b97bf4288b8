-- Counters to be counted again (INDEXER_AGGREGATES=recount). One row per change, appended with it: a unique row per key
-- would make all writers of a popular post wait for each other. Whoever counts merges them.
CREATE TABLE indexer.dirty_count (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    counter text NOT NULL,
    key text NOT NULL
);
