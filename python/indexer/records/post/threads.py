"""Whether a reply belongs to the thread that it names (records.md 6.1, DIV-12)."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from indexer.fold.world import Post, World


def has_invalid_root(post: "Post", world: "World") -> bool:
    """InvalidReplyRoot of a reply, judged by its parent as the world has it."""
    if post.parent is None:
        return False
    has_reply: bool
    root: str | None
    if post.parent == post.uri:
        # a post that replies to itself finds its own record
        has_reply, root = True, post.root
    elif (parent := world.posts.get(post.parent)) is not None:
        if parent.invalid:
            return True
        has_reply, root = parent.parent is not None, parent.root
    elif post.parent in world.other_parents:
        has_reply, root = world.other_parents[post.parent]
    else:
        return True
    return has_reply if post.parent == post.root else root != post.root


def parent_arrived(uri: str, world: "World") -> None:
    """Judge the replies of this batch again that waited for `uri`, and what waits for them."""
    arrived = [uri]
    while arrived:
        for reply in world.waiting.pop(arrived.pop(), ()):
            if world.posts.get(reply.uri) is not reply:
                continue  # gone, or replaced by another version
            reply.invalid = has_invalid_root(reply, world)
            if reply.invalid and reply.parent is not None:
                world.waiting.setdefault(reply.parent, []).append(reply)
            else:
                arrived.append(reply.uri)


def reply_of(text: str) -> tuple[bool, str | None]:
    """Whether a record's JSON has a `reply`, and the root that it names: any record may be a parent.

    The standard library's parser, because `record.json` may hold lone surrogates.
    """
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return False, None
    reply = record.get("reply") if isinstance(record, dict) else None
    root = reply.get("root") if isinstance(reply, dict) else None
    uri = root.get("uri") if isinstance(root, dict) else None
    return bool(reply), uri if isinstance(uri, str) else None
