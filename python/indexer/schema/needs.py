"""What the indexer needs of the AppView's tables (schema.md 2 and 3). Columns that it never names are not here."""

from dataclasses import dataclass, field

# The types that can hold what is written, by the name used below. `varchar` and `text` are one to every statement.
TYPES = {
    "text": frozenset({"character varying", "text"}),
    "boolean": frozenset({"boolean"}),
    "bigint": frozenset({"bigint"}),
    "jsonb": frozenset({"jsonb"}),
}


@dataclass(frozen=True, slots=True)
class Table:
    """Columns and their types, the key that conflicts are found by, the indexes without which statements crawl."""

    name: str
    key: tuple[str, ...]
    columns: dict[str, str]
    indexes: tuple[str, ...] = ()
    """Leading columns."""
    written: bool = True
    sequence: str | None = field(default=None)
    """A column that is numbered by a sequence."""
    optional: frozenset[str] = frozenset()
    """Columns that came late: where they are missing, what they hold is not written."""


def _table(
    name: str, key: str, columns: str, *, indexes: str = "", written: bool = True, sequence: str | None = None
) -> Table:
    """Columns are text unless a type follows a colon; a question mark makes them optional."""
    optional = frozenset(column.rstrip("?") for column in columns.split() if column.endswith("?"))
    parts = [column.rstrip("?").partition(":")[::2] for column in columns.split()]
    typed = {column: kind or "text" for column, kind in parts}
    return Table(name, tuple(key.split()), typed, tuple(indexes.split()), written, sequence, optional)


TABLES: tuple[Table, ...] = (
    _table("record", "uri", "uri cid did json indexedAt rev", indexes="did"),
    _table("actor", "did", "did handle indexedAt upstreamStatus", indexes="handle"),
    _table("actor_block", "uri", "uri cid creator subjectDid createdAt indexedAt", indexes="creator"),
    _table("actor_sync", "did", "did commitCid repoRev"),
    _table("duplicate_record", "uri", "uri cid duplicateOf indexedAt", indexes="duplicateOf"),
    _table("feed_generator", "uri", "uri cid creator feedDid displayName description descriptionFacets avatarCid"
           " createdAt indexedAt", indexes="creator"),
    _table("feed_item", "uri", "uri cid type postUri originatorDid sortAt", indexes="postUri originatorDid"),
    _table("follow", "uri", "uri cid creator subjectDid createdAt indexedAt", indexes="creator subjectDid"),
    _table("label", "src uri cid val", "src uri cid val neg:boolean cts exp"),
    _table("labeler", "uri", "uri cid creator createdAt indexedAt"),
    _table("like", "uri", "uri cid creator subject subjectCid createdAt indexedAt via? viaCid?",
           indexes="subject creator"),
    _table("list", "uri", "uri cid creator name purpose description descriptionFacets avatarCid createdAt indexedAt",
           indexes="creator"),
    _table("list_block", "uri", "uri cid creator subjectUri createdAt indexedAt", indexes="creator"),
    _table("list_item", "uri", "uri cid creator subjectDid listUri createdAt indexedAt",
           indexes="creator listUri subjectDid"),
    _table("notification", "id", "id:bigint did recordUri recordCid author reason reasonSubject sortAt",
           indexes="recordUri did author", sequence="id"),
    _table("post", "uri", "uri cid creator text replyRoot replyRootCid replyParent replyParentCid createdAt indexedAt"
           " langs:jsonb tags:jsonb invalidReplyRoot:boolean violatesThreadGate:boolean violatesEmbeddingRules:boolean"
           " hasThreadGate:boolean hasPostGate:boolean", indexes="creator replyParent"),
    _table("post_agg", "uri", "uri likeCount:bigint replyCount:bigint repostCount:bigint quoteCount:bigint"),
    _table("post_embed_external", "postUri", "postUri uri title description thumbCid"),
    _table("post_embed_image", "postUri position", "postUri position imageCid alt"),
    _table("post_embed_record", "postUri embedUri", "postUri embedUri embedCid"),
    _table("post_embed_video", "postUri", "postUri videoCid alt"),
    _table("post_gate", "uri", "uri cid creator postUri createdAt indexedAt", indexes="postUri"),
    _table("profile", "uri", "uri cid creator displayName description avatarCid bannerCid joinedViaStarterPackUri"
           " createdAt indexedAt", indexes="creator"),
    _table("profile_agg", "did", "did followersCount:bigint followsCount:bigint postsCount:bigint"),
    _table("quote", "uri", "uri cid subject subjectCid createdAt indexedAt", indexes="subject"),
    _table("repost", "uri", "uri cid creator subject subjectCid createdAt indexedAt via? viaCid?",
           indexes="creator subject"),
    _table("starter_pack", "uri", "uri cid creator createdAt indexedAt name", indexes="creator"),
    _table("thread_gate", "uri", "uri cid creator postUri createdAt indexedAt", indexes="postUri"),
    _table("thread_mute", "rootUri mutedByDid", "rootUri mutedByDid createdAt", written=False),
    _table("verification", "uri", "uri cid rkey creator subject handle displayName createdAt indexedAt",
           indexes="subject"),
)  # fmt: skip
