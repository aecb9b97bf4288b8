"""What made-up accounts do: an operation per record type, in the network's proportions.

Keys of records stand in the order of DAG-CBOR (the shorter first, then by bytes), as decoded records have them.
"""

from collections.abc import Callable
from random import Random
from typing import Any

from indexer.demo import identifiers, words
from indexer.demo.memory import Kept
from indexer.demo.network import Commit, Network, Operation

Action = Callable[[Network, int], Commit | None]
"""Makes a commit at a time in microseconds; None where it cannot be done yet (a like before there is a post)."""

PROFILE = "app.bsky.actor.profile"
POST = "app.bsky.feed.post"
LIST = "app.bsky.graph.list"


def engage(collection: str) -> Action:
    """Like or repost a post."""

    def action(network: Network, us: int) -> Commit | None:
        if not len(network.posts):
            return None
        subject = network.reference(network.posts.draw(network.random))
        if not network.chooses(collection, subject["uri"]):
            return None
        record = {"$type": collection, "subject": subject, "createdAt": identifiers.timestamp(us)}
        return network.create(network.active(), collection, network.tid(us), record, network.deletable)

    return action


def relate(collection: str) -> Action:
    """Follow or block an account."""

    def action(network: Network, us: int) -> Commit | None:
        author, subject = network.active(), network.popular()
        if author == subject or not network.chooses(collection, network.did(subject)):
            return None
        record = {"$type": collection, "subject": network.did(subject), "createdAt": identifiers.timestamp(us)}
        return network.create(author, collection, network.tid(us), record, network.deletable)

    return action


def profile(network: Network, us: int) -> Commit:
    """Describe oneself, or do it again."""
    author, random = network.active(), network.random
    record: dict[str, Any] = {"$type": PROFILE, "avatar": blob(random, "image/jpeg")}
    if random.random() < 0.8:
        record["createdAt"] = identifiers.timestamp(us - 10**12)
    record["description"] = words.sentence(random, words.language(random), 20)
    record["displayName"] = words.sentence(random, words.language(random), 2)[:40]
    return network.write_self(author, PROFILE, record)


def list_(network: Network, us: int) -> Commit:
    """Begin a list of accounts."""
    author, random, rkey = network.active(), network.random, network.tid(us)
    record = {"name": words.sentence(random, "en", 3)[:60], "$type": LIST}
    record["purpose"] = f"app.bsky.graph.defs#{random.choice(('curatelist', 'modlist'))}"
    record["createdAt"] = identifiers.timestamp(us)
    network.changeable.add(Kept(author, LIST, rkey), random)
    return network.create(author, LIST, rkey, record, network.lists)


def list_item(network: Network, us: int) -> Commit | None:
    """Put an account on an own list."""
    if not len(network.lists):
        return None
    owned = network.lists.look(network.random)
    uri = f"at://{network.did(owned.author)}/{LIST}/{owned.rkey}"
    record = {"list": uri, "$type": "app.bsky.graph.listitem", "subject": network.did(network.popular())}
    record["createdAt"] = identifiers.timestamp(us)
    return network.create(owned.author, record["$type"], network.tid(us), record, network.deletable)


def list_block(network: Network, us: int) -> Commit | None:
    """Block everybody on a list."""
    if not len(network.lists):
        return None
    other = network.lists.look(network.random)
    uri = f"at://{network.did(other.author)}/{LIST}/{other.rkey}"
    record = {"$type": "app.bsky.graph.listblock", "subject": uri, "createdAt": identifiers.timestamp(us)}
    return network.create(network.active(), record["$type"], network.tid(us), record, network.deletable)


def gate(network: Network, us: int) -> Commit | None:
    """Say who may answer or quote an own post."""
    if not len(network.gateable):
        return None
    random, own = network.random, network.gateable.take(network.random)
    record: dict[str, Any] = {"post": f"at://{network.did(own.author)}/{POST}/{own.rkey}"}
    if random.random() < 0.5:
        record["$type"] = "app.bsky.feed.threadgate"
        rules = ("mentionRule", "followerRule", "followingRule")
        allowed = random.sample(rules, random.randrange(3))
        record["allow"] = [{"$type": f"app.bsky.feed.threadgate#{rule}"} for rule in allowed]
        record["createdAt"] = identifiers.timestamp(us)
    else:
        record["$type"] = "app.bsky.feed.postgate"
        record["createdAt"] = identifiers.timestamp(us)
        record["embeddingRules"] = [{"$type": "app.bsky.feed.postgate#disableRule"}]
    return network.create(own.author, record["$type"], own.rkey, record, network.deletable)


def rarely(network: Network, us: int) -> Commit | None:
    """One of the record types that are a few in ten thousand."""
    random, author, at = network.random, network.active(), identifiers.timestamp(us)
    other = network.did(network.popular())
    records: list[tuple[str, dict[str, Any]]] = [
        ("self", {"$type": "app.bsky.actor.status", "status": "app.bsky.actor.status#live", "createdAt": at}),
        ("self", {"$type": "app.bsky.labeler.service", "policies": {"labelValues": ["spam"]}, "createdAt": at}),
        ("self", {"$type": "app.bsky.notification.declaration", "allowSubscriptions": "followers"}),
        ("self", {"$type": "chat.bsky.actor.declaration", "allowIncoming": "following"}),
        ("self", {"$type": "test.madeup.listening", "track": words.sentence(random, "en", 3)}),
        (network.tid(us), {"did": "did:web:feeds.madeup.test", "$type": "app.bsky.feed.generator", "createdAt": at,
                            "displayName": words.sentence(random, "en", 2)[:24]}),
        (network.tid(us), {"$type": "app.bsky.graph.verification", "handle": f"{other[-8:]}.madeup.test",
                            "subject": other, "createdAt": at, "displayName": words.sentence(random, "en", 2)[:40]}),
    ]  # fmt: skip
    if len(network.lists):
        owned = network.lists.look(random)
        uri = f"at://{network.did(owned.author)}/{LIST}/{owned.rkey}"
        pack = {"list": uri, "name": words.sentence(random, "en", 3)[:50], "$type": "app.bsky.graph.starterpack"}
        records.append((network.tid(us), {**pack, "createdAt": at}))
    rkey, record = random.choice(records)
    if rkey == "self":
        return network.write_self(author, record["$type"], record)
    return Commit(author, [network.operation("create", record["$type"], rkey, record)])


def delete(network: Network, _us: int) -> Commit | None:
    """Delete one of the records that are remembered."""
    if not len(network.deletable):
        return None
    gone = network.deletable.take(network.random)
    return Commit(gone.author, [Operation("delete", gone.collection, gone.rkey)])


def change(network: Network, us: int) -> Commit | None:
    """Write a list or a post again, under its key."""
    if not len(network.changeable):
        return None
    old, random = network.changeable.take(network.random), network.random
    if old.collection == LIST:
        record = {"name": words.sentence(random, "en", 3)[:60], "$type": LIST, "purpose": "app.bsky.graph.defs#modlist"}
    else:
        record = {"text": words.sentence(random, "en", 20), "$type": POST}
    record["createdAt"] = identifiers.timestamp(us)
    return Commit(old.author, [network.operation("update", old.collection, old.rkey, record)])


def blob(random: Random, mime_type: str) -> dict[str, Any]:
    """A reference to a file that does not exist."""
    link = {"$link": identifiers.blob_cid(random)}
    return {"ref": link, "size": random.randrange(10_000, 1_000_000), "$type": "blob", "mimeType": mime_type}
