"""The flags of posts against the rows of their gates (DIV-11), and replies that no gate can have kept out."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from indexer.commands.verify.finding import Check, Finding, Look
from indexer.connections.database import Connection
from indexer.fold import aturi
from indexer.records.post.gates import thread_gate_of
from indexer.sink.derive import DerivedKeys

if TYPE_CHECKING:
    from indexer.commands.verify.mend import Mend

VIOLATES = "post.violatesThreadGate"
DIV_11 = "DIV-11: the reference flags no post that comes after its gate, or is renewed after it"


def checks() -> Iterator[Check]:
    """One."""
    yield Check("post", "uri", ("post.hasThreadGate", "post.hasPostGate", VIOLATES), _find, _mend, "post.gates")


async def _find(look: Look, uris: Sequence[str]) -> list[Finding]:
    found = []
    for uri, thread, thread_at, post, post_at, at in await look.fetch("wrong_gate_flags", uris):
        for kind, flag, gate_at in (("hasThreadGate", thread, thread_at), ("hasPostGate", post, post_at)):
            if bool(flag) == (gate_at is not None):
                continue
            is_reference = flag is None and gate_at is not None and gate_at <= at
            detail = "is not set, and there is a gate" if gate_at is not None else "is set, and there is no gate"
            found.append(Finding(f"post.{kind}", uri, uri, detail, DIV_11 if is_reference else None))
    return found + await _wrong_violations(look, uris)


async def _wrong_violations(look: Look, uris: Sequence[str]) -> list[Finding]:
    """What a gate said at its moment is not judged again; but there must have been one, for others than its author."""
    why: dict[str, str] = {}
    gates: dict[str, tuple[str, str]] = {}
    for uri, creator, root in await look.fetch("violating", uris):
        if root is None:
            why[uri] = "it is no reply"
        elif creator == aturi.authority(root):
            why[uri] = "the thread is its author's own"
        elif (gate := thread_gate_of(root)) is None:
            why[uri] = "its root is no post"
        else:
            gates[uri] = root, gate
    known = {
        row[0] for row in await look.fetch("revs_looked_at", sorted({one for pair in gates.values() for one in pair}))
    }
    # a deleted gate leaves its record's row, unless its account went with all that it had
    never = {uri: root for uri, (root, gate) in gates.items() if root in known and gate not in known}
    owners = sorted({aturi.authority(root) for root in never.values()})
    removed = {did for did, _ in await look.fetch("removals", owners)} if owners and look.has_own else set()
    why |= {uri: "its thread never had a gate" for uri, root in never.items() if aturi.authority(root) not in removed}
    return [Finding(VIOLATES, uri, uri, f"is true, and {reason}") for uri, reason in why.items()]


async def _mend(mend: "Mend", findings: Sequence[Finding]) -> Counter[str]:
    uris = sorted({one.key for one in findings if one.kind != VIOLATES})
    others = sorted({one.key for one in findings if one.kind == VIOLATES})

    async def let_in(connection: Connection) -> None:
        await connection.execute(mend.statements["lock_posts"], others)
        wrong = [one.key for one in await _wrong_violations(Look(connection, mend.statements, 0), others)]
        parents = {row[0] for row in await connection.fetch(mend.statements["clear_violations"], wrong)} - {None}
        await connection.execute(mend.statements["mark_dirty"], ["replyCount"] * len(parents), sorted(parents))

    if others:
        await mend.run(let_in)

    async def flag(connection: Connection) -> None:
        await connection.execute(mend.statements["lock_posts"], uris)
        await connection.execute(mend.statements["flag_gates"], uris, [])

    if uris:
        await mend.run(flag)
        await mend.derive(DerivedKeys(gated=set(uris)))
    return Counter(one.kind for one in findings)
