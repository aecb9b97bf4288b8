"""The Redis users of deploy/redis.acl: daemons of tests are `indexer` there; tests themselves may do everything."""

import re
from pathlib import Path

import redis

ACL = Path(__file__).parents[1] / "deploy/redis.acl"
URLS: dict[str, str] = {}
"""By the URL of a server that has these users, the URL of `indexer`."""


def url(server: str, user: str) -> str:
    """The URL of a user of a server on a unix socket."""
    (password,) = re.findall(rf"^user {user} on >(\S+) ", ACL.read_text(encoding="utf-8"), re.M)
    return server.replace("unix://", f"unix://{user}:{password}@", 1)


def refused(server: str) -> list[tuple[str, str, str]]:
    """What these users were not allowed to do: user, context, object."""
    users = re.findall(r"^user (\S+) ", ACL.read_text(encoding="utf-8"), re.M)
    with redis.Redis.from_url(server) as client:
        found = [(entry["username"], entry["context"], entry["object"]) for entry in client.acl_log()]
    return [entry for entry in found if entry[0] in users]
