"""Strategies for Hypothesis: values, records, repositories, frames, and broken ones."""

from typing import Any

from hypothesis import strategies as st

from indexer._native import Cid, encode_dag_cbor
from indexer.codec.testing import build

_KEY_LETTERS = "abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-_~."


def cids() -> st.SearchStrategy[Cid]:
    """CIDs of blocks that nobody has."""
    digests = st.binary(max_size=40)
    return st.one_of(digests.map(Cid.of_dag_cbor), digests.map(Cid.of_raw))


def texts() -> st.SearchStrategy[str]:
    """Text without lone surrogates, which DAG-CBOR does not have."""
    return st.text(st.characters(exclude_categories=["Cs"]))


def values(max_leaves: int = 30) -> st.SearchStrategy[Any]:
    """Values of the data model, nested."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(1 << 64), (1 << 64) - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        texts(),
        st.binary(max_size=40),
        cids(),
    )
    return st.recursive(
        leaves, lambda inner: st.one_of(st.lists(inner), st.dictionaries(texts(), inner)), max_leaves=max_leaves
    )


def records() -> st.SearchStrategy[dict[str, Any]]:
    """Maps, as records are."""
    return st.dictionaries(texts(), values(10), max_size=6)


def paths() -> st.SearchStrategy[str]:
    """Collection and record key, with a slash between them."""
    names = st.text(_KEY_LETTERS, min_size=1, max_size=20)
    return st.builds("{}/{}".format, st.one_of(st.sampled_from(["app.bsky.feed.post", "a.b.c"]), names), names)


def repositories(max_size: int = 30) -> st.SearchStrategy[dict[str, dict[str, Any]]]:
    """Records by path: what `build.repository_car` takes."""
    return st.dictionaries(paths(), records(), max_size=max_size)


def frames() -> st.SearchStrategy[bytes]:
    """Frames as a relay sends them."""
    dids, times = st.just(build.DID), st.just(build.TIME)
    numbers = st.integers(0, 1 << 50)
    identity = st.fixed_dictionaries({"seq": numbers, "did": dids, "time": times}, optional={"handle": texts()})
    account = st.fixed_dictionaries(
        {"seq": numbers, "did": dids, "time": times, "active": st.booleans()}, optional={"status": texts()}
    )
    label = st.fixed_dictionaries(
        {"src": dids, "uri": texts(), "val": texts(), "cts": times}, optional={"neg": st.booleans()}
    )
    labels = st.fixed_dictionaries({"seq": numbers, "labels": st.lists(label, max_size=4)})
    return st.one_of(
        st.builds(build.commit_frame, repositories(5), st.lists(paths(), max_size=3), seq=numbers),
        identity.map(lambda body: build.message("#identity", body)),
        account.map(lambda body: build.message("#account", body)),
        labels.map(lambda body: build.message("#labels", body)),
    )


def items() -> st.SearchStrategy[bytes]:
    """Items of DAG-CBOR."""
    return values().map(lambda value: encode_dag_cbor([value])[0])


@st.composite
def broken(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes in which some were changed, taken out or put in: mostly wrong, sometimes right."""
    data = bytearray(draw(whole))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["change", "cut", "remove", "insert", "repeat"])):
            case "change":
                data[at : at + 1] = bytes([draw(st.integers(0, 255))])
            case "cut":
                del data[at:]
            case "remove":
                del data[at : at + draw(st.integers(1, 40))]
            case "insert":
                data[at:at] = draw(st.binary(max_size=10))
            case _:
                data[at:at] = data[at : at + draw(st.integers(1, 40))]
    return bytes(data)
