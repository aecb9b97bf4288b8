"""Made-up posts: alone, as answers, as quotes, in threads written at once; with languages, facets and embeds."""

from typing import Any

from indexer.demo import identifiers, words
from indexer.demo.memory import Kept, Post
from indexer.demo.network import Commit, Network
from indexer.demo.operations import POST, blob

ANSWERS = 0.4
"""Share of posts that answer another."""
THREADS = 0.04
"""Share of commits that hold several posts, each an answer to the one before."""


def post(network: Network, us: int) -> Commit:
    """One post, or a thread of two to four in one commit."""
    random, author = network.random, network.active()
    answered = network.posts.draw(random) if len(network.posts) and random.random() < ANSWERS else None
    operations = []
    for _ in range(random.randrange(2, 5) if random.random() < THREADS else 1):
        rkey = network.tid(us)
        record = _record(network, us, answered)
        operations.append(network.operation("create", POST, rkey, record))
        uri, cid = f"at://{network.did(author)}/{POST}/{rkey}", str(operations[-1].cid)
        root = (answered.root_uri, answered.root_cid) if answered else (uri, cid)
        if answered is None:
            network.gateable.add(Kept(author, POST, rkey), random)
        answered = Post(author, uri, cid, *root)
        network.posts.add(answered, random)
        network.deletable.add(Kept(author, POST, rkey), random)
        if random.random() < 0.02:
            network.changeable.add(Kept(author, POST, rkey), random)
    return Commit(author, operations)


def _record(network: Network, us: int, answered: Post | None) -> dict[str, Any]:
    random = network.random
    language = words.language(random)
    text = words.sentence(random, language, 30)
    facets: list[dict[str, Any]] = []
    if random.random() < 0.2:
        text, facets = words.with_facets(random, text, network.did(network.popular()))
    record: dict[str, Any] = {"text": text, "$type": POST}
    if embed := _embed(network):
        record["embed"] = embed
    if random.random() < 0.95:
        record["langs"] = [language]
    if answered:
        root = {"cid": answered.root_cid, "uri": answered.root_uri}
        record["reply"] = {"root": root, "parent": network.reference(answered)}
    if facets:
        record["facets"] = facets
    record["createdAt"] = identifiers.timestamp(us)
    return record


def _embed(network: Network) -> dict[str, Any] | None:
    """Of a hundred posts: 15 with images, 10 with a link, 3 with a video, 7 quotes, 1 quote with an image."""
    random, drawn = network.random, network.random.random()
    if drawn < 0.15:
        return _images(network)
    if drawn < 0.25:
        external = {"uri": f"https://madeup.test/{random.randrange(10**6)}", "thumb": blob(random, "image/jpeg")}
        external["title"] = words.sentence(random, "en", 10)
        external["description"] = words.sentence(random, "en", 25)
        return {"$type": "app.bsky.embed.external", "external": external}
    if drawn < 0.28:
        return {"$type": "app.bsky.embed.video", "video": blob(random, "video/mp4")}
    if drawn >= 0.36 or not len(network.posts):
        return None
    quoted = {"$type": "app.bsky.embed.record", "record": network.reference(network.posts.draw(random))}
    if drawn < 0.35:
        return quoted
    return {"$type": "app.bsky.embed.recordWithMedia", "media": _images(network), "record": quoted}


def _images(network: Network) -> dict[str, Any]:
    random = network.random
    images = [
        {"alt": words.sentence(random, "en", 15) if random.random() < 0.5 else "", "image": blob(random, "image/jpeg")}
        for _ in range(1 if random.random() < 0.7 else random.randrange(2, 5))
    ]
    return {"$type": "app.bsky.embed.images", "images": images}


def plain_post(network: Network, us: int) -> Commit:
    """A post of a few words that nobody will ever refer to."""
    text = words.sentence(network.random, "en", 10)
    record = {"text": text, "$type": POST, "langs": ["en"], "createdAt": identifiers.timestamp(us)}
    return Commit(network.active(), [network.operation("create", POST, network.tid(us), record)])
