"""Which differences are known beforehand (DIV-n), which nobody can know, and which are just differences."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from indexer._native import parse_dates
from indexer.commands.shadow.facts import Facts
from indexer.commands.shadow.rows import Difference
from indexer.fold import aturi
from indexer.fold.tid import instant
from indexer.records import RECORDS

KNOWN = {
    "DIV-4": "the reference cannot update a post that has a video",
    "DIV-5": "the reference loses a record all of whose notifications are muted",
    "DIV-8": "the reference's backfiller gives blobs without a type the size -1",
    "DIV-9": "the reference forgets the status of an account that it has no row of",
    "DIV-10": "the reference keeps no tombstone of a record that it never saw",
    "DIV-11": "the reference misses a gate that came before its post, or forgets it when the post is updated",
    "DIV-12": "the reference does not judge a reply again whose parent comes later",
    "DIV-13": "the reference indexes another of several duplicates, or keeps stale notes of them",
    "DIV-14": "the reference drops what others attached to a post when the post is updated",
    "DIV-15": "the reference counts only quotes of the version that stands",
    "DIV-16": "the reference leaves the video of a post behind that was deleted or updated",
    "DIV-17": "the reference renews only `record` where a create comes over a live record; two writes under one rev",
    "DIV-18": "the reference goes by the order of arrival of a post's deletion and what hangs on it",
    "NUL": "PostgreSQL refuses NUL and lone surrogates from the reference; here they are taken out",
    "refused": "a message that is a dead letter here: the reference applies it in part",
}
FIRST_DAY_MS = 1_667_260_800_000
"""November 2022. Before that there was no network: no row can be older."""
CLOCKS_MS = 3_600_000
"""By so much may a person's clock be ahead of ours."""
_DATES = ("indexedAt", "sortAt")
_MOMENT = ("violatesThreadGate", "violatesEmbeddingRules")
_DUPLICATES = {kind.tables[0].name for kind in RECORDS.values() if kind.duplicate_key is not None}


class Verdict(NamedTuple):
    """What becomes of a difference: `known` with its DIV, `unknowable` with the reason, or `difference`."""

    is_: str
    why: str = ""


DIFFERENCE = Verdict("difference")


def known(name: str) -> Verdict:
    """It differs by a decision."""
    return Verdict("known", name)


def unknowable(reason: str) -> Verdict:
    """Nobody can say what it should be."""
    return Verdict("unknowable", reason)


class Judge:
    """Judges the differences of one window."""

    def __init__(self, facts: Facts, differences: Iterable[Difference]) -> None:
        self.facts = facts
        self.window = facts.window
        self._older: set[str] = set()
        """Records whose typed rows are older than the window, as far as one can tell."""
        self._other_version: set[str] = set()
        self._lost: set[str] = set()
        """Records that the incumbent does not have."""
        for one in differences:
            if one.table == "record" and one.kind == "missing row":
                self._lost.add(one.uri)
            if one.table == "record" or one.kind != "column":
                continue
            if one.column in _DATES and _is_older(one) and not self._is_new(one.uri):
                self._older.add(one.uri)
            if one.column == "cid":
                self._other_version.add(one.uri)

    def verdict(self, one: Difference) -> Verdict:
        found = self._of_record(one)
        if found is not None:
            return found
        if one.table == "record":
            return self._record(one)
        if one.table == "notification":
            return self._notification(one)
        if one.table in ("feed_item", "quote") and one.kind != "column":
            return self._hanging(one)
        if one.table == "post" and one.column in ("hasThreadGate", "hasPostGate"):
            return self._gate_flag(one)
        if one.table == "post" and one.column == "invalidReplyRoot":
            return self._reply(one)
        if one.table == "post" and one.column in _MOMENT:
            return self._of_the_moment(one)
        if one.table == "duplicate_record" or one.table in _DUPLICATES:
            return self._duplicate(one)
        return self._typed(one)

    def _is_new(self, uri: str) -> bool:
        return uri in self.window.told and self.window.is_new(uri)

    def _of_record(self, one: Difference) -> Verdict | None:
        """What holds for everything that belongs to a record."""
        uri, window = one.uri, self.window
        if uri not in window.told:
            return None
        if window.cleaned(uri):
            return known("NUL")
        there, here = self.facts.theirs.get(uri), self.facts.ours.get(uri)
        behind = here is not None and (there is None or there.rev < here.rev)
        if behind and window.was(uri, "update", "delete"):
            if window.had_video(uri):  # its row is in the way, also of a post that was deleted and comes again
                return known("DIV-4")
            if window.was(uri, "update") and self.facts.rivals_of(uri):
                return known("DIV-13")
        if window.rivals(uri):
            return known("DIV-17")
        if uri in self._lost and self._may_be_muted(uri):
            return known("DIV-5")
        if uri in self.facts.refused:
            return known("refused")
        return None

    def is_spoiled(self, uri: str) -> bool:
        """Whether the reference could not process a message of this record."""
        window = self.window
        return window.cleaned(uri) or (
            window.was(uri, "update") and (window.had_video(uri) or bool(self.facts.rivals_of(uri)))
        )

    def _may_be_muted(self, uri: str) -> bool:
        muted = self.facts.around.muted
        return bool(muted) and any(neighbour in muted for neighbour in (uri, *self.facts.neighbours(uri)))

    def _record(self, one: Difference) -> Verdict:
        window, uri = self.window, one.uri
        here = self.facts.ours.get(uri)
        if one.kind == "missing row":
            if here is not None and not here.is_live and window.told[uri][0].event.kind == "delete":
                return known("DIV-10")
            return DIFFERENCE
        if one.column == "json" and isinstance(one.theirs, str) and '"size":-1' in one.theirs.replace(" ", ""):
            return known("DIV-8")
        if one.column == "indexedAt":
            if here is not None and not here.is_live and not window.is_new(uri):
                return unknowable("the version that was deleted is not in the window")
            if window.came_again(uri) and one.theirs in {told.event.time for told in window.told[uri]}:
                return known("DIV-17")
            if not window.is_new(uri) and _is_later(one):
                return unknowable("the same version may have come before the window")
        return DIFFERENCE

    def _typed(self, one: Difference) -> Verdict:
        window, uri = self.window, one.uri
        told = window.last(uri)
        if one.table == "profile" and one.column == "createdAt" and told is not None and told.event.created_at is None:
            return unknowable("it is the time at which the message was processed")
        left_behind = window.was(uri, "delete", "update") or not self._is_new(uri)
        if one.table == "post_embed_video" and one.kind == "surplus row" and left_behind:
            return known("DIV-16")
        if uri in window.told and window.replaced(uri):
            return known("DIV-17")
        if uri in self._older:
            if uri in self._other_version:
                return known("DIV-17")
            if one.column in _DATES:
                return unknowable("the same version may have come before the window")
        return DIFFERENCE

    def _duplicate(self, one: Difference) -> Verdict:
        facts, uri = self.facts, one.uri
        rivals = facts.rivals_of(uri)
        changed = uri in self.window.told and self.window.was(uri, "update", "delete")
        if one.table == "duplicate_record":
            if one.kind == "surplus row":
                of = one.theirs["duplicateOf"] if one.theirs else None
                if changed or of in facts.refused or (rivals and of in rivals):
                    return known("DIV-13")
            elif one.kind == "missing row":
                table = RECORDS[aturi.parse(uri).collection].tables[0].name
                if rivals and uri in facts.rows.get(table, ()):
                    return known("DIV-13")
            elif (one.column == "duplicateOf" and (one.theirs in rivals or one.theirs in facts.refused)) or (
                one.column != "duplicateOf" and len(self.window.told.get(uri, ())) > 1
            ):
                return known("DIV-13")
            return DIFFERENCE
        if rivals:
            if one.kind == "surplus row" or (one.kind == "column" and one.column in _DATES):
                return known("DIV-13")
            if one.kind == "missing row" and (
                uri in facts.rows["duplicate_record"]
                or any(self._has_gone(rival) or rival in facts.refused for rival in rivals)
            ):
                return known("DIV-13")
        elif one.kind == "missing row" and uri in facts.rows["duplicate_record"] and facts.refused:
            return known("refused")  # the incumbent has it as a duplicate of what is a dead letter here
        return self._typed(one)

    def _has_gone(self, uri: str) -> bool:
        there = self.facts.theirs.get(uri)
        return self.window.was(uri, "update", "delete") or (there is not None and not there.is_live)

    def _hanging(self, one: Difference) -> Verdict:
        """Feed items of reposts and quotes: they hang on a post (DIV-14, DIV-18)."""
        row: dict[str, Any] = one.ours or one.theirs or {}
        subject = str(row.get("subject") or row.get("postUri"))
        if one.table == "feed_item" and row.get("type") == "post":
            return self._typed(one)
        window, facts = self.window, self.facts
        is_there = one.kind == "surplus row"
        if facts.spoiled(subject):
            return known("NUL")
        if facts.went_on(subject):
            return unknowable("the post that it hangs on changed since")
        if subject in window.told:
            placed = window.place(one.uri)
            deleted = [told.place for told in window.told[subject] if told.event.kind == "delete"]
            if deleted:
                if placed is None:
                    own = facts.theirs.get(one.uri)
                    (late,) = [told for told in window.told[subject] if told.place == deleted[-1]]
                    came_later = own is not None and own.indexed_at > late.event.time
                else:
                    came_later = placed > deleted[-1]
                return known("DIV-18") if came_later == is_there or len(deleted) > 1 else DIFFERENCE
            if not is_there and window.was(subject, "update"):
                return known("DIV-14")
            if not is_there and window.replaced(subject):
                return known("DIV-17")
        elif (there := facts.theirs.get(subject)) is not None:
            if facts.moved_since(subject, window.last(one.uri), one.uri):
                return unknowable("the post that it hangs on changed since")
            if not there.is_live:
                return known("DIV-18")
        return self._typed(one)

    def _gate_flag(self, one: Difference) -> Verdict:
        """DIV-11: lost where the gate came first, or the post came again."""
        parts = aturi.parse(one.uri)
        gate = parts.sibling(f"app.bsky.feed.{'thread' if one.column == 'hasThreadGate' else 'post'}gate")
        if gate in self.facts.unprocessed or self.facts.went_on(gate):
            return unknowable("its gate is not processed yet, or changed since")
        window = self.window
        if window.cleaned(gate):
            return known("NUL")
        post_at, gate_at = window.place(one.uri), window.place(gate)
        if not one.theirs and one.ours:
            if post_at is not None and gate_at is not None:
                return known("DIV-11") if post_at > gate_at else DIFFERENCE
            if gate_at is None and (there := self.facts.theirs.get(gate)) is not None:
                own = self.facts.theirs.get(one.uri)
                return DIFFERENCE if own is not None and own.rev < there.rev else known("DIV-11")
            return known("DIV-11")
        if gate in self.facts.refused:
            return known("refused")
        return DIFFERENCE

    def _reply(self, one: Difference) -> Verdict:
        """DIV-12: judged once, when it came."""
        facts, window = self.facts, self.window
        above = list(facts.ancestors(one.uri))
        if any(facts.spoiled(uri) for uri in above):
            return known("NUL")
        if one.theirs:
            below = one.uri
            for uri in above:
                child = window.last(below)
                came = window.told[uri][0].place if uri in window.told else None
                if came is not None and (child is None or came > child.place):
                    return known("DIV-12")
                if facts.moved_since(uri, child, below):
                    return known("DIV-12")
                if came is not None and window.was(uri, "update", "delete"):
                    return known("DIV-12")
                below = uri
        return unknowable("a post above it changed since") if facts.unsure(one.uri) else DIFFERENCE

    def _of_the_moment(self, one: Difference) -> Verdict:
        if any(self.facts.spoiled(uri) for uri in self.facts.neighbours(one.uri)):
            return known("NUL")
        if self.facts.unsure(one.uri):
            return unknowable("what it was judged by changed since")
        return self._typed(one)

    def _notification(self, one: Difference) -> Verdict:
        facts, window, uri = self.facts, self.window, one.uri
        if not self._is_new(uri):
            return unknowable("the record may have told people before the window")
        if facts.rivals_of(uri):
            return known("DIV-13")
        if window.replaced(uri):
            return known("DIV-17")
        if any(facts.spoiled(neighbour) for neighbour in facts.neighbours(uri)):
            return known("NUL")
        if facts.unsure(uri) or facts.had_rival(uri):
            return unknowable("what it was judged by changed since")
        told = window.last(uri)
        for root, at in facts.around.muted.items():
            if told is not None and at > told.event.time and root in (uri, *facts.neighbours(uri)):
                return unknowable("the thread was muted since")
        return DIFFERENCE


def _is_older(one: Difference) -> bool:
    """Whether a time may be that of an earlier message: not before the record's key was made, if that is a TID."""
    (ours, theirs) = parse_dates([str(one.ours), str(one.theirs)])
    if ours is None or theirs is None or theirs >= ours:
        return False
    made = instant(aturi.parse(one.uri).rkey)
    return theirs >= (FIRST_DAY_MS if made is None else made - CLOCKS_MS)


def _is_later(one: Difference) -> bool:
    (ours, theirs) = parse_dates([str(one.ours), str(one.theirs)])
    return ours is not None and theirs is not None and theirs > ours
