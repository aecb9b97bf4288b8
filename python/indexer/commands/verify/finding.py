"""What a check is, and what it finds."""

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from indexer.commands.verify.statements import VerifyStatements
from indexer.connections.database import Connection

if TYPE_CHECKING:
    from indexer.commands.verify.mend import Mend


@dataclass(frozen=True, slots=True)
class Finding:
    """A row, or a missing one, that does not follow from the others."""

    kind: str
    """Its class: table and what is wrong with it."""
    key: str
    """Whom it is about: a URI, a DID, an id."""
    at: Any
    """The key of the walked table under which it was found, and is found again."""
    detail: str
    known: str | None = None
    """Why this is no fault in a database that the reference wrote; None: it is one."""
    mendable: bool = True
    dids: tuple[str, ...] = ()
    """Other accounts whose removal explains it as long as it goes on."""


@dataclass(frozen=True, slots=True)
class Look:
    """One look: a transaction that changes nothing, or the one that mends."""

    connection: Connection
    statements: VerifyStatements
    now_ms: int
    has_own: bool = True
    """Whether the schema `indexer` is there."""

    async def fetch(self, name: str, *arguments: object) -> list[Any]:
        return list(await self.connection.fetch(self.statements[name], *arguments))


Find = Callable[[Look, Sequence[Any]], Awaitable[list[Finding]]]
MendThem = Callable[["Mend", Sequence[Finding]], Awaitable[Counter[str]]]


@dataclass(frozen=True, slots=True)
class Check:
    """Looks at a table, a portion of its keys at a time."""

    table: str
    column: str
    """The first, or only, column of its primary key."""
    kinds: tuple[str, ...]
    """The classes of what it can find."""
    find: Find = field(repr=False)
    mend: MendThem = field(repr=False)
    """Mends what was found, and returns what it changed by class."""
    name: str = ""

    @property
    def numbered(self) -> bool:
        """Whether keys are numbers."""
        return self.column == "id"


ALIASES = {
    "aggregates": ("post_agg", "profile_agg"),
    "duplicates": ("duplicate_record",),
    "flags": ("post.hasThreadGate", "post.hasPostGate", "post.invalidReplyRoot", "post.violatesThreadGate"),
    "embeds": ("post_embed_image", "post_embed_external", "post_embed_record", "post_embed_video"),
}
"""Words for several classes."""


def selected(kind: str, only: Collection[str]) -> bool:
    """Whether a class is among those that are asked for: by its name, its table or a word for several."""
    if not only:
        return True
    names = {kind, kind.partition(".")[0]}
    return any(word in names or not names.isdisjoint(ALIASES.get(word, ())) for word in only)
