-- Messages that can never be indexed, kept with what is needed to understand and to replay them.
CREATE TABLE indexer.dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream text NOT NULL,
    message_id text NOT NULL,
    cause text NOT NULL,
    class text NOT NULL,
    sqlstate text,
    detail text NOT NULL,
    attempts integer NOT NULL,
    payload bytea NOT NULL,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (stream, message_id)
);

-- Who runs under a consumer name: two processes with one name would take each other's pending entries.
CREATE TABLE indexer.lease (
    consumer text PRIMARY KEY,
    owner uuid NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    started_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
