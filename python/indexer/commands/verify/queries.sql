-- Statements of `verify` and `reconcile`, beside those of the writer. `{schema}` is the schema of the AppView's tables.

-- name: begin_look
-- One snapshot, so that several statements see the same rows; everything is looked up by key, as the writer does.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL statement_timeout = '{statement_timeout_ms}ms';
SET LOCAL idle_in_transaction_session_timeout = '{idle_timeout_ms}ms';
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL jit = off

-- name: begin_own
-- For what is small and has no index for the question: the queues in the schema `indexer`.
BEGIN READ ONLY;
SET LOCAL statement_timeout = '{statement_timeout_ms}ms'

-- name: ids_behind
SELECT id FROM {schema}.notification WHERE id > $1::bigint ORDER BY id LIMIT $2::int

-- name: rows_estimated
-- How many rows a table has, about: by the statistics, else by its size.
SELECT CASE WHEN c.reltuples > 0 THEN c.reltuples::float8 ELSE pg_relation_size(c.oid) / 100.0 END::float8
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = $2

-- name: bounds
-- Where a column's values lie, by the statistics: ascending, about as many rows between each two.
SELECT histogram_bounds::text::text[] FROM pg_stats WHERE schemaname = $1 AND tablename = $2 AND attname = $3

-- name: most_id
SELECT max(id) FROM {schema}.notification

-- name: marked
-- Which of these counters wait to be counted.
SELECT DISTINCT d.counter, d.key FROM indexer.dirty_count d
JOIN unnest($1::text[], $2::text[]) k (counter, key) ON d.counter = k.counter AND d.key = k.key

-- name: under_removal
-- Whose rows go just now.
SELECT did FROM indexer.account_deletion WHERE did = ANY($1::text[]) AND state = 'removing'

-- name: quotes_by_cid
-- What the reference counts instead of DIV-15.
SELECT q.subject, q."subjectCid", count(*) FROM {schema}.quote q WHERE q.subject = ANY($1::text[]) GROUP BY 1, 2

-- name: posts_that_stand
-- Posts that are there, and when their rows came; the reference removed what hung on them before that.
SELECT r.uri, p."indexedAt" FROM {schema}.record r JOIN {schema}.post p ON p.uri = r.uri
WHERE r.uri = ANY($1::text[]) AND r.json <> '' AND r.cid <> ''

-- name: take_task
-- Whoever starts last has it. Passes that are done belong to the run before, which was broken off.
UPDATE indexer.reconcile SET owner = $2 WHERE task = $1
RETURNING pass, seed, position, keys, changed::text, done

-- name: begin_pass
INSERT INTO indexer.reconcile (task, pass, owner, seed) VALUES ($1, $2, $3, $4)
ON CONFLICT (task, pass) DO UPDATE SET owner = excluded.owner

-- name: move_pass
UPDATE indexer.reconcile SET position = $4, keys = $5, changed = $6::jsonb, done = $7, moved_at = now()
WHERE task = $1 AND pass = $2 AND owner = $3

-- name: drop_task
DELETE FROM indexer.reconcile WHERE task = $1

-- name: records_looked_at
SELECT uri, did, cid, rev, "indexedAt", json FROM {schema}.record WHERE uri = ANY($1::text[])

-- name: duplicates_looked_at
SELECT uri, cid, "duplicateOf", "indexedAt" FROM {schema}.duplicate_record WHERE uri = ANY($1::text[])

-- name: posts_hung_on
SELECT s.uri, s.rev, s.json <> '' AND s.cid <> '', p."indexedAt"
FROM {schema}.record s LEFT JOIN {schema}.post p ON p.uri = s.uri WHERE s.uri = ANY($1::text[])

-- name: correct_dids
-- The authority of the URI; who changes a record holds this lock, too.
UPDATE {schema}.record r SET did = u.did FROM unnest($1::text[], $2::text[]) u (uri, did)
WHERE r.uri = u.uri AND r.did <> u.did

-- name: wrong_gate_flags
-- Posts whose flags do not follow the gates' rows (DIV-11): flag and the gate's time, of both, and the post's time.
SELECT p.uri, p."hasThreadGate", t."indexedAt", p."hasPostGate", g."indexedAt", p."indexedAt"
FROM {schema}.post p
    LEFT JOIN {schema}.thread_gate t ON t."postUri" = p.uri
    LEFT JOIN {schema}.post_gate g ON g."postUri" = p.uri
WHERE p.uri = ANY($1::text[])
    AND (coalesce(p."hasThreadGate", false) <> (t.uri IS NOT NULL) OR coalesce(p."hasPostGate", false) <> (g.uri IS NOT NULL))

-- name: violating
SELECT uri, creator, "replyRoot" FROM {schema}.post WHERE uri = ANY($1::text[]) AND "violatesThreadGate"

-- name: clear_violations
-- Where one of the two flags is true, both are given, else none (records.md 5.1).
UPDATE {schema}.post SET "violatesThreadGate" = CASE WHEN "invalidReplyRoot" THEN false END,
    "invalidReplyRoot" = CASE WHEN "invalidReplyRoot" THEN true END
WHERE uri = ANY($1::text[]) AND "violatesThreadGate" RETURNING "replyParent"

-- name: replies_looked_at
-- Replies, and what they are judged by: the row of the parent, and its record.
SELECT c.uri, c."replyParent" AS parent, c."replyRoot" AS root, c."invalidReplyRoot" AS invalid, c."indexedAt" AS at,
    own.rev, p.uri IS NOT NULL AS is_post, p."invalidReplyRoot" AS parent_invalid, p."replyParent" AS above,
    p."replyRoot" AS parent_root, p."indexedAt" AS parent_at, r.uri IS NOT NULL AS is_known,
    r.json <> '' AND r.cid <> '' AS is_live, r.rev AS parent_rev, r."indexedAt" AS record_at
FROM {schema}.post c
    LEFT JOIN {schema}.record own ON own.uri = c.uri
    LEFT JOIN {schema}.post p ON p.uri = c."replyParent"
    LEFT JOIN {schema}.record r ON r.uri = c."replyParent"
WHERE c.uri = ANY($1::text[]) AND c."replyParent" IS NOT NULL

-- name: set_invalid
-- Where one of the two flags is true, both are given (records.md 5.1).
UPDATE {schema}.post SET "invalidReplyRoot" = true, "violatesThreadGate" = coalesce("violatesThreadGate", false)
WHERE uri = ANY($1::text[]) AND "invalidReplyRoot" IS NOT TRUE

-- name: commit_rows
SELECT did, "repoRev", "commitCid" FROM {schema}.actor_sync
WHERE did = ANY($1::text[])

-- name: lock_commit_rows
SELECT 1 FROM {schema}.actor_sync WHERE did = ANY($1::text[]) ORDER BY did FOR UPDATE

-- name: thaw_commits
-- The newest rev of the account's records is not newer than its commit, so the next commit moves it.
UPDATE {schema}.actor_sync a SET "repoRev" = (
    SELECT max(r.rev COLLATE "C") FROM {schema}.record r WHERE r.did = a.did AND r.rev COLLATE "C" <= $2::text
) WHERE a.did = ANY($1::text[]) AND (a."repoRev" IS NULL OR a."repoRev" COLLATE "C" > $2::text)

-- name: drop_commit_rows
-- $1 that have no rev, $2 whose commit is none.
DELETE FROM {schema}.actor_sync
WHERE (did = ANY($1::text[]) AND "repoRev" IS NULL) OR did = ANY($2::text[])

-- name: notifications_of_nothing
-- About records that are not there at all, or posts that were deleted: those take their notifications along.
SELECT n.id, n."recordUri", n.reason, r.uri IS NOT NULL
FROM {schema}.notification n LEFT JOIN {schema}.record r ON r.uri = n."recordUri"
WHERE n.id = ANY($1::bigint[])
    AND (r.uri IS NULL OR ((r.json = '' OR r.cid = '') AND n."recordUri" LIKE 'at://%/app.bsky.feed.post/%'))

-- name: pointing_duplicates
-- Rows of `duplicate_record`, their records, and the records that they point at.
SELECT d.uri, d.cid, d."duplicateOf" AS of, d."indexedAt" AS at, r.json <> '' AND r.cid <> '' AS is_live,
    w.uri IS NOT NULL AND (w.json = '' OR w.cid = '') AS was_deleted
FROM {schema}.duplicate_record d
    LEFT JOIN {schema}.record r ON r.uri = d.uri
    LEFT JOIN {schema}.record w ON w.uri = d."duplicateOf"
WHERE d.uri = ANY($1::text[])

-- name: revs_looked_at
SELECT uri, rev FROM {schema}.record WHERE uri = ANY($1::text[])

-- name: replies_of
SELECT uri FROM {schema}.post WHERE "replyParent" = ANY($1::text[])
