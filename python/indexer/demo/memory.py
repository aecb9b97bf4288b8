"""What made-up events can refer to: bounded stores with the network's skew, so that a generator may run for ever."""

from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Post:
    """A made-up post that others can answer, like or quote."""

    author: int
    uri: str
    cid: str
    root_uri: str
    root_cid: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A made-up record that its author can still delete or change."""

    author: int
    collection: str
    rkey: str


def zipf(random: Random, count: int) -> int:
    """A rank from 0 to `count` - 1, drawn roughly in proportion to 1 / (rank + 1)."""
    # Rounding can reach count + 1.
    return min(int((count + 1) ** random.random()), count) - 1


class Recent(Generic[Item]):
    """The last `size` items; the newest are drawn most often, the old ones never quite stop."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: list[Item] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item) -> None:
        if len(self._items) < self._size:
            self._items.append(item)
        else:
            self._items[self._next] = item
            self._next = (self._next + 1) % self._size

    def draw(self, random: Random) -> Item:
        """IndexError where there is nothing."""
        return self._items[(self._next - 1 - zipf(random, len(self._items))) % len(self._items)]


class Pool(Generic[Item]):
    """At most `size` items, each drawn once; where there are more, a random one gives way."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._items: list[Item] = []

    def __len__(self) -> int:
        return len(self._items)

    def add(self, item: Item, random: Random) -> None:
        if len(self._items) < self._size:
            self._items.append(item)
        else:
            self._items[random.randrange(self._size)] = item

    def take(self, random: Random) -> Item:
        """Remove an item and return it; IndexError where there is none."""
        place = int(random.random() * len(self._items))
        item = self._items[place]
        self._items[place] = self._items[-1]
        self._items.pop()
        return item

    def look(self, random: Random) -> Item:
        """As `take`, but the item stays."""
        return self._items[int(random.random() * len(self._items))]


class Posts:
    """Where likes and replies go: mostly to what is new, a quarter to a few posts that everybody sees."""

    HOT = 40
    HOT_SHARE = 0.25

    def __init__(self) -> None:
        self._recent: Recent[Post] = Recent(5_000)
        self._hot: list[Post] = []

    def __len__(self) -> int:
        return len(self._recent)

    def add(self, post: Post, random: Random) -> None:
        self._recent.add(post)
        if len(self._hot) < self.HOT:
            self._hot.append(post)
        elif random.random() < 0.002:
            self._hot[random.randrange(self.HOT)] = post

    def draw(self, random: Random) -> Post:
        """IndexError where there is none yet."""
        if random.random() < self.HOT_SHARE:
            return self._hot[zipf(random, len(self._hot))]
        return self._recent.draw(random)
