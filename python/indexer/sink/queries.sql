-- The statements that are written by hand. `{schema}` is the schema of the AppView's tables. Arrays come sorted.

-- name: begin
-- Everything here is looked up by key, so plans that scan or hash whole tables are never right, however young the
-- statistics are. SET LOCAL because poolers keep no session state.
BEGIN;
SET LOCAL statement_timeout = '{statement_timeout_ms}ms';
SET LOCAL lock_timeout = '{lock_timeout_ms}ms';
SET LOCAL enable_seqscan = off;
SET LOCAL enable_hashjoin = off;
SET LOCAL enable_mergejoin = off;
SET LOCAL jit = off

-- name: lock_records
-- What is known of the records of a batch. Whoever writes rows of a record holds the lock on its `record` row.
SELECT uri, rev, CASE WHEN json = '' THEN '' ELSE cid END, "indexedAt"
FROM {schema}.record WHERE uri = ANY($1::text[]) ORDER BY uri FOR NO KEY UPDATE

-- name: lock_free_records
-- The same for records beside the batch, where nobody else holds them.
SELECT uri, rev, CASE WHEN json = '' THEN '' ELSE cid END, "indexedAt"
FROM {schema}.record WHERE uri = ANY($1::text[]) ORDER BY uri FOR NO KEY UPDATE SKIP LOCKED

-- name: record_json
-- The text of live records.
SELECT uri, json FROM {schema}.record WHERE uri = ANY($1::text[]) AND json <> '' AND cid <> ''

-- name: duplicates_of_records
-- Rows of `duplicate_record` on either side of which one of these records stands.
SELECT uri, "duplicateOf" FROM {schema}.duplicate_record WHERE uri = ANY($1::text[])
UNION
SELECT uri, "duplicateOf" FROM {schema}.duplicate_record WHERE "duplicateOf" = ANY($1::text[])

-- name: ancestors
-- Posts by URI, and the posts above them up to a height.
WITH RECURSIVE above (uri, height) AS (
    SELECT unnest($1::text[]), 1
    UNION
    SELECT p."replyParent", above.height + 1
    FROM above JOIN {schema}.post p ON p.uri = above.uri
    WHERE p."replyParent" IS NOT NULL AND above.height < $2::int
)
SELECT p.uri, p."replyParent", p."replyRoot", p."invalidReplyRoot"
FROM (SELECT DISTINCT uri FROM above) a JOIN {schema}.post p ON p.uri = a.uri

-- name: replies_below
-- The replies below posts, at most five levels down.
WITH RECURSIVE below (uri, depth) AS (
    SELECT p.uri, 1 FROM {schema}.post p WHERE p."replyParent" = ANY($1::text[])
    UNION
    SELECT p.uri, below.depth + 1
    FROM below JOIN {schema}.post p ON p."replyParent" = below.uri WHERE below.depth < 5
)
SELECT p.uri, p."replyParent", p.cid, p."createdAt", p."indexedAt"
FROM (SELECT DISTINCT uri FROM below) b JOIN {schema}.post p ON p.uri = b.uri

-- name: insert_records
INSERT INTO {schema}.record (uri, cid, did, json, rev, "indexedAt")
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
ON CONFLICT DO NOTHING

-- name: update_records
-- NULL json leaves the text as it is: the same version came again.
UPDATE {schema}.record r SET cid = u.cid, json = coalesce(u.json, r.json), rev = u.rev, "indexedAt" = u."indexedAt"
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) u (uri, cid, json, rev, "indexedAt")
WHERE r.uri = u.uri

-- name: delete_duplicates
DELETE FROM {schema}.duplicate_record WHERE uri = ANY($1::text[])

-- name: upsert_duplicates
INSERT INTO {schema}.duplicate_record (uri, cid, "duplicateOf", "indexedAt")
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
ON CONFLICT (uri) DO UPDATE
SET cid = excluded.cid, "duplicateOf" = excluded."duplicateOf", "indexedAt" = excluded."indexedAt"

-- name: lock_posts
-- One pass in one order over the posts that are removed or flagged; their rows may be somebody else's.
SELECT 1 FROM {schema}.post WHERE uri = ANY($1::text[]) ORDER BY uri FOR UPDATE

-- name: flag_gates
-- hasThreadGate and hasPostGate follow the gates' rows (DIV-11). NULL and false mean the same.
UPDATE {schema}.post p SET "hasThreadGate" = g.thread, "hasPostGate" = g.post
FROM (
    SELECT p.uri,
        CASE WHEN EXISTS (SELECT 1 FROM {schema}.thread_gate t WHERE t."postUri" = p.uri) THEN true
             WHEN p."hasThreadGate" THEN false ELSE p."hasThreadGate" END AS thread,
        CASE WHEN EXISTS (SELECT 1 FROM {schema}.post_gate t WHERE t."postUri" = p.uri) THEN true
             WHEN p."hasPostGate" THEN false ELSE p."hasPostGate" END AS post
    FROM {schema}.post p WHERE p.uri = ANY($1::text[])
) g
WHERE p.uri = g.uri
    AND (p."hasThreadGate" IS DISTINCT FROM g.thread OR p."hasPostGate" IS DISTINCT FROM g.post)

-- name: delete_feed_items
-- Feed items by URI, and those of reposts older than the deletion of their post (DIV-18).
WITH doomed AS (
    SELECT f.uri FROM {schema}.feed_item f WHERE f.uri IN (
        SELECT unnest($1::text[])
        UNION
        SELECT f.uri FROM unnest($2::text[], $3::text[]) d (post, rev)
        JOIN {schema}.feed_item f ON f."postUri" = d.post AND f.type = 'repost'
        JOIN {schema}.record r ON r.uri = f.uri AND r.rev COLLATE "C" < d.rev COLLATE "C"
    ) ORDER BY f.uri FOR UPDATE
)
DELETE FROM {schema}.feed_item f USING doomed WHERE f.uri = doomed.uri

-- name: delete_quotes
-- Quotes by URI, and those older than the deletion of their post (DIV-18).
WITH doomed AS (
    SELECT q.uri FROM {schema}.quote q WHERE q.uri IN (
        SELECT unnest($1::text[])
        UNION
        SELECT q.uri FROM unnest($2::text[], $3::text[]) d (post, rev)
        JOIN {schema}.quote q ON q.subject = d.post
        JOIN {schema}.record r ON r.uri = q.uri AND r.rev COLLATE "C" < d.rev COLLATE "C"
    ) ORDER BY q.uri FOR UPDATE
)
DELETE FROM {schema}.quote q USING doomed WHERE q.uri = doomed.uri RETURNING q.subject

-- name: restore_feed_items
-- A repost that came again under a newer rev than that of its post's deletion hangs on it again (DIV-18), under the
-- dates of its row, which did not move.
INSERT INTO {schema}.feed_item (uri, cid, type, "postUri", "originatorDid", "sortAt")
SELECT u.uri, u.cid, 'repost', u.post, u.did,
    coalesce((SELECT least(r."createdAt", r."indexedAt") FROM {schema}.repost r WHERE r.uri = u.uri), least(u.created, u.indexed))
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
    u (uri, post, rev, cid, did, created, indexed)
WHERE NOT EXISTS (SELECT 1 FROM {schema}.feed_item f WHERE f.uri = u.uri)
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.record s WHERE s.uri = u.post AND s.json = '' AND s.rev COLLATE "C" > u.rev COLLATE "C"
    )
ON CONFLICT DO NOTHING

-- name: restore_quotes
-- The same for quoting posts.
INSERT INTO {schema}.quote (uri, cid, subject, "subjectCid", "createdAt", "indexedAt")
SELECT p.uri, p.cid, e."embedUri", e."embedCid", p."createdAt", p."indexedAt"
FROM unnest($1::text[], $2::text[], $3::text[]) u (uri, post, rev)
    JOIN {schema}.post p ON p.uri = u.uri
    JOIN {schema}.post_embed_record e ON e."postUri" = p.uri AND e."embedUri" = u.post
WHERE NOT EXISTS (SELECT 1 FROM {schema}.quote q WHERE q.uri = u.uri)
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.record s WHERE s.uri = u.post AND s.json = '' AND s.rev COLLATE "C" > u.rev COLLATE "C"
    )
ON CONFLICT DO NOTHING
RETURNING uri, cid, subject, "subjectCid", "createdAt", "indexedAt"

-- name: delete_notifications
DELETE FROM {schema}.notification WHERE "recordUri" = ANY($1::text[])

-- name: insert_notifications
-- Who muted the thread of the subject is not told (records.md 2.5).
INSERT INTO {schema}.notification (did, "recordUri", "recordCid", author, reason, "reasonSubject", "sortAt")
SELECT n.did, n.record, n.cid, n.author, n.reason, n.subject, least(n.at, n.or_at)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
    WITH ORDINALITY n (did, record, cid, author, reason, subject, at, or_at, thread, position)
WHERE n.subject IS NULL OR n.subject LIKE 'did:%' OR NOT EXISTS (
    SELECT 1 FROM {schema}.thread_mute m
    WHERE m."mutedByDid" = n.did AND m."rootUri" = coalesce(
        n.thread, (SELECT coalesce(p."replyRoot", p.uri) FROM {schema}.post p WHERE p.uri = n.subject)
    )
)
ORDER BY n.position

-- name: upsert_commits
INSERT INTO {schema}.actor_sync AS a (did, "commitCid", "repoRev")
SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (did) DO UPDATE SET "commitCid" = excluded."commitCid", "repoRev" = excluded."repoRev"
WHERE a."repoRev" COLLATE "C" < excluded."repoRev" COLLATE "C"

-- name: known_actors
-- In one snapshot: rows of `actor`, and DIDs of which a look-up waits.
SELECT did, false, handle, "indexedAt" FROM {schema}.actor WHERE did = ANY($1::text[])
UNION ALL
SELECT did, true, NULL, NULL FROM indexer.handle_lookup WHERE did = ANY($1::text[])

-- name: lock_look_ups
SELECT did, found_time, missing_time FROM indexer.handle_lookup WHERE did = ANY($1::text[]) ORDER BY did FOR UPDATE

-- name: ask_look_ups
-- Where one is there already, this fails: leaving it out (ON CONFLICT) costs half as much again.
INSERT INTO indexer.handle_lookup (did, found_time, missing_time)
SELECT did, time, time FROM unnest($1::text[], $2::text[]) u (did, time)

-- name: move_look_ups
UPDATE indexer.handle_lookup q SET found_time = u.found_time, missing_time = u.missing_time
FROM unnest($1::text[], $2::text[], $3::text[]) u (did, found_time, missing_time) WHERE q.did = u.did

-- name: upsert_statuses
-- The newest account event decides (DIV-9); returns those that did.
INSERT INTO indexer.account_status AS s (did, time, at_ms, status)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::text[])
ON CONFLICT (did) DO UPDATE SET time = excluded.time, at_ms = excluded.at_ms, status = excluded.status
WHERE (s.at_ms, s.time COLLATE "C", coalesce(s.status, '') COLLATE "C")
    < (excluded.at_ms, excluded.time COLLATE "C", coalesce(excluded.status, '') COLLATE "C")
RETURNING did, status

-- name: add_actors
-- Actors without a handle, for a status to be kept.
INSERT INTO {schema}.actor (did, "indexedAt") SELECT * FROM unnest($1::text[], $2::text[]) ON CONFLICT DO NOTHING

-- name: set_statuses
WITH locked AS (SELECT did FROM {schema}.actor WHERE did = ANY($1::text[]) ORDER BY did FOR NO KEY UPDATE)
UPDATE {schema}.actor a SET "upstreamStatus" = u.status
FROM locked JOIN unnest($1::text[], $2::text[]) u (did, status) ON u.did = locked.did
WHERE a.did = locked.did AND a."upstreamStatus" IS DISTINCT FROM u.status

-- name: ask_deletions
-- The newest deletion counts, also where an older one is done or under way.
INSERT INTO indexer.account_deletion AS d (did, time, at_ms)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
ON CONFLICT (did) DO UPDATE
SET time = excluded.time, at_ms = excluded.at_ms, state = 'asked', attempts = 0, next_at = now(), cause = NULL
WHERE (d.at_ms, d.time COLLATE "C") < (excluded.at_ms, excluded.time COLLATE "C")

-- name: withdraw_deletions
-- Deletions that a newer account event makes void, if nobody has begun with them.
WITH void AS (
    SELECT d.did FROM indexer.account_deletion d JOIN indexer.account_status s ON s.did = d.did
    WHERE d.did = ANY($1::text[]) AND d.state = 'asked'
        AND (d.at_ms, d.time COLLATE "C", 'deleted' COLLATE "C")
            < (s.at_ms, s.time COLLATE "C", coalesce(s.status, '') COLLATE "C")
    ORDER BY d.did FOR UPDATE OF d
)
DELETE FROM indexer.account_deletion d USING void WHERE d.did = void.did

-- name: take_look_ups
-- Look-ups that are due, longest first. Whoever takes them has them for a while; nobody waits for them here.
WITH due AS (
    SELECT did FROM indexer.handle_lookup WHERE next_at <= now() ORDER BY next_at LIMIT $1 FOR UPDATE SKIP LOCKED
)
UPDATE indexer.handle_lookup q SET next_at = now() + $2::float8 * interval '1 second'
FROM due WHERE q.did = due.did RETURNING q.did, q.attempts

-- name: lock_actors
-- By DID and by handle.
SELECT a.did FROM {schema}.actor a WHERE a.did IN (
    SELECT unnest($1::text[]) UNION SELECT h.did FROM {schema}.actor h WHERE h.handle = ANY($2::text[])
) ORDER BY a.did FOR UPDATE

-- name: take_handles
-- Whose handle now is another's has none any more (actors.md 2.2, step 4).
UPDATE {schema}.actor a SET handle = NULL FROM unnest($1::text[], $2::text[]) u (did, handle)
WHERE a.handle = u.handle AND a.did <> u.did

-- name: upsert_actors
INSERT INTO {schema}.actor (did, handle, "indexedAt") SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
ON CONFLICT (did) DO UPDATE SET handle = excluded.handle, "indexedAt" = excluded."indexedAt"

-- name: drop_look_ups
DELETE FROM indexer.handle_lookup WHERE did = ANY($1::text[])

-- name: put_off_look_ups
-- By seconds, for a cause; without one it was only given back.
UPDATE indexer.handle_lookup q SET
    next_at = now() + u.seconds * interval '1 second', cause = coalesce(u.cause, q.cause),
    attempts = q.attempts + CASE WHEN u.cause IS NULL THEN 0 ELSE 1 END
FROM unnest($1::text[], $2::float8[], $3::text[]) u (did, seconds, cause) WHERE q.did = u.did

-- name: look_ups_waiting
SELECT count(*) FROM indexer.handle_lookup

-- name: count_posts
-- The aggregates of posts move by what really changed. A key that nobody counted before us starts at nothing, not below.
INSERT INTO {schema}.post_agg AS a (uri, "likeCount", "replyCount", "repostCount", "quoteCount")
SELECT u.* FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
    u (uri, likes, replies, reposts, quotes)
WHERE least(u.likes, u.replies, u.reposts, u.quotes) >= 0
    OR EXISTS (SELECT 1 FROM {schema}.post_agg x WHERE x.uri = u.uri)
ON CONFLICT (uri) DO UPDATE SET
    "likeCount" = greatest(a."likeCount" + excluded."likeCount", 0),
    "replyCount" = greatest(a."replyCount" + excluded."replyCount", 0),
    "repostCount" = greatest(a."repostCount" + excluded."repostCount", 0),
    "quoteCount" = greatest(a."quoteCount" + excluded."quoteCount", 0)

-- name: count_profiles
-- The same for the aggregates of accounts.
INSERT INTO {schema}.profile_agg AS a (did, "followersCount", "followsCount", "postsCount")
SELECT u.* FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) u (did, followers, follows, posts)
WHERE least(u.followers, u.follows, u.posts) >= 0
    OR EXISTS (SELECT 1 FROM {schema}.profile_agg x WHERE x.did = u.did)
ON CONFLICT (did) DO UPDATE SET
    "followersCount" = greatest(a."followersCount" + excluded."followersCount", 0),
    "followsCount" = greatest(a."followsCount" + excluded."followsCount", 0),
    "postsCount" = greatest(a."postsCount" + excluded."postsCount", 0)

-- name: insert_dead_letters
INSERT INTO indexer.dead_letter AS d
    (stream, message_id, cause, class, sqlstate, detail, attempts, payload, first_at, last_at)
SELECT u.*, now(), now()
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::bytea[]) u
ON CONFLICT (stream, message_id) DO UPDATE SET
    cause = excluded.cause, class = excluded.class, sqlstate = excluded.sqlstate, detail = excluded.detail,
    attempts = excluded.attempts, payload = excluded.payload, last_at = excluded.last_at

-- name: loose_ends
-- What transactions that did not see each other may have left, among the keys of a batch: $1 URIs of records that may
-- be parents, $2 posts, $3 posts and posts of gates, $4 reposts, $5 quoting posts. One row per finding.
SELECT 'gate' AS what, p.uri FROM {schema}.post p WHERE p.uri = ANY($3::text[]) AND (
    coalesce(p."hasThreadGate", false) <> EXISTS (SELECT 1 FROM {schema}.thread_gate t WHERE t."postUri" = p.uri)
    OR coalesce(p."hasPostGate", false) <> EXISTS (SELECT 1 FROM {schema}.post_gate t WHERE t."postUri" = p.uri))
UNION ALL
SELECT 'thread', c.uri FROM {schema}.post c WHERE c.uri = ANY($2::text[]) AND c."invalidReplyRoot"
    AND EXISTS (SELECT 1 FROM {schema}.record r WHERE r.uri = c."replyParent" AND r.json <> '')
UNION ALL
SELECT 'thread', c.uri FROM {schema}.post c
WHERE c."replyParent" = ANY($1::text[]) AND c."invalidReplyRoot" IS NOT NULL
UNION ALL
SELECT 'feed_item', f.uri FROM {schema}.feed_item f
    JOIN {schema}.record s ON s.uri = f."postUri" AND s.json = ''
    JOIN {schema}.record r ON r.uri = f.uri AND r.rev COLLATE "C" < s.rev COLLATE "C"
WHERE f.uri = ANY($4::text[])
UNION ALL
SELECT 'quote', q.uri FROM {schema}.quote q
    JOIN {schema}.record s ON s.uri = q.subject AND s.json = ''
    JOIN {schema}.record r ON r.uri = q.uri AND r.rev COLLATE "C" < s.rev COLLATE "C"
WHERE q.uri = ANY($5::text[])
UNION ALL
SELECT 'feed_item', f.uri FROM {schema}.record s
    JOIN {schema}.feed_item f ON f."postUri" = s.uri AND f.type = 'repost'
    JOIN {schema}.record r ON r.uri = f.uri AND r.rev COLLATE "C" < s.rev COLLATE "C"
WHERE s.uri = ANY($2::text[]) AND s.json = ''
UNION ALL
SELECT 'quote', q.uri FROM {schema}.record s
    JOIN {schema}.quote q ON q.subject = s.uri
    JOIN {schema}.record r ON r.uri = q.uri AND r.rev COLLATE "C" < s.rev COLLATE "C"
WHERE s.uri = ANY($2::text[]) AND s.json = ''

-- name: replies_to_judge
-- Replies that are invalid so far, with what their parents say; where is_post is false, their records are asked.
SELECT c.uri, c."replyParent", c."replyRoot", p.uri IS NOT NULL AS is_post, p."invalidReplyRoot",
    p."replyParent", p."replyRoot"
FROM {schema}.post c LEFT JOIN {schema}.post p ON p.uri = c."replyParent"
WHERE c.uri = ANY($1::text[]) AND c."invalidReplyRoot"

-- name: flagged_children
SELECT uri FROM {schema}.post WHERE "replyParent" = ANY($1::text[]) AND "invalidReplyRoot" IS NOT NULL

-- name: clear_invalid
-- Replies whose thread turned out to be right (DIV-12).
UPDATE {schema}.post SET "invalidReplyRoot" = false WHERE uri = ANY($1::text[]) AND "invalidReplyRoot"

-- name: drop_outlived_feed_items
WITH doomed AS (
    SELECT f.uri FROM {schema}.feed_item f
        JOIN {schema}.record s ON s.uri = f."postUri" AND s.json = ''
        JOIN {schema}.record r ON r.uri = f.uri AND r.rev COLLATE "C" < s.rev COLLATE "C"
    WHERE f.uri = ANY($1::text[]) ORDER BY f.uri FOR UPDATE OF f
)
DELETE FROM {schema}.feed_item f USING doomed WHERE f.uri = doomed.uri

-- name: drop_outlived_quotes
WITH doomed AS (
    SELECT q.uri FROM {schema}.quote q
        JOIN {schema}.record s ON s.uri = q.subject AND s.json = ''
        JOIN {schema}.record r ON r.uri = q.uri AND r.rev COLLATE "C" < s.rev COLLATE "C"
    WHERE q.uri = ANY($1::text[]) ORDER BY q.uri FOR UPDATE OF q
)
DELETE FROM {schema}.quote q USING doomed WHERE q.uri = doomed.uri RETURNING q.subject

-- name: mark_dirty
-- Counters that are to be counted again, by name and key.
INSERT INTO indexer.dirty_count (counter, key) SELECT * FROM unnest($1::text[], $2::text[])

-- name: take_dirty
-- The oldest marks that nobody else is working on.
DELETE FROM indexer.dirty_count WHERE id IN (
    SELECT id FROM indexer.dirty_count ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
) RETURNING counter, key

-- name: try_locks
-- Locks until the end of the transaction, where nobody has them; the positions of those that were free.
SELECT position FROM unnest($1::bigint[]) WITH ORDINALITY l (id, position) WHERE pg_try_advisory_xact_lock(l.id)

-- name: wait_for_lock
SELECT pg_advisory_xact_lock($1::bigint)

-- name: take_marks
-- The marks of one counter that nobody else is working on.
DELETE FROM indexer.dirty_count WHERE id IN (
    SELECT id FROM indexer.dirty_count WHERE counter = $1 AND key = $2 FOR UPDATE SKIP LOCKED
)

-- name: newest_mark
SELECT max(id) FROM indexer.dirty_count

-- name: is_marked
-- Whether a mark up to this one is left; those that somebody is counting just now are.
SELECT EXISTS (SELECT 1 FROM indexer.dirty_count WHERE id <= $1)

-- name: add_post_aggregates
INSERT INTO {schema}.post_agg (uri) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING

-- name: lock_post_aggregates
SELECT 1 FROM {schema}.post_agg WHERE uri = ANY($1::text[]) ORDER BY uri FOR NO KEY UPDATE

-- name: add_profile_aggregates
INSERT INTO {schema}.profile_agg (did) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING

-- name: lock_profile_aggregates
SELECT 1 FROM {schema}.profile_agg WHERE did = ANY($1::text[]) ORDER BY did FOR NO KEY UPDATE

-- name: recount_likeCount
-- Counts of rows, taken after the aggregates' rows were locked (records.md 8; DIV-15 for quotes).
UPDATE {schema}.post_agg a SET "likeCount" = (SELECT count(*) FROM {schema}."like" t WHERE t.subject = a.uri)
WHERE a.uri = ANY($1::text[])

-- name: recount_repostCount
UPDATE {schema}.post_agg a SET "repostCount" = (SELECT count(*) FROM {schema}.repost t WHERE t.subject = a.uri)
WHERE a.uri = ANY($1::text[])

-- name: recount_replyCount
UPDATE {schema}.post_agg a SET "replyCount" = (
    SELECT count(*) FROM {schema}.post t WHERE t."replyParent" = a.uri AND NOT coalesce(t."violatesThreadGate", false)
) WHERE a.uri = ANY($1::text[])

-- name: recount_quoteCount
UPDATE {schema}.post_agg a SET "quoteCount" = (SELECT count(*) FROM {schema}.quote t WHERE t.subject = a.uri)
WHERE a.uri = ANY($1::text[])

-- name: recount_followersCount
UPDATE {schema}.profile_agg a SET "followersCount" = (
    SELECT count(*) FROM {schema}.follow t WHERE t."subjectDid" = a.did
) WHERE a.did = ANY($1::text[])

-- name: recount_followsCount
UPDATE {schema}.profile_agg a SET "followsCount" = (SELECT count(*) FROM {schema}.follow t WHERE t.creator = a.did)
WHERE a.did = ANY($1::text[])

-- name: recount_postsCount
UPDATE {schema}.profile_agg a SET "postsCount" = (SELECT count(*) FROM {schema}.post t WHERE t.creator = a.did)
WHERE a.did = ANY($1::text[])
