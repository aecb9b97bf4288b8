"""Bugs that harm other processes: indexers of the same group, and writers of the same rows."""

from tests.mutation.mutant import Mutant

_ADOPTION = "tests/integration/test_adoption.py::test_"
_LIVENESS = "tests/unit/test_liveness.py::test_"
_RELEASE = "tests/integration/test_release.py::test_"
_LABELS = "tests/integration/test_sink_labels.py::test_"
_CONCURRENCY = "tests/integration/test_sink_concurrency.py::test_"
_CLAIMS = "tests/integration/test_sink_claims.py::test_"

MUTANTS = (
    Mutant(
        "a consumer that reads counts as dead",
        "lane/liveness.py",
        "            watched.is_dead = now - watched.since >= patience_s and consumer.idle_s >= patience_s\n",
        "            watched.is_dead = now - watched.since >= patience_s / 10\n",
        (_LIVENESS + "consumer_that_reads_and_acknowledges_nothing_lives_for_ever",),
    ),
    Mutant(
        "a consumer that only acknowledges counts as dead",
        "lane/liveness.py",
        "            or (consumer.pending != watched.pending and not watched.is_dead)\n",
        "",
        (_LIVENESS + "consumer_that_acknowledges_one_entry_now_and_then_lives_for_ever",),
    ),
    Mutant(
        "what was before the first look counts against a consumer",
        "lane/liveness.py",
        "now - watched.since >= patience_s and consumer.idle_s >= patience_s",
        "consumer.idle_s >= patience_s",
        (_LIVENESS + "what_was_before_the_first_look_does_not_count",),
    ),
    Mutant(
        "a lease that is in force does not keep a consumer alive",
        "lane/liveness.py",
        "if not consumer.pending or (since_lease is not None and since_lease < 0):",
        "if not consumer.pending:",
        (_LIVENESS + "one_of_ours_with_a_lease_lives_whatever_it_does",),
    ),
    Mutant(
        "a name whose lease is in force is taken",
        "daemon/lease.py",
        "WHERE l.expires_at < now() OR l.owner = excluded.owner\n",
        "",
        ("tests/integration/test_lease.py::test_name_whose_lease_is_renewed_is_refused_with_its_holder",),
    ),
    Mutant(
        "who lost its lease goes on under the name",
        "daemon/lease.py",
        "                if not kept:\n",
        "                if False:\n",
        ("tests/integration/test_lease.py::test_renewing_ends_with_a_fault_when_another_took_the_name_over",),
    ),
    Mutant(
        "entries are claimed without a least idle time",
        "lane/adoption.py",
        "claim(self._redis, *self._of, self._me, idle_ms, ids)",
        "claim(self._redis, *self._of, self._me, 0, ids)",
        (_ADOPTION + "what_a_neighbour_claimed_first_stays_his",),
    ),
    Mutant(
        "what is claimed is acknowledged at once",
        "lane/adoption.py",
        "        self._lane.metrics.claimed(dead.reason, len(claimed))\n",
        "        self._lane.metrics.claimed(dead.reason, len(claimed))\n"
        "        await self._redis.xack(*self._of, *ids)\n",
        (_ADOPTION + "what_is_claimed_is_not_acknowledged_before_the_commit",),
    ),
    Mutant(
        "the lane is not told of what was claimed",
        "lane/adoption.py",
        "        self._lane.look_back = True\n",
        "",
        (_ADOPTION + "what_a_dead_consumer_holds_is_processed",),
    ),
    Mutant(
        "a halted lane claims what it will not process",
        "lane/adoption.py",
        "if self._lane.halted or self._lane.waiting or self._lane.is_paused:",
        "if self._lane.waiting or self._lane.is_paused:",
        (_ADOPTION + "halted_lane_claims_nothing",),
    ),
    Mutant(
        "release acknowledges before it adds",
        "commands/handover/release.py",
        "            refused = await _add(redis, group, whole)\n",
        "            await _settle(redis, group, [id_ for id_, _ in page])\n"
        "            refused = await _add(redis, group, whole)\n",
        (_RELEASE + "interruption_at_any_point_loses_nothing",),
    ),
    Mutant(
        "release acknowledges what Redis refused to add",
        "commands/handover/release.py",
        "strict=True) if fault is None]\n",
        "strict=True)]\n",
        (_RELEASE + "full_redis_refuses_and_nothing_is_lost",),
    ),
    Mutant(
        "records are locked in any order",
        "sink/queries.sql",
        "FROM {schema}.record WHERE uri = ANY($1::text[]) ORDER BY uri FOR NO KEY UPDATE\n",
        "FROM {schema}.record WHERE uri = ANY($1::text[]) ORDER BY random() FOR NO KEY UPDATE\n",
        (_CONCURRENCY + "many_sinks_on_the_same_keys_never_deadlock_and_lose_nothing",),
    ),
    Mutant(
        "counters are written in any order",
        "sink/counts.py",
        "moved = sorted(key for key, counts in keys.items() if any(counts))",
        "moved = [key for key in {*keys} if any(keys[key])]\n            __import__('random').shuffle(moved)",
        (_CONCURRENCY + "sinks_that_want_the_same_keys_at_once_wait_in_one_order",),
    ),
    Mutant(
        "what a batch has claimed is read as if it were there before",
        "sink/reads.py",
        "sorted(set(uris) - self._claimed)",
        "sorted(set(uris))",
        (_CLAIMS + "claimed_batch_gives_the_same_rows",),
    ),
    Mutant(
        "records that a neighbour was faster with are not read",
        "sink/reads.py",
        "                await self._lock_taken(taken)\n",
        "                pass\n",
        (_CLAIMS + "record_that_a_neighbour_inserts_meanwhile_is_read_without_beginning_again",),
    ),
    Mutant(
        "rows of a table are inserted in any order",
        "sink/writer.py",
        "        rows.sort(key=lambda row: [str(row[at]) for at in order])\n",
        "",
        (_CONCURRENCY + "sinks_that_want_the_same_keys_at_once_wait_in_one_order",),
    ),
    Mutant(
        "labels are written in any order",
        "sink/labels.py",
        "    return sorted(kept.values())\n",
        "    return list(kept.values())\n",
        (_LABELS + "writers_on_the_same_labels_never_wait_in_a_circle",),
    ),
    Mutant(
        "an older label of the same batch wins",
        "sink/labels.py",
        "        if known[5] < cts:",
        "        if known[5] > cts:",
        (_LABELS + "batch_is_its_entries_one_by_one",),
    ),
    Mutant(
        "an older label wins over the row",
        "sink/queries.sql",
        '    WHERE l.cts COLLATE "C" < excluded.cts COLLATE "C"\n',
        '    WHERE l.cts COLLATE "C" <> excluded.cts COLLATE "C"\n',
        (_LABELS + "equal_or_older_cts_changes_nothing",),
    ),
    Mutant(
        "the negation of a label deletes its row",
        "sink/labels.py",
        "            await insert_dead_letters(",
        '            await connection.execute("DELETE FROM label WHERE neg")\n            await insert_dead_letters(',
        (_LABELS + "negation_is_a_row_and_nothing_is_deleted",),
    ),
)
