"""All checks, area by area: the list that `examination.py` works off."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Literal

from indexer.commands.doctor import configuration, network, pooler, postgres, redis, streams
from indexer.commands.doctor.finding import Yielded
from indexer.commands.doctor.subject import Subject

Needs = Literal["nothing", "network", "redis", "database"]


@dataclass(frozen=True, slots=True)
class Check:
    """One question; those that need the same server are asked one after the other."""

    area: str
    needs: Needs
    ask: Callable[[Subject], AsyncIterator[Yielded]]

    @property
    def name(self) -> str:
        return f"{self.area}: {self.ask.__name__.replace('_', ' ')}"


CHECKS = (
    Check(configuration.AREA, "nothing", configuration.values),
    Check(configuration.AREA, "nothing", configuration.development),
    Check(configuration.AREA, "nothing", configuration.effective),
    Check(redis.AREA, "redis", redis.version),
    Check(redis.AREA, "redis", redis.memory),
    Check(redis.AREA, "redis", redis.persistence),
    Check(redis.AREA, "redis", redis.rights),
    Check(streams.AREA, "redis", streams.groups),
    Check(streams.AREA, "redis", streams.consumers),
    Check(streams.AREA, "redis", streams.pending),
    Check(streams.AREA, "redis", streams.orphans),
    Check(postgres.AREA, "database", postgres.server),
    Check(postgres.AREA, "database", postgres.own_state),
    Check(postgres.AREA, "database", postgres.schema),
    Check(postgres.AREA, "database", postgres.sequences),
    Check(postgres.AREA, "database", postgres.connections),
    Check(pooler.AREA, "database", pooler.pooling),
    Check(network.AREA, "redis", network.clock_of_redis),
    Check(network.AREA, "database", network.clock_of_postgres),
    Check(network.AREA, "network", network.names),
    Check(network.AREA, "network", network.directory),
)
