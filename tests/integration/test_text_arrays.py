"""Lists of texts reach PostgreSQL as they are, by our own encoder."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer import _native
from indexer.connections import text_arrays
from indexer.connections.database import Pool, open_pool

TEXTS = st.lists(st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\0")), max_size=20)


@pytest.fixture
async def pool(postgres_url: str) -> AsyncIterator[Pool]:
    async with await open_pool(postgres_url, "one", 1, 1, None) as found:
        yield found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(texts=TEXTS)
async def test_what_goes_comes_back(pool: Pool, texts: list[str | None]) -> None:
    sql = "SELECT $1::text[] AS all, cardinality($1::text[]) AS number, array_to_string($1::text[], ',', '-') AS text"
    back = await pool.fetchrow(sql, texts)
    assert back is not None
    assert back["all"] == texts
    assert back["number"] == len(texts)
    assert back["text"] == ",".join("-" if text is None else text for text in texts)


async def test_pinned_driver_takes_the_encoder(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else each element would cost six times as much, and nobody would notice."""
    encoded: list[list[str]] = []
    ours = _native.encode_text_array

    def encode(texts: list[str]) -> bytes:
        encoded.append(texts)
        return ours(texts)

    async with pool.acquire() as connection:
        with monkeypatch.context() as patch:
            patch.setattr(_native, "encode_text_array", encode)
            await text_arrays.encode_text_arrays(connection)
        await connection.fetchval("SELECT cardinality($1::text[])", ["a"])
    assert encoded == [["a"]]


@pytest.mark.parametrize("wrong", [["a", 1], ["\ud800"], ("a",), "a", [["a"]]])
async def test_what_is_no_list_of_texts_is_refused(pool: Pool, wrong: object) -> None:
    with pytest.raises((asyncpg.DataError, asyncpg.InternalClientError)):
        await pool.fetchval("SELECT cardinality($1::text[])", wrong)
    assert await pool.fetchval("SELECT 1") == 1, "the connection is as before"
