"""Bugs that lose messages between the stream and the tables, or count them twice."""

from tests.mutation.mutant import Mutant

_LANE = "tests/integration/test_source_lane.py::test_"
_SOURCE = "tests/integration/test_source.py::test_"
_HALVING = "tests/integration/test_sink_halving.py::test_"

MUTANTS = (
    Mutant(
        "a message that ends every process that reads it is tried nowhere else",
        "lane/pipeline.py",
        "        suspects = [message for message in messages if message.deliveries >= DELIVERIES]\n",
        "        suspects = [message for message in messages if message.deliveries < 0]\n",
        ("tests/faults/test_crash_poison.py::test_it_is_set_aside_at_the_fourth_start",),
    ),
    Mutant(
        "what ended one process is dead, whoever ended it",
        "lane/trial.py",
        "        if deaths == TIMES:\n",
        "        if deaths:\n",
        ("tests/integration/test_trial.py::test_process_that_somebody_else_ended_proves_nothing",),
    ),
    Mutant(
        "messages are acknowledged before the commit",
        "lane/pipeline.py",
        "        outcome = await self.sink.write(batch.entries, batch.letters)\n",
        "        await self.source.settle(batch.ids)\n"
        "        outcome = await self.sink.write(batch.entries, batch.letters)\n",
        (_LANE + "nothing_is_acknowledged_before_the_commit",),
    ),
    Mutant(
        "messages are acknowledged before the second run",
        "lane/pipeline.py",
        "        if outcome.rest is not None:\n            with relying():\n                await outcome.rest\n",
        "",
        (_LANE + "next_batch_is_written_while_the_rest_of_the_one_before_is_done",),
    ),
    Mutant(
        "dead letters are written after their messages were acknowledged",
        "lane/pipeline.py",
        "        outcome = await self.sink.write(batch.entries, batch.letters)\n",
        "        outcome = await self.sink.write(batch.entries, ())\n"
        "        await self.source.settle(batch.ids)\n"
        "        await self.sink.write([], batch.letters)\n",
        (_LANE + "dead_letters_are_kept_before_their_acknowledgement",),
    ),
    Mutant(
        "settling trims the stream up to the batch",
        "lane/source.py",
        "            *answers, length = await pipeline.execute(raise_on_error=False)\n",
        "            pipeline.xtrim(self.stream, minid=ids[0], approximate=False)\n"
        "            *answers, length, _ = await pipeline.execute(raise_on_error=False)\n",
        (_LANE + "entries_of_others_are_not_awaited",),
    ),
    Mutant(
        "entries are deleted when they are read",
        "lane/source.py",
        "        return [self._message(id_, fields) for id_, fields in entries]\n",
        "        if entries:\n"
        "            await self._redis.xdel(self.stream, *(id_ for id_, _ in entries))\n"
        "        return [self._message(id_, fields) for id_, fields in entries]\n",
        (_LANE + "nothing_is_acknowledged_before_the_commit",),
    ),
    Mutant(
        "an error within the pipeline of settling is ignored",
        "lane/source.py",
        "                raise answer\n",
        "                return len(ids)\n",
        (_SOURCE + "error_within_the_pipeline_of_settling_is_one",),
    ),
    Mutant(
        "settling is a transaction",
        "lane/source.py",
        "pipeline(transaction=False)",
        "pipeline(transaction=True)",
        (_SOURCE + "settling_is_no_transaction",),
    ),
    Mutant(
        "a settling that fails is not tried again",
        "lane/pipeline.py",
        "        acknowledged = await self._patiently(lambda: self.source.settle(batch.ids))\n",
        "        try:\n"
        "            acknowledged = await self.source.settle(batch.ids)\n"
        "        except REDIS_AWAY:\n"
        "            acknowledged = 0\n",
        (_LANE + "acknowledgement_that_fails_is_tried_again_and_nothing_comes_twice",),
    ),
    Mutant(
        "a new group begins at the end of the stream",
        "lane/source.py",
        'id="0", mkstream=True',
        'id="$", mkstream=True',
        (_SOURCE + "new_group_begins_at_the_oldest_entry",),
    ),
    Mutant(
        "the own pending entries never end while new ones come",
        "lane/source.py",
        "            page = [message for message in page if _position(message.id) <= _position(end)]\n",
        "",
        (_SOURCE + "own_pending_ends_with_what_was_pending_at_the_start",),
    ),
    Mutant(
        "new entries are never reached, only pending ones are read",
        "lane/pipeline.py",
        "                    looked_at = time.monotonic()\n",
        "                    self.look_back = True\n"
        "                    await asyncio.sleep(0.01)\n"
        "                    continue\n",
        (_LANE + "messages_that_come_while_it_runs_are_read",),
    ),
    Mutant(
        "what is in hand is written again at the next look at the pending entries",
        "lane/pipeline.py",
        "if message.id not in known]:",
        "if True]:",
        (_LANE + "what_is_in_hand_is_not_read_again_by_a_look_back",),
    ),
    Mutant(
        "a claim during a look at the pending entries is forgotten",
        "lane/pipeline.py",
        "                    looked_at = time.monotonic()\n",
        "                    looked_at = time.monotonic()\n                    self.look_back = False\n",
        (_LANE + "what_is_claimed_during_a_look_back_is_not_forgotten",),
    ),
    Mutant(
        "drain ends before the pending entries are empty",
        "lane/pipeline.py",
        "                if drain and not await self._patiently(self.source.pending):\n",
        "                if drain:\n",
        (_LANE + "what_a_predecessor_under_the_same_name_read_meanwhile_is_found",),
    ),
    Mutant(
        "SIGTERM leaves the batch in hand undone",
        "lane/pipeline.py",
        "                if batch is None:\n",
        "                if batch is None or stop.is_set():\n",
        (_LANE + "stop_finishes_what_was_read_and_reads_no_more",),
    ),
    Mutant(
        "the other half of a refused batch is skipped",
        "sink/halving.py",
        "enumerate(_parts(entries))",
        "enumerate(_parts(entries)[:1])",
        (_HALVING + "order_around_a_refused_message_is_kept",),
    ),
    Mutant(
        "dead letters of a batch are forgotten when it is halved",
        "sink/halving.py",
        "self._part(part, () if number else letters, outcome)",
        "self._part(part, (), outcome)",
        (_HALVING + "rejects_of_a_batch_are_kept_when_it_is_halved",),
    ),
    Mutant(
        "a refused message leaves no dead letter",
        "sink/halving.py",
        "self._part((), (*letters, letter), outcome)",
        "self._part((), letters, outcome)",
        (_HALVING + "rejects_of_a_batch_are_kept_when_it_is_halved",),
    ),
    Mutant(
        "NUL is kept in the detail of a dead letter",
        "sink/halving.py",
        'detail.replace("\\0", "")[:300]',
        "detail[:300]",
        (_HALVING + "error_that_quotes_a_nul_becomes_a_dead_letter_all_the_same",),
    ),
    Mutant(
        "deltas of a batch are applied again by the next one",
        "sink/counts.py",
        "    def __init__(self) -> None:\n"
        "        self._of: dict[str, dict[str, list[int]]] = {name: {} for name in COLUMNS}\n",
        "    def __init__(self, kept: dict[str, dict[str, list[int]]] = {name: {} for name in COLUMNS}) -> None:\n"
        "        self._of = kept\n",
        ("tests/integration/test_sink_derived.py::test_div_15_quotes_count_whatever_cid_they_name",),
    ),
    Mutant(
        "rows that go are not taken off the counters",
        "sink/counts.py",
        "        self._move(table, rows, list(counted(table)), -1)\n",
        "",
        ("tests/integration/test_sink_derived.py::test_div_13_indexed_one_that_goes_is_followed_by_the_next",),
    ),
    Mutant(
        "a redelivered label counts as a change of its row",
        "sink/queries.sql",
        '    WHERE l.cts COLLATE "C" < excluded.cts COLLATE "C"\n',
        '    WHERE l.cts COLLATE "C" <= excluded.cts COLLATE "C"\n',
        ("tests/integration/test_sink_labels.py::test_rows_are_counted_by_what_really_changed",),
    ),
    Mutant(
        "quotes that were there already are counted again when their post is renewed",
        "sink/hanging.py",
        '        deltas.inserted(table, await connection.fetch(statements["restore_quotes"], *columns[:3]))\n',
        '        await connection.fetch(statements["restore_quotes"], *columns[:3])\n'
        "        for post in columns[1]:\n"
        '            deltas._of["post_agg"].setdefault(post, [0] * 4)[3] += 1\n',
        ("tests/integration/test_sink_derived.py::test_div_18_renewed_record_hangs_on_by_its_new_rev",),
    ),
)
