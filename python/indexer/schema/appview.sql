-- The AppView's tables as its TypeScript migrations leave them (54 of them, the last of October 2025).
-- Unqualified: whoever runs this sets search_path, inside the transaction, to the schema that is to hold them and to
-- the schema of the extension pg_trgm.

CREATE TABLE activity_subscription (
    creator character varying NOT NULL,
    "subjectDid" character varying NOT NULL,
    key character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    post boolean NOT NULL,
    reply boolean NOT NULL,
    CONSTRAINT activity_subscription_pkey PRIMARY KEY (creator, key),
    CONSTRAINT activity_subscription_unique_creator_subject_did UNIQUE (creator, "subjectDid")
);

CREATE TABLE actor (
    did character varying NOT NULL,
    handle character varying,
    "indexedAt" character varying NOT NULL,
    "takedownRef" character varying,
    "upstreamStatus" character varying,
    "trustedVerifier" boolean DEFAULT false NOT NULL,
    "ageAssuranceStatus" text,
    "ageAssuranceLastInitiatedAt" character varying,
    CONSTRAINT actor_pkey PRIMARY KEY (did),
    CONSTRAINT actor_handle_key UNIQUE (handle)
);
CREATE INDEX actor_handle_tgrm_idx ON actor USING gist (handle gist_trgm_ops);

CREATE TABLE actor_block (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    "subjectDid" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    CONSTRAINT actor_block_pkey PRIMARY KEY (uri),
    CONSTRAINT actor_block_unique_subject UNIQUE (creator, "subjectDid")
);
CREATE INDEX actor_block_subjectdid_idx ON actor_block ("subjectDid");

CREATE TABLE actor_state (
    did character varying NOT NULL,
    "lastSeenNotifs" character varying NOT NULL,
    "priorityNotifs" boolean DEFAULT false NOT NULL,
    "lastSeenPriorityNotifs" character varying,
    CONSTRAINT actor_state_pkey PRIMARY KEY (did)
);

CREATE TABLE actor_sync (
    did character varying NOT NULL,
    "commitCid" character varying NOT NULL,
    "repoRev" character varying,
    CONSTRAINT actor_sync_pkey PRIMARY KEY (did)
);

CREATE TABLE post (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    text character varying NOT NULL,
    "replyRoot" character varying,
    "replyRootCid" character varying,
    "replyParent" character varying,
    "replyParentCid" character varying,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    langs jsonb,
    "invalidReplyRoot" boolean,
    "violatesThreadGate" boolean,
    tags jsonb,
    "violatesEmbeddingRules" boolean,
    "hasThreadGate" boolean,
    "hasPostGate" boolean,
    CONSTRAINT post_pkey PRIMARY KEY (uri)
);
CREATE INDEX post_creator_cursor_idx ON post (creator, "sortAt", cid);
CREATE INDEX post_order_by_idx ON post ("sortAt", cid);
CREATE INDEX post_replyparent_idx ON post ("replyParent") INCLUDE (uri);

CREATE TABLE post_agg (
    uri character varying NOT NULL,
    "likeCount" bigint DEFAULT 0 NOT NULL,
    "replyCount" bigint DEFAULT 0 NOT NULL,
    "repostCount" bigint DEFAULT 0 NOT NULL,
    "quoteCount" bigint DEFAULT 0 NOT NULL,
    "bookmarkCount" bigint DEFAULT 0 NOT NULL,
    CONSTRAINT post_agg_pkey PRIMARY KEY (uri)
);

CREATE TABLE view_param (
    name character varying NOT NULL,
    value character varying,
    CONSTRAINT view_param_pkey PRIMARY KEY (name)
);

CREATE TABLE blob_takedown (
    did character varying NOT NULL,
    cid character varying NOT NULL,
    "takedownRef" character varying NOT NULL,
    CONSTRAINT blob_takedown_pkey PRIMARY KEY (did, cid)
);

CREATE TABLE bookmark (
    creator character varying NOT NULL,
    key character varying NOT NULL,
    "subjectUri" character varying NOT NULL,
    "subjectCid" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    CONSTRAINT bookmark_pkey PRIMARY KEY (creator, key),
    CONSTRAINT bookmark_unique_uri_creator UNIQUE ("subjectUri", creator)
);

CREATE TABLE did_cache (
    did character varying NOT NULL,
    doc jsonb NOT NULL,
    "updatedAt" bigint NOT NULL,
    CONSTRAINT did_cache_pkey PRIMARY KEY (did)
);

CREATE TABLE duplicate_record (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    "duplicateOf" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    CONSTRAINT duplicate_record_pkey PRIMARY KEY (uri)
);
CREATE INDEX duplicate_record_duplicate_of_idx ON duplicate_record ("duplicateOf");

CREATE TABLE feed_generator (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    "feedDid" character varying NOT NULL,
    "displayName" character varying,
    description character varying,
    "descriptionFacets" character varying,
    "avatarCid" character varying,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    CONSTRAINT feed_generator_pkey PRIMARY KEY (uri)
);
CREATE INDEX feed_generator_creator_index ON feed_generator (creator);

CREATE TABLE feed_item (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    type character varying NOT NULL,
    "postUri" character varying NOT NULL,
    "originatorDid" character varying NOT NULL,
    "sortAt" character varying NOT NULL,
    CONSTRAINT feed_item_pkey PRIMARY KEY (uri)
);
CREATE INDEX feed_item_cursor_idx ON feed_item ("sortAt", cid);
CREATE INDEX feed_item_originator_cursor_idx ON feed_item ("originatorDid", "sortAt", cid);
CREATE INDEX feed_item_post_uri_idx ON feed_item ("postUri");

CREATE TABLE follow (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    "subjectDid" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    CONSTRAINT follow_pkey PRIMARY KEY (uri),
    CONSTRAINT follow_unique_subject UNIQUE (creator, "subjectDid")
);
CREATE INDEX follow_creator_cursor_idx ON follow (creator, "sortAt", cid);
CREATE INDEX follow_subject_cursor_idx ON follow ("subjectDid", "sortAt", cid);

CREATE TABLE kysely_migration (
    name character varying(255) NOT NULL,
    "timestamp" character varying(255) NOT NULL,
    CONSTRAINT kysely_migration_pkey PRIMARY KEY (name)
);

CREATE TABLE kysely_migration_lock (
    id character varying(255) NOT NULL,
    is_locked integer DEFAULT 0 NOT NULL,
    CONSTRAINT kysely_migration_lock_pkey PRIMARY KEY (id)
);

CREATE TABLE label (
    src character varying NOT NULL,
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    val character varying NOT NULL,
    neg boolean NOT NULL,
    cts character varying NOT NULL,
    exp character varying,
    CONSTRAINT label_pkey PRIMARY KEY (src, uri, cid, val)
);
CREATE INDEX label_cts_idx ON label (cts);
CREATE INDEX label_uri_index ON label (uri);

CREATE TABLE labeler (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    CONSTRAINT labeler_pkey PRIMARY KEY (uri)
);
CREATE INDEX labeler_order_by_idx ON labeler ("sortAt", cid);

CREATE TABLE "like" (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    subject character varying NOT NULL,
    "subjectCid" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    via character varying,
    "viaCid" character varying,
    CONSTRAINT like_pkey PRIMARY KEY (uri),
    CONSTRAINT like_unique_subject UNIQUE (subject, creator)
);
CREATE INDEX like_creator_cursor_idx ON "like" (creator, "sortAt", cid);

CREATE TABLE list (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    name character varying NOT NULL,
    purpose character varying NOT NULL,
    description character varying,
    "descriptionFacets" character varying,
    "avatarCid" character varying,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    CONSTRAINT list_pkey PRIMARY KEY (uri)
);
CREATE INDEX list_creator_idx ON list (creator);

CREATE TABLE list_block (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    "subjectUri" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    CONSTRAINT list_block_pkey PRIMARY KEY (uri),
    CONSTRAINT list_block_unique_subject UNIQUE (creator, "subjectUri")
);

CREATE TABLE list_item (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    "subjectDid" character varying NOT NULL,
    "listUri" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    CONSTRAINT list_item_pkey PRIMARY KEY (uri),
    CONSTRAINT list_item_unique_subject_in_list UNIQUE ("listUri", "subjectDid")
);
CREATE INDEX list_item_creator_idx ON list_item (creator);
CREATE INDEX list_item_subject_idx ON list_item ("subjectDid");

CREATE TABLE list_mute (
    "listUri" character varying NOT NULL,
    "mutedByDid" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    CONSTRAINT list_mute_pkey PRIMARY KEY ("mutedByDid", "listUri")
);

CREATE TABLE moderation_action (
    id serial NOT NULL,
    action character varying NOT NULL,
    "subjectType" character varying NOT NULL,
    "subjectDid" character varying NOT NULL,
    "subjectUri" character varying,
    "subjectCid" character varying,
    reason text NOT NULL,
    "createdAt" character varying NOT NULL,
    "createdBy" character varying NOT NULL,
    "reversedAt" character varying,
    "reversedBy" character varying,
    "reversedReason" text,
    "createLabelVals" character varying,
    "negateLabelVals" character varying,
    "durationInHours" integer,
    "expiresAt" character varying,
    CONSTRAINT moderation_action_pkey PRIMARY KEY (id)
);

CREATE TABLE moderation_action_subject_blob (
    "actionId" integer NOT NULL,
    cid character varying NOT NULL,
    CONSTRAINT moderation_action_subject_blob_pkey PRIMARY KEY ("actionId", cid),
    CONSTRAINT "moderation_action_subject_blob_actionId_fkey" FOREIGN KEY ("actionId") REFERENCES moderation_action(id)
);
CREATE INDEX moderation_action_subject_blob_cid_idx ON moderation_action_subject_blob (cid);

CREATE TABLE moderation_event (
    id serial NOT NULL,
    action character varying NOT NULL,
    "subjectType" character varying NOT NULL,
    "subjectDid" character varying NOT NULL,
    "subjectUri" character varying,
    "subjectCid" character varying,
    comment text,
    meta jsonb,
    "createdAt" character varying NOT NULL,
    "createdBy" character varying NOT NULL,
    "reversedAt" character varying,
    "reversedBy" character varying,
    "durationInHours" integer,
    "expiresAt" character varying,
    "reversedReason" text,
    "createLabelVals" character varying,
    "negateLabelVals" character varying,
    "legacyRefId" integer,
    CONSTRAINT moderation_event_pkey PRIMARY KEY (id)
);

CREATE TABLE moderation_report (
    id serial NOT NULL,
    "subjectType" character varying NOT NULL,
    "subjectDid" character varying NOT NULL,
    "subjectUri" character varying,
    "subjectCid" character varying,
    "reasonType" character varying NOT NULL,
    reason text,
    "reportedByDid" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    CONSTRAINT moderation_report_pkey PRIMARY KEY (id)
);

CREATE TABLE moderation_report_resolution (
    "reportId" integer NOT NULL,
    "actionId" integer NOT NULL,
    "createdBy" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    CONSTRAINT moderation_report_resolution_pkey PRIMARY KEY ("reportId", "actionId"),
    CONSTRAINT "moderation_report_resolution_actionId_fkey" FOREIGN KEY ("actionId") REFERENCES moderation_action(id),
    CONSTRAINT "moderation_report_resolution_reportId_fkey" FOREIGN KEY ("reportId") REFERENCES moderation_report(id)
);
CREATE INDEX moderation_report_resolution_action_id_idx ON moderation_report_resolution ("actionId");

CREATE TABLE moderation_subject_status (
    id serial NOT NULL,
    did character varying NOT NULL,
    "recordPath" character varying DEFAULT ''::character varying NOT NULL,
    "blobCids" jsonb,
    "recordCid" character varying,
    "reviewState" character varying NOT NULL,
    comment character varying,
    "muteUntil" character varying,
    "lastReviewedAt" character varying,
    "lastReviewedBy" character varying,
    "lastReportedAt" character varying,
    takendown boolean DEFAULT false NOT NULL,
    "suspendUntil" character varying,
    "createdAt" character varying NOT NULL,
    "updatedAt" character varying NOT NULL,
    CONSTRAINT moderation_subject_status_pkey PRIMARY KEY (id),
    CONSTRAINT moderation_status_unique_idx UNIQUE (did, "recordPath")
);
CREATE INDEX moderation_subject_status_blob_cids_idx ON moderation_subject_status USING gin ("blobCids");

CREATE TABLE mute (
    "subjectDid" character varying NOT NULL,
    "mutedByDid" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    CONSTRAINT mute_pkey PRIMARY KEY ("mutedByDid", "subjectDid")
);

CREATE TABLE notification (
    id bigserial NOT NULL,
    did character varying NOT NULL,
    "recordUri" character varying NOT NULL,
    "recordCid" character varying NOT NULL,
    author character varying NOT NULL,
    reason character varying NOT NULL,
    "reasonSubject" character varying,
    "sortAt" character varying NOT NULL,
    CONSTRAINT notification_pkey PRIMARY KEY (id)
);
CREATE INDEX notification_author_idx ON notification (author);
CREATE INDEX notification_did_sortat_idx ON notification (did, "sortAt");
CREATE INDEX notification_record_idx ON notification ("recordUri");

CREATE TABLE notification_push_token (
    did character varying NOT NULL,
    platform character varying NOT NULL,
    token character varying NOT NULL,
    "appId" character varying NOT NULL,
    CONSTRAINT notification_push_token_pkey PRIMARY KEY (did, token)
);

CREATE TABLE post_embed_external (
    "postUri" character varying NOT NULL,
    uri character varying NOT NULL,
    title character varying NOT NULL,
    description character varying NOT NULL,
    "thumbCid" character varying,
    CONSTRAINT post_embed_external_pkey PRIMARY KEY ("postUri")
);

CREATE TABLE post_embed_image (
    "postUri" character varying NOT NULL,
    "position" character varying NOT NULL,
    "imageCid" character varying NOT NULL,
    alt character varying NOT NULL,
    CONSTRAINT post_embed_image_pkey PRIMARY KEY ("postUri", "position")
);

CREATE TABLE post_embed_record (
    "postUri" character varying NOT NULL,
    "embedUri" character varying NOT NULL,
    "embedCid" character varying NOT NULL,
    CONSTRAINT post_embed_record_pkey PRIMARY KEY ("postUri", "embedUri")
);

CREATE TABLE post_embed_video (
    "postUri" character varying NOT NULL,
    "videoCid" character varying NOT NULL,
    alt character varying,
    CONSTRAINT post_embed_video_pkey PRIMARY KEY ("postUri")
);

CREATE TABLE post_gate (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    "postUri" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    CONSTRAINT post_gate_pkey PRIMARY KEY (uri),
    CONSTRAINT "post_gate_postUri_key" UNIQUE ("postUri")
);

CREATE TABLE private_data (
    "actorDid" character varying NOT NULL,
    namespace character varying NOT NULL,
    key character varying NOT NULL,
    payload text NOT NULL,
    "indexedAt" character varying NOT NULL,
    "updatedAt" character varying NOT NULL,
    CONSTRAINT private_data_pkey PRIMARY KEY ("actorDid", namespace, key)
);

CREATE TABLE profile (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    "displayName" character varying,
    description character varying,
    "avatarCid" character varying,
    "bannerCid" character varying,
    "indexedAt" character varying NOT NULL,
    "joinedViaStarterPackUri" character varying,
    "createdAt" character varying NOT NULL,
    "pinnedPost" character varying,
    "pinnedPostCid" character varying,
    CONSTRAINT profile_pkey PRIMARY KEY (uri)
);
CREATE INDEX profile_creator_idx ON profile (creator);
CREATE INDEX profile_display_name_tgrm_idx ON profile USING gist ("displayName" gist_trgm_ops);
CREATE INDEX profile_starter_pack_joined_idx ON profile ("joinedViaStarterPackUri", "createdAt");

CREATE TABLE profile_agg (
    did character varying NOT NULL,
    "followersCount" bigint DEFAULT 0 NOT NULL,
    "followsCount" bigint DEFAULT 0 NOT NULL,
    "postsCount" bigint DEFAULT 0 NOT NULL,
    CONSTRAINT profile_agg_pkey PRIMARY KEY (did)
);

CREATE TABLE quote (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    subject character varying NOT NULL,
    "subjectCid" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    CONSTRAINT quote_pkey PRIMARY KEY (uri)
);
CREATE INDEX quote_subject_cursor_idx ON quote (subject, "sortAt", cid);

CREATE TABLE record (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    did character varying NOT NULL,
    json text NOT NULL,
    "indexedAt" character varying NOT NULL,
    "takedownRef" character varying,
    tags jsonb,
    rev character varying NOT NULL,
    CONSTRAINT record_pkey PRIMARY KEY (uri)
);
CREATE INDEX record_did_idx ON record (did);

CREATE TABLE repost (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    subject character varying NOT NULL,
    "subjectCid" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    via character varying,
    "viaCid" character varying,
    CONSTRAINT repost_pkey PRIMARY KEY (uri),
    CONSTRAINT repost_unique_subject UNIQUE (creator, subject)
);
CREATE INDEX repost_order_by_idx ON repost ("sortAt", cid);
CREATE INDEX repost_subject_idx ON repost (subject);

CREATE TABLE starter_pack (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    name character varying,
    CONSTRAINT starter_pack_pkey PRIMARY KEY (uri)
);
CREATE INDEX starter_pack_creator_order_by_idx ON starter_pack (creator, "sortAt", cid);
CREATE INDEX starter_pack_name_tgrm_idx ON starter_pack USING gist (name gist_trgm_ops);

CREATE TABLE subscription (
    service character varying NOT NULL,
    method character varying NOT NULL,
    state character varying NOT NULL,
    CONSTRAINT subscription_pkey PRIMARY KEY (service, method)
);

CREATE TABLE suggested_feed (
    uri character varying NOT NULL,
    "order" integer NOT NULL,
    CONSTRAINT suggested_feed_pkey PRIMARY KEY (uri)
);

CREATE TABLE suggested_follow (
    did character varying NOT NULL,
    "order" integer NOT NULL,
    CONSTRAINT suggested_follow_pkey PRIMARY KEY (did)
);

CREATE TABLE tagged_suggestion (
    tag character varying NOT NULL,
    subject character varying NOT NULL,
    "subjectType" character varying NOT NULL,
    CONSTRAINT tagged_suggestion_pkey PRIMARY KEY (tag, subject)
);

CREATE TABLE thread_gate (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    creator character varying NOT NULL,
    "postUri" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    CONSTRAINT thread_gate_pkey PRIMARY KEY (uri),
    CONSTRAINT "thread_gate_postUri_key" UNIQUE ("postUri")
);

CREATE TABLE thread_mute (
    "rootUri" character varying NOT NULL,
    "mutedByDid" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    CONSTRAINT thread_mute_pkey PRIMARY KEY ("rootUri", "mutedByDid")
);

CREATE TABLE verification (
    uri character varying NOT NULL,
    cid character varying NOT NULL,
    rkey character varying NOT NULL,
    creator character varying NOT NULL,
    subject character varying NOT NULL,
    handle character varying NOT NULL,
    "displayName" character varying NOT NULL,
    "createdAt" character varying NOT NULL,
    "indexedAt" character varying NOT NULL,
    "sortedAt" character varying GENERATED ALWAYS AS (LEAST("createdAt", "indexedAt")) STORED NOT NULL,
    CONSTRAINT verification_pkey PRIMARY KEY (uri),
    CONSTRAINT verification_unique_subject_creator UNIQUE (subject, creator)
);

-- Read by the view below, which is filled at once: CONCURRENTLY refreshes only what was filled before.
INSERT INTO view_param (name, value) VALUES
    ('whats_hot_like_threshold', '2'),
    ('whats_hot_interval', '1day');

CREATE MATERIALIZED VIEW algo_whats_hot_view AS
 SELECT post.uri,
    post.cid,
    round(((1000000)::numeric * ((post_agg."likeCount")::numeric / (((EXTRACT(epoch FROM age(now(), ((post."indexedAt")::timestamp without time zone)::timestamp with time zone)) / (3600)::numeric) + (2)::numeric) ^ 1.8)))) AS score
   FROM (post
     JOIN post_agg ON (((post_agg.uri)::text = (post.uri)::text)))
  WHERE (((post."indexedAt")::text > ( SELECT to_char((now() - (view_param.value)::interval), 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'::text) AS val
           FROM view_param
          WHERE ((view_param.name)::text = 'whats_hot_interval'::text))) AND (post."replyParent" IS NULL) AND (post_agg."likeCount" > ( SELECT (view_param.value)::integer AS val
           FROM view_param
          WHERE ((view_param.name)::text = 'whats_hot_like_threshold'::text))));
CREATE INDEX algo_whats_hot_view_cursor_idx ON algo_whats_hot_view (score, cid);
CREATE UNIQUE INDEX algo_whats_hot_view_uri_idx ON algo_whats_hot_view (uri);

-- What the TypeScript services read to see that there is nothing left to migrate.
INSERT INTO kysely_migration_lock (id, is_locked) VALUES ('migration_lock', 0);
INSERT INTO kysely_migration (name, "timestamp")
SELECT name, to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
FROM unnest(ARRAY[
    '_20230309T045948368Z',
    '_20230408T152211201Z',
    '_20230417T210628672Z',
    '_20230420T211446071Z',
    '_20230427T194702079Z',
    '_20230605T144730094Z',
    '_20230607T211442112Z',
    '_20230608T155101190Z',
    '_20230608T201813132Z',
    '_20230608T205147239Z',
    '_20230609T153623961Z',
    '_20230609T232122649Z',
    '_20230610T203555962Z',
    '_20230611T215300060Z',
    '_20230620T161134972Z',
    '_20230627T212437895Z',
    '_20230629T220835893Z',
    '_20230703T045536691Z',
    '_20230720T164800037Z',
    '_20230807T035309811Z',
    '_20230808T172902639Z',
    '_20230810T203349843Z',
    '_20230817T195936007Z',
    '_20230830T205507322Z',
    '_20230904T211011773Z',
    '_20230906T222220386Z',
    '_20230920T213858047Z',
    '_20230929T192920807Z',
    '_20231003T202833377Z',
    '_20231220T225126090Z',
    '_20240124T023719200Z',
    '_20240226T225725627Z',
    '_20240530T170337073Z',
    '_20240606T171229898Z',
    '_20240606T222548219Z',
    '_20240719T203853939Z',
    '_20240723T220700077Z',
    '_20240723T220703655Z',
    '_20240801T193939827Z',
    '_20240808T224251220Z',
    '_20240829T211238293Z',
    '_20240831T134810923Z',
    '_20241114T153108102Z',
    '_20250116T222618297Z',
    '_20250207T174822012Z',
    '_20250404T163421487Z',
    '_20250526T023712742Z',
    '_20250528T221913281Z',
    '_20250602T190357447Z',
    '_20250611T140649895Z',
    '_20250627T025331240Z',
    '_20250812T183735692Z',
    '_20250813T174955711Z',
    '_20251009T040222812Z'
]) AS name;
