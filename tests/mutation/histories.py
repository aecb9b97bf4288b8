"""Bugs that only a certain order of messages shows. The random histories of the state machine notice each of them; where a
test of one order does, too, it is named, because it takes less time.
"""

from tests.mutation.mutant import Mutant

_CONCURRENCY = "tests/integration/test_sink_concurrency.py::test_"

MUTANTS = (
    Mutant(
        "the second run of the deriving statements is left out",
        "sink/derive.py",
        "    if not keys:\n        return 0\n",
        "    return 0\n",
        ("tests/integration/test_sink_derived.py::test_derivation_that_a_crash_left_out_is_made_up_by_the_redelivery",),
    ),
    Mutant(
        "the second run derives only from rows of the batch's own posts, not from late parents",
        "sink/derive.py",
        "            if arrives:\n                self.parents.add(uri)\n",
        "",
    ),
    Mutant(
        "the second run does not look for quotes that outlived their post",
        "sink/derive.py",
        '    if "quote" in found:',
        '    if "quote" in ():',
    ),
    Mutant(
        "the second run does not look at gates",
        "sink/derive.py",
        '    if "gate" in found:',
        '    if "gate" in ():',
    ),
    Mutant(
        "a deletion does not obey the rev rule",
        "fold/apply.py",
        '        elif stored.rev < rev or (stored.rev == rev and stored.cid != ""):',
        "        elif stored.rev != rev or True:",
        ("tests/unit/test_fold_revs.py::test_delete_obeys_the_rev_rule",),
    ),
    Mutant(
        "a deletion with the rev of the record is stale (< instead of <=)",
        "fold/apply.py",
        '        elif stored.rev < rev or (stored.rev == rev and stored.cid != ""):',
        "        elif stored.rev < rev:",
        ("tests/unit/test_fold_revs.py::test_div_17_of_writes_with_one_rev_the_delete_wins",),
    ),
    Mutant(
        "a write with the rev of the record is stale (< instead of <=)",
        "fold/apply.py",
        "    if stored.rev > rev:\n",
        "    if stored.rev >= rev:\n",
        ("tests/unit/test_fold_revs.py::test_redelivered_create_changes_nothing_but_the_time_which_never_goes_back",),
    ),
    Mutant(
        "of two writes with one rev the last to come wins",
        "fold/apply.py",
        '    if stored.rev == rev and (stored.cid == "" or stored.cid > cid):',
        '    if stored.rev == rev and stored.cid == "":',
        ("tests/unit/test_fold_revs.py::test_div_17_of_two_writes_with_one_rev_the_greater_cid_wins",),
    ),
    Mutant(
        "a deletion of a record that was not seen leaves no tombstone",
        "fold/apply.py",
        '            world.records[uri] = Stored(rev, "", event.time, stored=False, json="")\n',
        "            return 'indexed'\n",
        ("tests/unit/test_fold_revs.py::test_div_10_delete_before_the_create_wins",),
    ),
    Mutant(
        "of several duplicates the first to come stays indexed",
        "fold/world.py",
        "        if len(revs) <= 1:",
        "        if self.indexed in revs:\n            return self.indexed\n        if len(revs) <= 1:",
        ("tests/unit/test_fold_duplicates.py::test_div_13_lowest_rev_is_indexed_whatever_came_first",),
    ),
    Mutant(
        "of many duplicates one that is gone stays the first",
        "fold/world.py",
        "            if revs.get(uri) == rev:\n",
        "            if uri:\n",
        ("tests/unit/test_groups.py::test_first_is_the_lowest_after_every_step",),
    ),
    Mutant(
        "of many duplicates one that comes later is never the first",
        "fold/world.py",
        "            heappush(self._order, (rev, uri))\n",
        "            pass\n",
        ("tests/unit/test_groups.py::test_first_is_the_lowest_after_every_step",),
    ),
    Mutant(
        "the next duplicate is not promoted when the indexed one goes",
        "fold/apply.py",
        "        del left.revs[uri]\n        _settle(left, record_type, world)\n",
        "        del left.revs[uri]\n",
        (
            "tests/unit/test_fold_duplicates.py::test_deleting_the_indexed_like_promotes_the_next_with_its_own_cid_and_time",
        ),
    ),
    Mutant(
        "a renewed record keeps its place among its duplicates",
        "fold/apply.py",
        "        group.put(uri, rev)\n        _settle(group, record_type, world)\n",
        "",
        ("tests/unit/test_fold_duplicates.py::test_div_13_same_version_under_a_newer_rev_hands_over_as_well",),
    ),
    Mutant(
        "records beside the batch are not read after they were locked, but before",
        "sink/reads.py",
        "            for uri in beside:\n                indexed.pop(uri, None)\n",
        "",
        (_CONCURRENCY + "like_that_moves_to_another_post_while_its_duplicate_is_read_leaves_its_place",),
    ),
    Mutant(
        "records of a batch are not locked",
        "sink/queries.sql",
        "FROM {schema}.record WHERE uri = ANY($1::text[]) ORDER BY uri FOR NO KEY UPDATE\n",
        "FROM {schema}.record WHERE uri = ANY($1::text[]) ORDER BY uri\n",
    ),
    Mutant(
        "a reply that violates a gate was not counted when it came, but is when it goes",
        "sink/counts.py",
        "(unless is not None and row[unless]):",
        "(unless is not None and row[unless] and by > 0):",
    ),
    Mutant(
        "quotes that go with their post are not taken off its counter",
        "sink/writer.py",
        "            self.deltas.deleted(table, [(quote.post,) for quote in quotes])\n",
        "",
    ),
    Mutant(
        "rows that a neighbour wrote first are counted all the same (MovedError ignored)",
        "sink/writer.py",
        '            await self._exactly(self.statements.insert(table), rows, table.name, "insert")\n            return\n',
        "            if rows:\n"
        "                columns = (list(column) for column in zip(*rows, strict=True))\n"
        "                await self.connection.execute(self.statements.insert(table), *columns)\n"
        "            return\n",
        (
            "tests/integration/test_sink_concurrency.py::test_like_that_a_neighbour_inserts_meanwhile_makes_ours_a_duplicate",
        ),
    ),
    Mutant(
        "notifications of a deleted record stay",
        "fold/apply.py",
        "    world.retracted.add(uri)\n",
        "",
        ("tests/unit/test_fold_notifications.py::test_deleting_a_like_takes_its_notification_along",),
    ),
    Mutant(
        "an update of a post forgets its gates",
        "sink/writer.py",
        "        if gated or (rows and table is POST):",
        "        if gated:",
        (_CONCURRENCY + "updated_post_has_its_gates_before_the_second_run",),
    ),
    Mutant(
        "what hangs on a deleted post stays",
        "sink/writer.py",
        "            if any(position >= 0 and rev for position, rev in lives)\n",
        "            if not lives\n",
        (_CONCURRENCY + "quotes_go_with_their_post_before_the_second_run",),
    ),
    Mutant(
        "what hangs on a deleted post goes, even what is newer",
        "sink/queries.sql",
        """        JOIN {schema}.record r ON r.uri = q.uri AND r.rev COLLATE "C" < d.rev COLLATE "C"\n    ) ORDER BY q.uri FOR UPDATE""",
        """        JOIN {schema}.record r ON r.uri = q.uri\n    ) ORDER BY q.uri FOR UPDATE""",
        (_CONCURRENCY + "quotes_go_with_their_post_before_the_second_run",),
    ),
    Mutant(
        "a quote that comes in a batch with the deletion of its post outlives it",
        "records/post/embeds.py",
        "    if quoted and not world.outlived(version.uri, quoted):",
        "    if quoted:",
        ("tests/unit/test_fold_posts.py::TestHanging::test_div_18_what_is_older_than_the_deletion_goes_in_any_order",),
    ),
    Mutant(
        "a video of a deleted post stays",
        "sink/writer.py",
        "                for table in kind.tables:\n                    self.deletes[table].append(uri)\n",
        "                for table in kind.tables:\n"
        '                    if table.name != "post_embed_video" or world.is_live(uri):\n'
        "                        self.deletes[table].append(uri)\n",
        (_CONCURRENCY + "deleted_post_takes_its_video_along",),
    ),
    Mutant(
        "a create with a newer rev and another CID renews the record only",
        "fold/apply.py",
        "    stored.json, stored.changed = event.json, True\n",
        "    stored.json, stored.changed = event.json, True\n"
        '    if event.kind == "create" and old_cid:\n        return "indexed"\n',
        ("tests/unit/test_fold_revs.py::test_div_17_create_with_another_cid_acts_as_an_update",),
    ),
    Mutant(
        "replies that violate a gate count",
        "records/post/__init__.py",
        'by="replyParent", unless="violatesThreadGate")',
        'by="replyParent")',
        ("tests/unit/test_fold_gates.py::test_thread_gate_lets_in_whom_it_allows",),
    ),
    Mutant(
        "a repost that is a duplicate has no feed item",
        "fold/apply.py",
        "    if record_type.attached_tables:\n        world.attached[uri] = record_type\n    if record_type.arrive is not None:",
        "    if record_type.arrive is not None:",
        ("tests/unit/test_fold_duplicates.py::test_duplicate_repost_has_its_feed_item_too",),
    ),
)
