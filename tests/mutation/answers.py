"""Bugs in what is made of refusals and outages: by PostgreSQL, by Redis, and too many of them."""

from tests.mutation.mutant import Mutant

_HALVING = "tests/integration/test_sink_halving.py::test_"
_RETRY = "tests/integration/test_dlq_retry.py::test_"
_REFUSALS = "tests/unit/test_refusals.py::test_"

MUTANTS = (
    Mutant(
        "class 42 is dead-lettered",
        "sink/faults.py",
        '_DATA = ("22", "23", "44", "54")',
        '_DATA = ("22", "23", "42", "44", "54")',
        (_HALVING + "error_that_is_no_data_fault_halts_and_leaves_nothing",),
    ),
    Mutant(
        "an outage counts as an attempt",
        "sink/halving.py",
        '                if kind == "data":\n                    attempts += 1\n',
        '                if kind in ("data", "outage"):\n                    attempts += 1\n',
        (_HALVING + "outage_is_no_attempt",),
    ),
    Mutant(
        "a full disk halts the lane",
        "sink/faults.py",
        '"3D", "53", "57"',
        '"3D", "57"',
        ("tests/unit/test_docs.py::test_classes_of_errors_are_those_of_the_table",),
    ),
    Mutant(
        "a lost connection halts the lane",
        "connections/database.py",
        "    asyncpg.InterfaceError,\n",
        "",
        ("tests/unit/test_docs.py::test_lost_connections_are_outages",),
    ),
    Mutant(
        "a message is dead after the first refusal",
        "sink/halving.py",
        "if attempts >= self._max_attempts:",
        "if attempts >= 1:",
        (_HALVING + "refused_message_is_tried_as_often_as_allowed",),
    ),
    Mutant(
        "want of memory is blamed on the message",
        "sink/halving.py",
        "sqlstate_of(error) is None and not isinstance(error, MemoryError)",
        "sqlstate_of(error) is None",
        (_HALVING + "want_of_memory_halts",),
    ),
    Mutant(
        "a halted lane goes on with the next batch",
        "lane/pipeline.py",
        "                await self._batch(batch)\n",
        "                try:\n"
        "                    await self._batch(batch)\n"
        "                except HaltedError as fault:\n"
        "                    self.halted = str(fault)\n",
        ("tests/integration/test_source_lane.py::test_batch_after_a_failed_one_is_not_begun",),
    ),
    Mutant(
        "the breaker never halts",
        "lane/refusals.py",
        "        if self._window.percent(number) > limit:\n",
        "        if self._window.percent(number) > 100:\n",
        (_REFUSALS + "more_than_the_limit_of_the_first_messages_judged_halts_and_names_the_share",),
    ),
    Mutant(
        "the breaker is not asked",
        "lane/pipeline.py",
        "            self._refusals.count(len(batch.ids), batch.tally.dead + [letter.reason for letter in outcome.dead])\n",
        "            pass\n",
        ("tests/integration/test_source_lane.py::test_too_many_dead_letters_halt_the_lane_and_their_batch_is_kept",),
    ),
    Mutant(
        "what strangers can write halts at the limit",
        "lane/refusals.py",
        "self._judge(self._window.counted[REFUSED], self._limit,",
        "self._judge(self._window.counted.total(), self._limit,",
        (_REFUSALS + "what_strangers_can_write_halts_only_where_more_than_half_is_dead",),
    ),
    Mutant(
        "the breaker forgets nothing",
        "lane/sliding_window.py",
        "        while self.messages - self._batches[0][0] >= LAST_MESSAGES:\n",
        "        while False:\n",
        (_REFUSALS + "what_is_longer_ago_than_the_last_messages_does_not_count",),
    ),
    Mutant(
        "dlq retry deletes the letters before their messages are added",
        "commands/dlq/retry.py",
        "            added, fault = await _add(redis, portion, fields)\n"
        '            done.removed += await letters.delete([letter["id"] for letter in added])\n',
        '            done.removed += await letters.delete([letter["id"] for letter in portion])\n'
        "            added, fault = await _add(redis, portion, fields)\n",
        (_RETRY + "reply_that_was_lost_keeps_the_letters",),
    ),
    Mutant(
        "dlq retry takes a refused addition for one that was made",
        "commands/dlq/retry.py",
        "if isinstance(reply, bytes)]\n",
        "]\n",
        (_RETRY + "full_redis_is_told_and_each_message_is_in_one_place",),
    ),
    Mutant(
        "dlq retry adds with MULTI",
        "commands/dlq/retry.py",
        "redis.pipeline(transaction=False)",
        "redis.pipeline(transaction=True)",
        (_RETRY + "full_redis_is_told_and_each_message_is_in_one_place",),
    ),
    Mutant(
        "a group that is gone halts the lane",
        "lane/faults.py",
        'LOST = ("NOGROUP", "UNBLOCKED")',
        'LOST = ("UNBLOCKED",)',
        ("tests/integration/test_source_lane.py::test_group_that_is_gone_is_told_and_made_again",),
    ),
    Mutant(
        "a full Redis stops the start although the group is there",
        "lane/source.py",
        "            if not await self._has_group():\n                raise\n",
        "            raise\n",
        ("tests/integration/test_source.py::test_group_that_is_there_is_enough_for_a_full_redis",),
    ),
    Mutant(
        "secrets are logged",
        "daemon/logs.py",
        "    return {key: _masked(value) for key, value in event.items()}\n",
        "    return event\n",
        ("tests/unit/test_logs.py::test_no_line_shows_a_password",),
    ),
)
