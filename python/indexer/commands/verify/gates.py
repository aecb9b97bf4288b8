"""The flags of posts against the rows of their gates (DIV-11)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from indexer.commands.verify.finding import Check, Finding, Look
from indexer.connections.database import Connection
from indexer.sink.derive import DerivedKeys

if TYPE_CHECKING:
    from indexer.commands.verify.mend import Mend

DIV_11 = "DIV-11: the reference flags no post that comes after its gate, or is renewed after it"


def checks() -> Iterator[Check]:
    """One."""
    yield Check("post", "uri", ("post.hasThreadGate", "post.hasPostGate"), _find, _mend, "post.gates")


async def _find(look: Look, uris: Sequence[str]) -> list[Finding]:
    found = []
    for uri, thread, thread_at, post, post_at, at in await look.fetch("wrong_gate_flags", uris):
        for kind, flag, gate_at in (("hasThreadGate", thread, thread_at), ("hasPostGate", post, post_at)):
            if bool(flag) == (gate_at is not None):
                continue
            is_reference = flag is None and gate_at is not None and gate_at <= at
            detail = "is not set, and there is a gate" if gate_at is not None else "is set, and there is no gate"
            found.append(Finding(f"post.{kind}", uri, uri, detail, DIV_11 if is_reference else None))
    return found


async def _mend(mend: "Mend", findings: Sequence[Finding]) -> Counter[str]:
    uris = sorted({one.key for one in findings})

    async def flag(connection: Connection) -> None:
        await connection.execute(mend.statements["lock_posts"], uris)
        await connection.execute(mend.statements["flag_gates"], uris, [])

    await mend.run(flag)
    await mend.derive(DerivedKeys(gated=set(uris)))
    return Counter(one.kind for one in findings)
