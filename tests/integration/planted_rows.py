"""Rows that are made wrong in `verifying.world()`: statement, class, and key of what must be found."""

from tests.integration.verifying import (
    BLOCK,
    DEEP,
    FOLLOW,
    GATE,
    GENERATOR,
    GHOST,
    GONE,
    ITEM,
    LABELER,
    LIKE,
    LIST,
    LISTBLOCK,
    LONELY,
    MEDIA,
    NAMELESS,
    OWN,
    PACK,
    POST,
    POSTGATE,
    PROFILE,
    QUOTING,
    REPLY,
    REPOST,
    THIRD,
    TWIN,
    UNGATED,
    VERIFICATION,
    VIDEO,
)  # fmt: skip
from tests.messages import CREATED_COLUMN, A, B, C, post_uri

NOBODY = post_uri(GHOST, "1")
_DATES = f"'{CREATED_COLUMN}', '{CREATED_COLUMN}'"


def _deleted(table: str, uri: str, column: str = "uri") -> tuple[str, str, str]:
    return f"""DELETE FROM "{table}" WHERE "{column}" = '{uri}'""", f"{table}.missing", uri


def _changed(table: str, column: str, uri: str, to: str = "'planted'", owner: str = "uri") -> tuple[str, str, str]:
    return f"""UPDATE "{table}" SET "{column}" = {to} WHERE "{owner}" = '{uri}'""", f"{table}.differs", uri


PLANTED = [
    # counters
    (f"""UPDATE post_agg SET "likeCount" = 7 WHERE uri = '{POST}'""", "post_agg.likeCount", POST),
    (f"""UPDATE post_agg SET "repostCount" = 0 WHERE uri = '{POST}'""", "post_agg.repostCount", POST),
    (f"""UPDATE post_agg SET "replyCount" = 5 WHERE uri = '{POST}'""", "post_agg.replyCount", POST),
    (f"""UPDATE post_agg SET "quoteCount" = 2 WHERE uri = '{POST}'""", "post_agg.quoteCount", POST),
    (f"DELETE FROM post_agg WHERE uri = '{POST}'", "post_agg.likeCount", POST),
    (f"""INSERT INTO post_agg (uri, "replyCount") VALUES ('{NOBODY}', 1)""", "post_agg.replyCount", NOBODY),
    (f"""UPDATE profile_agg SET "followersCount" = 0 WHERE did = '{A}'""", "profile_agg.followersCount", A),
    (f"DELETE FROM profile_agg WHERE did = '{B}'", "profile_agg.followsCount", B),
    (f"""UPDATE profile_agg SET "postsCount" = 9 WHERE did = '{C}'""", "profile_agg.postsCount", C),
    # rows that are missing
    _deleted("post", POST), _deleted("like", LIKE), _deleted("repost", REPOST), _deleted("follow", FOLLOW),
    _deleted("thread_gate", GATE), _deleted("post_gate", POSTGATE), _deleted("list", LIST), _deleted("list_item", ITEM),
    _deleted("profile", PROFILE), _deleted("actor_block", BLOCK), _deleted("list_block", LISTBLOCK),
    _deleted("starter_pack", PACK), _deleted("feed_generator", GENERATOR), _deleted("labeler", LABELER),
    _deleted("verification", VERIFICATION), _deleted("quote", QUOTING), _deleted("feed_item", POST),
    _deleted("feed_item", REPOST), _deleted("post_embed_image", MEDIA, "postUri"),
    _deleted("post_embed_video", VIDEO, "postUri"), _deleted("post_embed_record", QUOTING, "postUri"),
    # rows that say something else
    _changed("post", "text", POST), _changed("post", "tags", POST, "'[]'"), _changed("post", "cid", REPLY),
    _changed("post", "creator", REPLY), _changed("like", "subject", LIKE), _changed("repost", "via", REPOST),
    _changed("follow", "subjectDid", FOLLOW), _changed("feed_item", "postUri", REPOST),
    _changed("feed_item", "sortAt", POST), _changed("quote", "subjectCid", QUOTING),
    _changed("thread_gate", "postUri", GATE), _changed("list", "name", LIST),
    _changed("profile", "displayName", PROFILE),
    _changed("profile", "description", NAMELESS),
    _changed("verification", "handle", VERIFICATION), _changed("feed_generator", "feedDid", GENERATOR),
    _changed("post_embed_image", "alt", MEDIA, owner="postUri"), _changed("starter_pack", "createdAt", PACK),
    (f"""DELETE FROM post_embed_image WHERE "postUri" = '{MEDIA}' AND position = '1'""", "post_embed_image.differs",
     MEDIA),
    (f"UPDATE record SET did = '{B}' WHERE uri = '{PROFILE}'", "record.did", PROFILE),
    # rows of nothing
    (f"INSERT INTO post_embed_external VALUES ('{NOBODY}', 'u', 't', 'd')", "post_embed_external.orphan", NOBODY),
    (f"INSERT INTO post_embed_video VALUES ('{GONE}', 'v')", "post_embed_video.orphan", GONE),
    (f"INSERT INTO post_embed_image VALUES ('{POST}', '0', 'i', '')", "post_embed_image.orphan", POST),
    (f"INSERT INTO feed_item VALUES ('{GONE}', 'c', 'post', '{GONE}', '{B}', 't')", "feed_item.orphan", GONE),
    (f'INSERT INTO quote (uri, cid, subject, "subjectCid", "createdAt", "indexedAt") '
     f"VALUES ('{NOBODY}', 'c', '{POST}', 'c', {_DATES})", "quote.orphan", NOBODY),
    (f'INSERT INTO follow (uri, cid, creator, "subjectDid", "createdAt", "indexedAt") '
     f"VALUES ('{NOBODY}', 'c', '{GHOST}', '{A}', {_DATES})", "follow.orphan", NOBODY),
    (f'INSERT INTO post (uri, cid, creator, text, "createdAt", "indexedAt") '
     f"VALUES ('{GONE}', 'c', '{B}', 'bye', {_DATES})", "post.orphan", GONE),
    (f'INSERT INTO notification (did, "recordUri", "recordCid", author, reason, "sortAt") '
     f"VALUES ('{A}', '{GONE}', 'c', '{B}', 'reply', 't')", "notification.orphan", GONE),
    # flags
    (f"""UPDATE post SET "hasThreadGate" = false WHERE uri = '{POST}'""", "post.hasThreadGate", POST),
    (f"""UPDATE post SET "hasPostGate" = true WHERE uri = '{REPLY}'""", "post.hasPostGate", REPLY),
    (f"""UPDATE post SET "invalidReplyRoot" = true WHERE uri = '{REPLY}'""", "post.invalidReplyRoot", REPLY),
    (f"""UPDATE post SET "invalidReplyRoot" = true WHERE uri = '{DEEP}'""", "post.invalidReplyRoot", DEEP),
    (f"""UPDATE post SET "invalidReplyRoot" = NULL WHERE uri = '{LONELY}'""", "post.invalidReplyRoot", LONELY),
    (f"""UPDATE post SET "violatesThreadGate" = true WHERE uri = '{POST}'""", "post.violatesThreadGate", POST),
    (f"""UPDATE post SET "violatesThreadGate" = true, "invalidReplyRoot" = false WHERE uri = '{OWN}'""",
     "post.violatesThreadGate", OWN),
    (f"""UPDATE post SET "violatesThreadGate" = true WHERE uri = '{UNGATED}'""", "post.violatesThreadGate", UNGATED),
    # duplicates
    (f"DELETE FROM duplicate_record WHERE uri = '{TWIN}'", "like.missing", TWIN),
    (f"""UPDATE duplicate_record SET "duplicateOf" = '{THIRD}' WHERE uri = '{TWIN}'""", "duplicate_record.differs",
     TWIN),
    (f"UPDATE duplicate_record SET cid = 'c' WHERE uri = '{TWIN}'", "duplicate_record.differs", TWIN),
    (f"INSERT INTO duplicate_record VALUES ('{LIKE}', 'c', '{TWIN}', 't')", "duplicate_record.orphan", LIKE),
    (f"INSERT INTO duplicate_record VALUES ('{NOBODY}', 'c', '{TWIN}', 't')", "duplicate_record.orphan", NOBODY),
    (f"""UPDATE "like" SET uri = '{THIRD}' WHERE uri = '{LIKE}'; DELETE FROM duplicate_record WHERE uri = '{THIRD}';
     INSERT INTO duplicate_record SELECT uri, cid, '{THIRD}', "indexedAt" FROM record WHERE uri = '{LIKE}'""",
     "duplicate_record.order", LIKE),
    # commit tracking
    (f"""UPDATE actor_sync SET "repoRev" = NULL WHERE did = '{C}'""", "actor_sync.frozen", C),
    (f"""UPDATE actor_sync SET "repoRev" = 'zzzzzzzzzzzzz' WHERE did = '{C}'""", "actor_sync.frozen", C),
]  # fmt: skip
