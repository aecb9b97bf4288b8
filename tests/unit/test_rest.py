"""While an instance is paused what works beside its lanes begins nothing, and shows that it lives."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from indexer import pulse
from indexer.daemon import supervision
from indexer.daemon.handle_worker import HandleWorker
from indexer.daemon.supervision import Supervisor
from indexer.identity import DidCache, Resolver
from indexer.metrics import Metrics
from indexer.removal import worker as removal
from indexer.removal.jobs import Jobs
from indexer.removal.worker import RemovalWorker
from indexer.sink import recount
from indexer.sink.handles import HandleQueue
from indexer.sink.recount import Recounter


class Pause:
    """Asked by the workers."""

    def __init__(self) -> None:
        self.on = True

    def __call__(self) -> bool:
        return self.on


class Work:
    """What a worker would begin."""

    def __init__(self) -> None:
        self.begun = 0

    async def waiting(self) -> int:
        return 1

    async def take(self, *_: Any) -> dict[str, int]:
        self.begun += 1
        return {}

    async def portion(self) -> int:
        self.begun += 1
        return 0


Worker = Callable[[Work, Pause, asyncio.Event], Coroutine[Any, Any, None]]


def handles(work: Work, pause: Pause, stop: asyncio.Event) -> Coroutine[Any, Any, None]:
    return HandleWorker(cast(HandleQueue, work), cast(Resolver, None), cast(DidCache, None), Metrics(()), pause).run(
        stop
    )


def removing(work: Work, pause: Pause, _stop: asyncio.Event) -> Coroutine[Any, Any, None]:
    return RemovalWorker(cast(Jobs, work), cast(Any, None), "off", Metrics(()), pause).removing()


def asking(work: Work, pause: Pause, _stop: asyncio.Event) -> Coroutine[Any, Any, None]:
    return RemovalWorker(cast(Jobs, work), cast(Any, None), "off", Metrics(()), pause).asking()


def recounting(work: Work, pause: Pause, stop: asyncio.Event) -> Coroutine[Any, Any, None]:
    counter = Recounter(cast(Any, None), cast(Any, None), pause)
    counter.portion = work.portion  # type: ignore[method-assign]
    return counter.run(stop)


@pytest.mark.parametrize("worker", [handles, removing, asking, recounting])
async def test_it_rests_without_standing_still_and_goes_on(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "TICK_S", 0.01)
    monkeypatch.setattr(pulse, "STILL_S", 0.4)
    for module, name in ((removal, "POLL_S"), (recount, "WINDOW_S")):
        monkeypatch.setattr(module, name, 0.05)
    monkeypatch.setattr("indexer.daemon.handle_worker.IDLE_S", 0.05)
    monkeypatch.setattr("indexer.daemon.handle_worker.ROUND_S", 0.01)
    work, pause, stop = Work(), Pause(), asyncio.Event()
    with Supervisor() as supervisor:
        task = supervisor.start(worker(work, pause, stop), "worker")
        resting = asyncio.create_task(asyncio.sleep(1))
        assert await supervisor.first({resting}) == {resting}
        assert work.begun == 0
        pause.on = False
        while not work.begun:
            assert not task.done()
            await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
