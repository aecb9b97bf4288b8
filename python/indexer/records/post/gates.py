"""Whether a reply violates its thread's gate, a quote its subject's (records.md 6.2, 6.3)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from indexer.fold import aturi

if TYPE_CHECKING:
    from indexer.fold.world import Questions, World

POST = "app.bsky.feed.post"
THREAD_GATE = "app.bsky.feed.threadgate"
POST_GATE = "app.bsky.feed.postgate"
_LIST = "app.bsky.feed.threadgate#listRule"

Rule = dict[str, Any]
"""One of the rules in `allow`."""


def thread_gate_of(post: str) -> str | None:
    """The URI of the gate of a thread's root; only posts can have one."""
    return _instead(post, THREAD_GATE) if aturi.parse(post).collection == POST else None


def post_gate_of(post: str) -> str:
    """The URI of the gate that says who may embed a post."""
    return _instead(post, POST_GATE)


def _instead(post: str, collection: str) -> str:
    """The URI with another collection in it; a fragment stays, and so names no gate (records.md 6.2)."""
    return post.replace(f"/{POST}/", f"/{collection}/", 1)


def mentioned(value: dict[str, Any]) -> set[str]:
    """The DIDs that the facets of a post mention."""
    return {
        feature["did"]
        for facet in value.get("facets", ())
        for feature in facet["features"]
        if feature["$type"] == "app.bsky.richtext.facet#mention"
    }


def rules_of(gates: Iterable[dict[str, Any]]) -> list[Rule]:
    """The rules of several versions of a thread gate, each once."""
    rules = (rule for gate in gates for rule in gate.get("allow", ()))
    return list({(rule["$type"], rule["list"] if rule["$type"] == _LIST else ""): rule for rule in rules}.values())


def ask_for_rules(replier: str, root: str, rules: Iterable[Rule], questions: "Questions") -> None:
    """Name what the rules of a thread gate need to know to judge `replier`."""
    owner = aturi.authority(root)
    for rule in rules:
        match rule["$type"]:
            case "app.bsky.feed.threadgate#mentionRule":
                questions.mentions.add(root)
            case "app.bsky.feed.threadgate#followerRule":
                questions.pairs.setdefault("follow", set()).add((replier, owner))
            case "app.bsky.feed.threadgate#followingRule":
                questions.pairs.setdefault("follow", set()).add((owner, replier))
            case "app.bsky.feed.threadgate#listRule":
                questions.pairs.setdefault("list_item", set()).add((rule["list"], replier))


def violates_thread_gate(replier: str, root: str, world: "World") -> bool:
    gate_uri = thread_gate_of(root)
    gate = world.thread_gates.get(gate_uri) if gate_uri else None
    owner = aturi.authority(root)
    if gate is None or replier == owner or "allow" not in gate:
        return False
    return not any(_allows(rule, replier, owner, root, world) for rule in gate["allow"])


def _allows(rule: dict[str, Any], replier: str, owner: str, root: str, world: "World") -> bool:
    match rule["$type"]:
        case "app.bsky.feed.threadgate#mentionRule":
            if root not in world.own_posts:
                return replier in world.mentions.get(root, ())
            post = world.posts.get(root)
            return post is not None and replier in mentioned(post.value or {})
        case "app.bsky.feed.threadgate#followerRule":
            return world.holds("follow", "app.bsky.graph.follow", (replier, owner))
        case "app.bsky.feed.threadgate#followingRule":
            return world.holds("follow", "app.bsky.graph.follow", (owner, replier))
        case "app.bsky.feed.threadgate#listRule":
            return world.holds("list_item", "app.bsky.graph.listitem", (rule["list"], replier))
    return False


def disallows_embedding(quoter: str, quoted: str, world: "World") -> bool:
    gate = world.post_gates.get(post_gate_of(quoted))
    if gate is None or quoter == aturi.authority(quoted):
        return False
    return any(rule["$type"] == "app.bsky.feed.postgate#disableRule" for rule in gate.get("embeddingRules", ()))
