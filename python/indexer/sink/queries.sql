-- The statements that are written by hand. `{schema}` is the schema of the AppView's tables. Arrays come sorted.

-- name: begin
-- Everything here is looked up by key, so plans that scan or hash whole tables are never right, however young the
-- statistics are. SET LOCAL because poolers keep no session state.
BEGIN;
SET LOCAL statement_timeout = '{statement_timeout_ms}ms';
SET LOCAL lock_timeout = '{lock_timeout_ms}ms';
SET LOCAL idle_in_transaction_session_timeout = '{idle_timeout_ms}ms';
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
-- hasThreadGate and hasPostGate follow the gates' rows (DIV-11): of $1 posts of gates that came or went, and of $2 posts
-- that are new (DIV-14). NULL and false mean the same.
UPDATE {schema}.post p SET "hasThreadGate" = g.thread, "hasPostGate" = g.post
FROM (
    SELECT p.uri,
        CASE WHEN EXISTS (SELECT 1 FROM {schema}.thread_gate t WHERE t."postUri" = p.uri) THEN true
             WHEN p."hasThreadGate" THEN false ELSE p."hasThreadGate" END AS thread,
        CASE WHEN EXISTS (SELECT 1 FROM {schema}.post_gate t WHERE t."postUri" = p.uri) THEN true
             WHEN p."hasPostGate" THEN false ELSE p."hasPostGate" END AS post
    FROM {schema}.post p WHERE p.uri IN (
        SELECT unnest($1::text[])
        UNION SELECT "postUri" FROM {schema}.thread_gate WHERE "postUri" = ANY($2::text[])
        UNION SELECT "postUri" FROM {schema}.post_gate WHERE "postUri" = ANY($2::text[])
    )
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
RETURNING f.uri, f."postUri", f.cid, f."originatorDid", f."sortAt"

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
DELETE FROM {schema}.quote q USING doomed WHERE q.uri = doomed.uri
RETURNING q.uri, q.subject, q.cid, '' AS creator, '' AS at

-- name: restore_feed_items
-- Reposts that hang on their post although they have no feed item: they came again under a newer rev than that of the
-- post's deletion (DIV-18). Under the dates of their row, which did not move; a duplicate has none.
INSERT INTO {schema}.feed_item (uri, cid, type, "postUri", "originatorDid", "sortAt")
SELECT u.uri, u.cid, 'repost', u.post, u.did, coalesce(t."sortAt", u.at)
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) u (uri, post, cid, did, at)
    JOIN {schema}.record r ON r.uri = u.uri AND r.cid = u.cid
    LEFT JOIN {schema}.repost t ON t.uri = u.uri
WHERE NOT EXISTS (SELECT 1 FROM {schema}.feed_item f WHERE f.uri = u.uri)
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.record s WHERE s.uri = u.post AND s.json = '' AND s.rev COLLATE "C" > r.rev COLLATE "C"
    )
ON CONFLICT DO NOTHING

-- name: restore_quotes
-- The same for quoting posts.
INSERT INTO {schema}.quote (uri, cid, subject, "subjectCid", "createdAt", "indexedAt")
SELECT p.uri, p.cid, e."embedUri", e."embedCid", p."createdAt", p."indexedAt"
FROM unnest($1::text[], $2::text[], $3::text[]) u (uri, post, cid)
    JOIN {schema}.record r ON r.uri = u.uri AND r.cid = u.cid
    JOIN {schema}.post p ON p.uri = u.uri
    JOIN {schema}.post_embed_record e ON e."postUri" = p.uri AND e."embedUri" = u.post
WHERE NOT EXISTS (SELECT 1 FROM {schema}.quote q WHERE q.uri = u.uri)
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.record s WHERE s.uri = u.post AND s.json = '' AND s.rev COLLATE "C" > r.rev COLLATE "C"
    )
ON CONFLICT DO NOTHING
RETURNING uri, cid, subject, "subjectCid", "createdAt", "indexedAt"

-- name: delete_notifications
DELETE FROM {schema}.notification WHERE "recordUri" = ANY($1::text[])

-- name: thread_mutes
-- Who muted the threads of $1 subjects (records.md 2.5): position and DID. $2 is the root where the batch knows it.
SELECT n.position, m."mutedByDid"
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY n (subject, thread, position)
JOIN {schema}.thread_mute m ON m."rootUri" = coalesce(
    n.thread, (SELECT coalesce(p."replyRoot", p.uri) FROM {schema}.post p WHERE p.uri = n.subject)
)

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
-- Deletions that a newer account event makes void, if nobody has begun with them. What an older one began is finished.
WITH void AS (
    SELECT d.did FROM indexer.account_deletion d JOIN indexer.account_status s ON s.did = d.did
    WHERE d.did = ANY($1::text[]) AND d.state = 'asked'
        AND (d.at_ms, d.time COLLATE "C", 'deleted' COLLATE "C")
            < (s.at_ms, s.time COLLATE "C", coalesce(s.status, '') COLLATE "C")
    ORDER BY d.did FOR UPDATE OF d
), resumed AS (
    UPDATE indexer.account_deletion d SET state = 'removing', next_at = now()
    FROM void WHERE d.did = void.did AND d.removed_ms IS NOT NULL
)
DELETE FROM indexer.account_deletion d USING void WHERE d.did = void.did AND d.removed_ms IS NULL

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

-- name: upsert_labels
-- A label takes the place of the one with its key where its cts is greater, as text (actors.md 5). Returns how many rows
-- are new, and how many changed: a row that was inserted has no xmax.
WITH written AS (
    INSERT INTO {schema}.label AS l (src, uri, cid, val, neg, cts, exp)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::text[])
    ON CONFLICT (src, uri, cid, val) DO UPDATE SET neg = excluded.neg, cts = excluded.cts, exp = excluded.exp
    WHERE l.cts COLLATE "C" < excluded.cts COLLATE "C"
    RETURNING l.xmax = 0 AS is_new
)
SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM written

-- name: loose_ends
-- What transactions that did not see each other may have left, among the keys of a batch: $1 URIs of records that may
-- be parents, $2 posts, $3 posts and posts of gates, $4 reposts, $5 quoting posts, $6 and $7 the posts that these two
-- hang on, $8 and $9 their versions. One row per finding.
--
-- What hangs on a post that is not there can be missing where its renewal did not see the deletion's work, nor the
-- deletion the renewal. On a post that was deleted and came again it is missing rightly.
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
WHERE f.uri = ANY($4::text[]) AND f."postUri" = ANY($6::text[])
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
UNION ALL
SELECT 'no_feed_item', u.uri FROM unnest($4::text[], $6::text[], $8::text[]) u (uri, post, cid)
    JOIN {schema}.record r ON r.uri = u.uri AND r.cid = u.cid
WHERE NOT EXISTS (SELECT 1 FROM {schema}.feed_item f WHERE f.uri = u.uri)
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.record s
        WHERE s.uri = u.post AND (s.json <> '' OR s.rev COLLATE "C" > r.rev COLLATE "C")
    )
UNION ALL
SELECT 'no_quote', u.uri FROM unnest($5::text[], $7::text[], $9::text[]) u (uri, post, cid)
    JOIN {schema}.record r ON r.uri = u.uri AND r.cid = u.cid
WHERE NOT EXISTS (SELECT 1 FROM {schema}.quote q WHERE q.uri = u.uri)
    AND NOT EXISTS (
        SELECT 1 FROM {schema}.record s
        WHERE s.uri = u.post AND (s.json <> '' OR s.rev COLLATE "C" > r.rev COLLATE "C")
    )

-- name: replies_to_judge
-- Replies that are invalid so far, with what their parents say; where is_post is false, their records are asked.
SELECT c.uri, c."replyParent", c."replyRoot", p.uri IS NOT NULL AS is_post, p."invalidReplyRoot",
    p."replyParent", p."replyRoot"
FROM {schema}.post c LEFT JOIN {schema}.post p ON p.uri = c."replyParent"
WHERE c.uri = ANY($1::text[]) AND c."invalidReplyRoot"

-- name: flagged_below
-- All replies below posts, down to those that were never judged.
WITH RECURSIVE below AS (
    SELECT uri FROM {schema}.post WHERE "replyParent" = ANY($1::text[]) AND "invalidReplyRoot" IS NOT NULL
    UNION
    SELECT p.uri FROM below b JOIN {schema}.post p ON p."replyParent" = b.uri WHERE p."invalidReplyRoot" IS NOT NULL
)
SELECT uri FROM below

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

-- name: take_number
-- The transaction gets its number here, before it looks at anything: who waits for all older numbers waits for it.
SELECT pg_current_xact_id()

-- name: removals
-- Up to when the events of accounts are stale, by DID.
SELECT did, removed_ms FROM indexer.account_deletion WHERE did = ANY($1::text[]) AND removed_ms IS NOT NULL

-- name: take_deletions
-- Deletions in a state that are due, the longest first. Whoever takes them has them for some seconds.
WITH due AS (
    SELECT did FROM indexer.account_deletion WHERE state <> 'removed' AND state = $1 AND next_at <= now()
    ORDER BY next_at LIMIT $2 FOR UPDATE SKIP LOCKED
)
UPDATE indexer.account_deletion d
SET attempts = d.attempts + 1, next_at = now() + $3::float8 * interval '1 second'
FROM due WHERE d.did = due.did RETURNING d.did, d.attempts, d.at_ms, d.removed_ms

-- name: put_off_deletion
UPDATE indexer.account_deletion SET next_at = now() + $3::float8 * interval '1 second', cause = coalesce($4, cause)
WHERE did = $1 AND attempts = $2

-- name: account_is_gone
-- From here on its events are stale, up to the deletion.
UPDATE indexer.account_deletion
SET state = 'removing', removed_ms = greatest(removed_ms, at_ms), cause = $4, next_at = now()
WHERE did = $1 AND attempts = $2 AND at_ms = $3 AND state = 'asked'

-- name: account_is_hosted
-- What an older deletion began comes to its end.
UPDATE indexer.account_deletion SET state = 'removing', cause = 'hosted', next_at = now()
WHERE did = $1 AND attempts = $2 AND at_ms = $3 AND state = 'asked' AND removed_ms IS NOT NULL

-- name: withdraw_deletion
DELETE FROM indexer.account_deletion
WHERE did = $1 AND attempts = $2 AND at_ms = $3 AND state = 'asked' AND removed_ms IS NULL

-- name: note_removed_rows
UPDATE indexer.account_deletion
SET removed_rows = removed_rows + $4, next_at = now() + $5::float8 * interval '1 second'
WHERE did = $1 AND attempts = $2 AND removed_ms = $3 AND state = 'removing'

-- name: account_is_removed
UPDATE indexer.account_deletion SET state = 'removed'
WHERE did = $1 AND attempts = $2 AND removed_ms = $3 AND state = 'removing' RETURNING removed_rows

-- name: deletions_left
SELECT state, count(*) FROM indexer.account_deletion WHERE state <> 'removed' GROUP BY state

-- name: next_number
-- Higher than that of any other transaction so far. (xmax of a snapshot is not: it follows what is over, not what runs.)
SELECT pg_current_xact_id()::text

-- name: oldest_number
-- Every transaction with a lower number is over.
SELECT pg_snapshot_xmin(pg_current_snapshot())::text

-- name: records_of_account
-- With the rev of tombstones.
SELECT uri, "indexedAt", CASE WHEN json = '' THEN rev END FROM {schema}.record WHERE did = $1 OFFSET $2 LIMIT $3

-- name: without_record
SELECT u.uri FROM unnest($1::text[]) u (uri) WHERE NOT EXISTS (SELECT 1 FROM {schema}.record r WHERE r.uri = u.uri)

-- name: duplicates_of_nothing
SELECT d.uri FROM {schema}.duplicate_record d
WHERE d.uri = ANY($1::text[]) AND NOT EXISTS (SELECT 1 FROM {schema}.record r WHERE r.uri = d."duplicateOf")

-- name: delete_records
DELETE FROM {schema}.record WHERE uri = ANY($1::text[])

-- name: drop_feed_items_of_posts
-- Of other people's reposts, a portion.
WITH doomed AS (
    SELECT f.uri FROM {schema}.feed_item f WHERE f.uri IN (
        SELECT f.uri FROM {schema}.feed_item f WHERE f."postUri" = ANY($1::text[]) AND f.type = 'repost' LIMIT $2
    ) ORDER BY f.uri FOR UPDATE
)
DELETE FROM {schema}.feed_item f USING doomed WHERE f.uri = doomed.uri RETURNING f.uri

-- name: drop_quotes_of_posts
WITH doomed AS (
    SELECT q.uri FROM {schema}.quote q WHERE q.uri IN (
        SELECT q.uri FROM {schema}.quote q WHERE q.subject = ANY($1::text[]) LIMIT $2
    ) ORDER BY q.uri FOR UPDATE
)
DELETE FROM {schema}.quote q USING doomed WHERE q.uri = doomed.uri RETURNING q.subject

-- name: notifications_to_account
SELECT id, "sortAt" FROM {schema}.notification WHERE did = $1 OFFSET $2 LIMIT $3

-- name: notifications_by_account
-- Those of records that are there are left to their records.
SELECT n.id, NULL FROM {schema}.notification n
WHERE n.author = $1 AND NOT EXISTS (SELECT 1 FROM {schema}.record r WHERE r.uri = n."recordUri") OFFSET $2 LIMIT $3

-- name: drop_notifications
-- Others delete them by their records, in another order: who waited for them here might wait in a circle.
DELETE FROM {schema}.notification WHERE id IN (
    SELECT id FROM {schema}.notification WHERE id = ANY($1::bigint[]) FOR UPDATE SKIP LOCKED
)

-- name: drop_idle_post_aggregates
-- The data plane counts bookmarks; databases before October 2025 have no column for them.
DELETE FROM {schema}.post_agg a
WHERE a.uri = ANY($1::text[]) AND a."likeCount" = 0 AND a."replyCount" = 0 AND a."repostCount" = 0
    AND a."quoteCount" = 0 AND coalesce((to_jsonb(a) ->> 'bookmarkCount')::bigint, 0) = 0

-- name: drop_idle_profile_aggregates
DELETE FROM {schema}.profile_agg a
WHERE a.did = ANY($1::text[]) AND a."followersCount" = 0 AND a."followsCount" = 0 AND a."postsCount" = 0

-- name: lock_look_up
SELECT found_time FROM indexer.handle_lookup WHERE did = $1 FOR UPDATE

-- name: drop_look_up
DELETE FROM indexer.handle_lookup WHERE did = $1

-- name: lock_actor
SELECT "indexedAt" FROM {schema}.actor WHERE did = $1 FOR UPDATE

-- name: actor_time
SELECT "indexedAt" FROM {schema}.actor WHERE did = $1

-- name: lock_status
SELECT 1 FROM indexer.account_status WHERE did = $1 FOR UPDATE

-- name: look_up_again
-- Who said since $2 how the account stands asked for its handle, too.
INSERT INTO indexer.handle_lookup (did, found_time, missing_time)
SELECT did, time, time FROM indexer.account_status WHERE did = $1 AND at_ms > $2
ON CONFLICT DO NOTHING

-- name: keep_status
-- A status since $2, where the row of the actor is gone.
INSERT INTO {schema}.actor (did, "indexedAt", "upstreamStatus")
SELECT did, time, status FROM indexer.account_status WHERE did = $1 AND at_ms > $2 AND status IS NOT NULL
ON CONFLICT DO NOTHING

-- name: drop_actor
DELETE FROM {schema}.actor WHERE did = $1

-- name: lock_commits
SELECT 1 FROM {schema}.actor_sync WHERE did = $1 FOR UPDATE

-- name: drop_commits
-- A record that came in the meantime has brought its commit.
DELETE FROM {schema}.actor_sync WHERE did = $1 AND NOT EXISTS (SELECT 1 FROM {schema}.record r WHERE r.did = $1)
