"""Who an account is: DID documents, handles, and the hosts behind them that strangers chose (actors.md 2, 4).

No database here. `resolver.py` is where to start; `outcomes.py` has what comes back.
"""

from indexer.identity.cache import DidCache
from indexer.identity.limits import Limits
from indexer.identity.outcomes import CAUSES, Cause, Deferred, Found, Hosting, NotFound, Unusable
from indexer.identity.resolver import Resolver

__all__ = [
    "CAUSES",
    "Cause",
    "Deferred",
    "DidCache",
    "Found",
    "Hosting",
    "Limits",
    "NotFound",
    "Resolver",
    "Unusable",
]
