"""What is left of an account when its records are gone: notifications, counters, and the rows that say who it is."""

from collections.abc import Sequence

from indexer.removal.portions import Portions
from indexer.sink.counts import COLUMNS
from indexer.sink.faults import MovedError
from indexer.sink.tables import COUNTERS

PORTION = 1_000


class Remains:
    """The end of a removal."""

    def __init__(self, portions: Portions) -> None:
        self._portions = portions

    async def notifications(self, *, lives: bool) -> None:
        """Remove those that the account got, and those of its records. One that `lives` again keeps the newer ones."""
        for statement in ("notifications_to_account", "notifications_by_account"):
            await self._portions.patiently(self._notifications, statement, lives)

    async def _notifications(self, statement: str, lives: bool) -> None:
        """Look at all of them once. MovedError where some are left: somebody is deleting them, or will roll back."""
        portions, kept, left = self._portions, 0, 0
        while rows := await portions.fetch(statement, portions.job.did, kept, PORTION):
            is_newer = portions.are_newer([time for _, time in rows]) if lives else [False] * len(rows)
            older = sorted(id_ for (id_, _), newer in zip(rows, is_newer, strict=True) if not newer)
            gone = await portions.patiently(self._drop, older)
            left += len(older) - gone
            kept += len(rows) - gone
        if left:
            raise MovedError(f"{left} notifications are in the hands of others")

    async def _drop(self, notifications: Sequence[int]) -> int:
        async with self._portions.one() as eraser:
            return await eraser.drop("notification", "drop_notifications", notifications)

    async def aggregates(self) -> None:
        """Remove the account's counters that count nothing. Likes of other people's that are there keep counting."""
        portions = self._portions
        if portions.aggregates == "off":
            return
        sql, after = portions.statements.rows_behind("post_agg", "uri"), portions.prefix
        while page := [uri for (uri,) in await portions.fetch(sql, after, PORTION)]:
            own = [uri for uri in page if uri.startswith(portions.prefix)]
            if not own:
                break
            await portions.patiently(self._idle, "post_agg", own)
            after = page[-1]
        await portions.patiently(self._idle, "profile_agg", [portions.job.did])

    async def _idle(self, aggregate: str, keys: Sequence[str]) -> None:
        """With `recount` the counters are counted here, and not marked before (`Eraser.counters`)."""
        portions, statements = self._portions, self._portions.statements
        name = aggregate.removesuffix("_agg")
        async with portions.one() as eraser:
            await portions.jobs.note(eraser.connection, portions.job, 0)  # its row comes before counters, also here
            await eraser.connection.execute(statements[f"lock_{name}_aggregates"], keys)
            if portions.aggregates == "recount":
                for counter in COLUMNS[aggregate]:
                    await eraser.connection.execute(statements.recount(*COUNTERS[counter]), keys)
            await eraser.drop(aggregate, f"drop_idle_{name}_aggregates", keys)

    async def actor(self, *, lives: bool) -> None:
        """Remove commit tracking, a look-up that waits (it would write the actor again) and the actor.

        A look-up and an actor of newer events stay. Where older ones made them, a newer status makes them anew, as it
        would have done had nothing been there.
        """
        portions, statements, did = self._portions, self._portions.statements, self._portions.job.did
        async with portions.one() as eraser:
            if not lives:
                await eraser.connection.execute(statements["lock_commits"], did)
                await eraser.drop("actor_sync", "drop_commits", did)
            look_up = await eraser.connection.fetchval(statements["lock_look_up"], did)
            if look_up is not None and not any(portions.are_newer([look_up])):
                await eraser.connection.execute(statements["drop_look_up"], did)
            if not any(portions.are_newer([await eraser.connection.fetchval(statements["actor_time"], did)])):
                await eraser.connection.execute(statements["look_up_again"], did, portions.bound_ms)
            await eraser.connection.execute(statements["lock_status"], did)
            actor = await eraser.connection.fetchval(statements["lock_actor"], did)
            if actor is not None and not any(portions.are_newer([actor])):
                await eraser.drop("actor", "drop_actor", did)
            await eraser.connection.execute(statements["keep_status"], did, portions.bound_ms)
