"""What is promised to those who run the indexer, and the tests that show it; `make reliability` writes it down."""

from dataclasses import dataclass

FAULTS, CONVERGENCE = "tests/faults/test_", "tests/convergence/test_"
ACCEPTANCE, INTEGRATION = "tests/acceptance/test_", "tests/integration/test_"
UNIT, IDENTITY, RELEASE = "tests/unit/test_", "tests/identity/test_", "tests/release/test_"


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise. A test is `file::function`, with all its parameters, or `file::function[parameters]`."""

    name: str
    text: str
    tests: tuple[str, ...]
    lacking: str = ""
    """What the tests do not show."""


PROMISES = (
    Promise(
        "P1",
        "A message is acknowledged only after the commit of what it says, or of its dead letter.",
        (
            f"{FAULTS}crash_points.py::test_crash_at_each_point",
            f"{INTEGRATION}source_lane.py::test_nothing_is_acknowledged_before_the_commit",
            f"{INTEGRATION}source_lane.py::test_dead_letters_are_kept_before_their_acknowledgement",
            f"{INTEGRATION}adoption.py::test_what_is_claimed_is_not_acknowledged_before_the_commit",
        ),
    ),
    Promise(
        "P2",
        "Nothing is lost under kill -9: every table is the serial truth, and streams and pending lists are empty.",
        (
            f"{FAULTS}kills.py::test_killed_at_work",
            f"{CONVERGENCE}instances.py::test_instances_that_are_killed_many_times",
            f"{CONVERGENCE}state_machine.py::test_any_delivery_gives_the_same_tables",
            f"{CONVERGENCE}state_machine.py::test_any_delivery_of_many_histories_gives_the_same_tables",
            f"{ACCEPTANCE}daemon_names.py::test_killed_daemon_is_replaced_under_its_name_and_nothing_is_lost",
            f"{ACCEPTANCE}daemon_removal.py::test_deletion_that_is_killed_ends_as_if_the_account_had_never_been",
            f"{ACCEPTANCE}demo_migration.py::test_move_is_played_and_proved",
            f"{ACCEPTANCE}migration_guide.py::test_every_command_works_in_order",
        ),
    ),
    Promise(
        "P3",
        "What a dead consumer holds is taken over and indexed, whoever it was.",
        (
            f"{INTEGRATION}adoption.py::test_what_a_dead_consumer_holds_is_processed",
            f"{INTEGRATION}adoption.py::test_many_entries_are_claimed_in_portions",
            f"{INTEGRATION}adoption.py::test_consumer_of_ours_need_not_be_idle_for_long",
            f"{ACCEPTANCE}dead_consumers.py::test_killed_daemon_is_inherited_by_another",
            f"{ACCEPTANCE}dead_consumers.py::test_typescript_consumer_that_died_is_inherited",
            f"{ACCEPTANCE}dead_consumers.py::test_takeover_beside_an_instance_indexes_what_the_dead_one_held",
            f"{ACCEPTANCE}dead_consumers.py::test_takeover_that_is_broken_off_goes_on_where_it_was",
        ),
    ),
    Promise(
        "P4",
        "What a living consumer holds is left alone, however slow it is.",
        (
            f"{INTEGRATION}adoption.py::test_living_consumer_that_reads_is_left_alone",
            f"{INTEGRATION}adoption.py::test_living_consumer_that_works_slowly_at_a_batch_is_left_alone",
            f"{INTEGRATION}adoption.py::test_consumer_of_ours_is_alive_as_long_as_its_lease",
            f"{INTEGRATION}adoption.py::test_what_a_neighbour_claimed_first_stays_his",
            f"{INTEGRATION}adoption.py::test_after_trouble_the_time_begins_anew",
            f"{UNIT}liveness.py::test_consumer_that_acknowledges_one_entry_now_and_then_lives_for_ever",
            f"{UNIT}liveness.py::test_consumer_that_reads_and_acknowledges_nothing_lives_for_ever",
            f"{ACCEPTANCE}dead_consumers.py::test_takeover_of_a_living_instance_is_refused",
        ),
    ),
    Promise(
        "P5",
        "It needs no more rights in Redis than deploy/redis.acl gives, which gives none to trim or destroy a stream. "
        "Every daemon of the tests runs as that user, and at the end nothing may have been refused.",
        (
            f"{ACCEPTANCE}least_authority.py::test_daemon_needs_no_more_than_it_is_given",
            f"{ACCEPTANCE}least_authority.py::test_drain_takeover_and_release_need_no_more_either",
            f"{ACCEPTANCE}least_authority.py::test_did_cache_can_be_written_and_no_other_key",
            f"{ACCEPTANCE}least_authority.py::test_nobody_can_lose_what_is_not_acknowledged",
            f"{ACCEPTANCE}least_authority.py::test_package_knows_no_command_that_could",
        ),
    ),
    Promise(
        "P6",
        "A message that cannot be indexed costs itself: it becomes a dead letter with its cause, the others go on.",
        (
            f"{ACCEPTANCE}hostile.py::test_every_hostile_message_meets_its_fate",
            f"{INTEGRATION}source_lane.py::test_poison_among_the_pending_entries_does_not_hold_up_the_new_ones",
            f"{INTEGRATION}sink_halving.py::test_refused_message_is_tried_as_often_as_allowed",
            f"{INTEGRATION}sink_halving.py::test_message_that_our_own_code_fails_on_costs_only_itself",
            f"{ACCEPTANCE}dead_letters.py::test_what_strangers_can_write_is_told_and_does_not_halt",
            "benches/test_poison.py::test_poison_beside_none",
        ),
    ),
    Promise(
        "P7",
        "A message that makes the process crash again and again is set aside at the fourth start, and nothing else is.",
        (
            f"{FAULTS}crash_poison.py::test_it_is_set_aside_at_the_fourth_start",
            f"{INTEGRATION}trial.py::test_message_that_ends_it_is_found_and_no_other",
            f"{INTEGRATION}trial.py::test_process_that_somebody_else_ended_proves_nothing",
            f"{INTEGRATION}trial.py::test_without_a_trial_nobody_is_guilty",
        ),
        "Decoding and folding are tried, which is where native code and recursion are; not the drivers.",
    ),
    Promise(
        "P8",
        "Dead letters are kept, can be looked at and fed again; a retry loses nothing, whatever interrupts it.",
        (
            f"{INTEGRATION}dlq.py::test_letters_are_listed_by_cause_and_places_in_lists_are_one_cause",
            f"{INTEGRATION}dlq.py::test_everything_of_a_letter_is_shown",
            f"{INTEGRATION}dlq.py::test_export_is_whole_and_reads_back",
            f"{INTEGRATION}dlq.py::test_drop_takes_what_was_named_and_nothing_else",
            f"{INTEGRATION}dlq_retry.py::test_messages_go_to_the_end_of_their_streams_and_the_letters_away",
            f"{INTEGRATION}dlq_retry.py::test_killed_between_the_stream_and_the_table_nothing_is_lost",
            f"{INTEGRATION}dlq_retry.py::test_reply_that_was_lost_keeps_the_letters",
            f"{INTEGRATION}dlq_retry.py::test_full_redis_is_told_and_each_message_is_in_one_place",
            f"{INTEGRATION}dlq_retry.py::test_two_commands_at_once_lose_nothing_and_end",
            f"{ACCEPTANCE}dead_letters.py::test_messages_are_fed_again_when_the_cause_is_gone",
        ),
    ),
    Promise(
        "P9",
        "Entries whose bodies somebody deleted are acknowledged, counted exactly and logged, and disturb nothing.",
        (
            f"{INTEGRATION}adoption.py::test_entries_without_a_body_are_acknowledged_and_counted_exactly",
            f"{INTEGRATION}adoption.py::test_entries_without_a_body_are_told_to_one_of_two_who_look",
            f"{INTEGRATION}source.py::test_entry_whose_body_vanished_is_told_apart",
            f"{INTEGRATION}source.py::test_vanished_entries_are_logged_by_their_ids",
            f"{INTEGRATION}source_lane.py::test_vanished_and_empty_entries_are_acknowledged_and_counted",
            f"{INTEGRATION}release.py::test_entries_without_a_body_are_acknowledged_and_counted",
        ),
    ),
    Promise(
        "P10",
        "A stream or group that is gone is noticed, counted and made again from its beginning.",
        (
            f"{FAULTS}redis_trouble.py::test_group_that_is_gone_is_made_again",
            f"{FAULTS}redis_trouble.py::test_restart_that_loses_everything_gets_the_group_again",
            f"{INTEGRATION}source_lane.py::test_group_that_is_gone_is_told_and_made_again",
        ),
    ),
    Promise(
        "P11",
        "Order and duplicates do not matter: whatever way messages are delivered, whatever is broken off meanwhile, and"
        " whenever deleted accounts are removed, the tables are the same.",
        (
            f"{CONVERGENCE}state_machine.py::test_any_delivery_gives_the_same_tables",
            f"{CONVERGENCE}state_machine.py::test_any_delivery_of_many_histories_gives_the_same_tables",
            f"{CONVERGENCE}instances.py::test_shuffled_case_delivered_twice_to_three",
            f"{INTEGRATION}sink_histories.py::test_any_order_over_several_sinks_keeps_the_invariants",
            f"{INTEGRATION}sink_histories.py::test_many_histories_in_any_order_keep_the_invariants",
            f"{INTEGRATION}sink_redelivery.py::test_feeding_a_stream_twice_changes_nothing",
            f"{ACCEPTANCE}oracle.py::test_any_order_twice_over_three_instances_gives_the_same_tables",
        ),
    ),
    Promise(
        "P13",
        "SIGTERM ends it in order within the grace time, a second one at once; nothing is lost either way.",
        (
            f"{ACCEPTANCE}daemon_stop.py::test_sigterm_finishes_the_batch_in_hand_and_loses_nothing",
            f"{ACCEPTANCE}daemon_stop.py::test_second_signal_stops_at_once_with_75",
            f"{ACCEPTANCE}daemon_stop.py::test_grace_time_that_is_over_ends_it_with_75",
            f"{ACCEPTANCE}daemon_stop.py::test_sigterm_while_it_waits_for_a_server_ends_it_in_order",
            f"{INTEGRATION}source_lane.py::test_stop_finishes_what_was_read_and_reads_no_more",
            f"{FAULTS}stops.py::test_stopped_at_random_moments",
            f"{FAULTS}stops.py::test_stopped_while_it_starts",
        ),
    ),
    Promise(
        "P14",
        "A process that was taken for dead and goes on does no harm.",
        (
            f"{FAULTS}stopped_instance.py::test_another_works_meanwhile_and_both_go_on",
            f"{FAULTS}stopped_instance.py::test_another_took_its_name_and_it_leaves",
            f"{FAULTS}stopped_instance.py::test_server_that_ended_its_transaction_meanwhile_is_no_fault",
            f"{INTEGRATION}adoption.py::test_zombie_that_wakes_up_does_no_harm",
            f"{ACCEPTANCE}dead_consumers.py::test_process_that_stood_still_and_goes_on_does_no_harm",
        ),
    ),
    Promise(
        "P15",
        "A consumer's name belongs to one process; a second one is refused and told who has it.",
        (
            f"{ACCEPTANCE}daemon_names.py::test_second_process_with_the_name_ends_with_78_and_names_the_first",
            f"{INTEGRATION}lease.py::test_name_whose_lease_is_renewed_is_refused_with_its_holder",
            f"{INTEGRATION}lease.py::test_name_whose_holder_is_dead_is_taken_over",
            f"{INTEGRATION}lease.py::test_renewing_ends_with_a_fault_when_another_took_the_name_over",
        ),
    ),
    Promise(
        "P16",
        "A Redis that restarts, with its data or without, is waited for and worked with again.",
        (
            f"{FAULTS}redis_trouble.py::test_restart",
            f"{FAULTS}redis_trouble.py::test_killed_many_times_at_work",
            f"{FAULTS}redis_trouble.py::test_restart_that_loses_everything_gets_the_group_again",
        ),
        "What Redis lost before it was read is gone: only the producer can send it again.",
    ),
    Promise(
        "P17",
        "A full Redis is drained, also by a process that only starts then.",
        (
            f"{FAULTS}redis_trouble.py::test_full_redis_is_drained",
            f"{INTEGRATION}source.py::test_settling_of_a_full_redis_works",
            f"{INTEGRATION}source.py::test_error_within_the_pipeline_of_settling_is_one",
            f"{INTEGRATION}source.py::test_group_that_is_there_is_enough_for_a_full_redis",
        ),
    ),
    Promise(
        "P18",
        "Refusals of Redis that pass are waited out; those that do not (NOPERM) halt the lane and say so.",
        (
            f"{FAULTS}redis_trouble.py::test_failover_to_a_replica_that_may_not_write_yet",
            f"{FAULTS}redis_trouble.py::test_refusals_that_pass",
            f"{FAULTS}redis_trouble.py::test_refusal_for_good_halts_the_lane",
            f"{FAULTS}redis_trouble.py::test_word_of_a_refusal_is_found_wherever_the_client_leaves_it",
            f"{FAULTS}sentinel.py::test_failover_by_sentinel",
        ),
    ),
    Promise(
        "P19",
        "A sick network (slow, in slices, broken, half open) loses nothing and mixes nothing up.",
        (
            f"{FAULTS}redis_trouble.py::test_connections_that_break",
            f"{FAULTS}redis_trouble.py::test_half_open_connections",
            f"{FAULTS}redis_trouble.py::test_slow_connection_in_slices",
            f"{FAULTS}postgres_trouble.py::test_half_open_connections",
            f"{FAULTS}postgres_trouble.py::test_slow_connection_in_slices",
            f"{INTEGRATION}source_lane.py::test_reply_that_was_lost_on_the_way_is_read_again",
        ),
    ),
    Promise(
        "P20",
        "A PostgreSQL that is away costs no message and no attempt: it is waited for, alive but not ready.",
        (
            f"{FAULTS}postgres_trouble.py::test_restart",
            f"{FAULTS}postgres_trouble.py::test_failover_to_a_standby_that_is_promoted_later",
            f"{FAULTS}postgres_trouble.py::test_connections_that_are_killed",
            f"{FAULTS}postgres_trouble.py::test_too_many_connections",
            f"{FAULTS}postgres_trouble.py::test_server_that_is_away_is_not_besieged",
            f"{INTEGRATION}sink_halving.py::test_outage_is_no_attempt",
            f"{UNIT}sink_faults.py::test_sqlstate_decides",
            f"{UNIT}pace.py::test_tries_are_apart_however_many_ask",
            f"{UNIT}pace.py::test_all_go_on_when_one_has_succeeded",
        ),
    ),
    Promise(
        "P21",
        "It works behind PgBouncer in transaction mode with fewer connections than instances, and through restarts.",
        (
            f"{ACCEPTANCE}pgbouncer.py::test_four_instances_behind_it_give_the_reference_tables",
            f"{ACCEPTANCE}pgbouncer.py::test_pause_resume_and_restarts_of_it_lose_nothing",
            f"{ACCEPTANCE}pgbouncer.py::test_server_connections_that_are_renewed_all_the_time_cost_nothing",
            f"{ACCEPTANCE}pgbouncer.py::test_dead_letters_are_handled_behind_it",
            f"{ACCEPTANCE}pgbouncer.py::test_statement_cache_is_off_behind_it_and_on_without",
            f"{UNIT}sql.py::test_nothing_of_a_session_is_used",
        ),
    ),
    Promise(
        "P22",
        "It causes no deadlocks: many writers on the same few rows wait in one order. Those of others cost a try.",
        (
            f"{CONVERGENCE}hot_rows.py::test_eight_writers_on_twenty_posts_never_deadlock",
            f"{INTEGRATION}sink_concurrency.py::test_many_sinks_on_the_same_keys_never_deadlock_and_lose_nothing",
            f"{INTEGRATION}sink_concurrency.py::test_sinks_that_want_the_same_keys_at_once_wait_in_one_order",
            f"{INTEGRATION}sink_accounts.py::test_sinks_on_the_same_accounts_never_wait_in_a_circle",
            f"{INTEGRATION}sink_labels.py::test_writers_on_the_same_labels_never_wait_in_a_circle",
            f"{INTEGRATION}recount.py::test_two_that_count_the_same_accounts_never_wait_in_a_circle",
            f"{INTEGRATION}handle_worker.py::test_workers_and_batches_never_wait_in_a_circle",
            f"{INTEGRATION}adversary.py::test_deadlock_with_a_stranger_costs_a_try",
            f"{INTEGRATION}adversary.py::test_deadlock_of_labels_with_a_stranger_costs_a_try",
            f"{INTEGRATION}adversary.py::test_serialization_failure_costs_a_try",
        ),
    ),
    Promise(
        "P23",
        "A commit whose outcome nobody knows has its effects exactly once, counters included.",
        (f"{FAULTS}commit_cuts.py::test_cuts_at_commit",),
    ),
    Promise(
        "P24",
        "No statement waits for ever for a lock, and waiting costs no message.",
        (
            f"{FAULTS}locks.py::test_no_statement_outlasts_its_limit",
            f"{FAULTS}postgres_trouble.py::test_locks_that_are_held",
            f"{FAULTS}postgres_trouble.py::test_half_open_connections",
        ),
    ),
    Promise(
        "P25",
        "One bad row costs one message: it is found by halving, in few transactions, and all others are committed.",
        (
            f"{CONVERGENCE}isolation.py::test_bad_rows_of_a_batch_are_found_by_halving",
            f"{INTEGRATION}sink_halving.py::test_refused_rows_are_found_and_the_others_are_committed",
            f"{INTEGRATION}sink_halving.py::test_order_around_a_refused_message_is_kept",
        ),
    ),
    Promise(
        "P27",
        "A full disk is an outage: waited for, told, and over by itself.",
        (
            f"{FAULTS}full_disk.py::test_volume_that_fills_and_is_freed",
            f"{FAULTS}postgres_trouble.py::test_full_disk_and_the_like",
        ),
        "A server whose log of changes finds no room ends; that it is started again is not ours to do.",
    ),
    Promise(
        "P28",
        "It never opens more connections than it may, and accounts whose hosts hang hold none.",
        (
            f"{ACCEPTANCE}handles.py::test_hanging_look_ups_cost_nothing_but_time",
            f"{ACCEPTANCE}handles.py::test_200_000_hanging_look_ups_cost_nothing_but_time",
            f"{INTEGRATION}handle_worker.py::test_no_connection_is_held_while_the_network_works",
            f"{UNIT}turns.py::test_no_turn_is_lost_and_none_is_given_twice",
        ),
    ),
    Promise(
        "P29",
        "Counters are exact after kills, cuts and contention, and when accounts go meanwhile.",
        (
            f"{FAULTS}kills.py::test_killed_at_work",
            f"{FAULTS}commit_cuts.py::test_cuts_at_commit",
            f"{CONVERGENCE}hot_rows.py::test_eight_writers_on_twenty_posts_never_deadlock",
            f"{INTEGRATION}removal_races.py::test_counts_are_exact_with_traffic_on_the_same_posts_and_accidents",
            f"{CONVERGENCE}state_machine.py::test_any_delivery_of_many_histories_gives_the_same_tables",
            f"{INTEGRATION}recount.py::test_counts_are_exact_while_others_write",
        ),
    ),
    Promise(
        "P30",
        "Memory is bounded, whatever the backlog and the size of messages.",
        (
            f"{INTEGRATION}source.py::test_replies_have_a_bound_in_bytes",
            f"{INTEGRATION}source.py::test_pages_of_pending_entries_have_it_too",
            f"{INTEGRATION}dlq_retry.py::test_ten_thousand_letters_need_no_more_memory_than_a_portion",
            f"{ACCEPTANCE}handles.py::test_200_000_hanging_look_ups_cost_nothing_but_time",
            f"{ACCEPTANCE}memory.py::test_backlog_with_large_messages_needs_bounded_memory",
        ),
        "Memory of a whole daemon is watched for three minutes, not for hours.",
    ),
    Promise(
        "P31",
        "Clocks that are wrong or jump make nobody dead, and a rev of the future freezes no record.",
        (
            f"{UNIT}liveness.py::test_clock_of_redis_that_jumps_makes_nobody_dead",
            f"{UNIT}liveness.py::test_who_looked_away_begins_anew",
            f"{IDENTITY}names.py::test_the_time_limit_holds_when_the_wall_clock_jumps",
            f"{ACCEPTANCE}hostile.py::test_every_hostile_message_meets_its_fate",
            f"{FAULTS}clocks.py::test_wall_clock_that_jumps_costs_nothing",
        ),
    ),
    Promise(
        "P32",
        "Never half alive: a task that dies or stands still ends the process with 70; `/livez` follows progress.",
        (
            f"{FAULTS}supervision.py::test_bounds_add_up_to_ten_seconds",
            f"{FAULTS}supervision.py::test_task_that_raises_ends_the_process",
            f"{FAULTS}supervision.py::test_task_that_is_cancelled_ends_the_process",
            f"{FAULTS}supervision.py::test_task_that_stands_still_ends_the_process",
            f"{FAULTS}supervision.py::test_task_that_returns_unasked_ends_the_process",
            f"{FAULTS}supervision.py::test_batch_that_does_not_come_to_its_end_ends_the_process_and_loses_nothing",
            f"{FAULTS}supervision.py::test_endless_loop_ends_the_process_and_shows_where",
            f"{FAULTS}supervision.py::test_lane_without_progress_is_not_alive",
        ),
    ),
    Promise(
        "P40",
        "No statement is made of what a message says.",
        (
            f"{UNIT}sql.py::test_every_statement_is_our_own_text",
            f"{UNIT}sql.py::test_text_of_a_message_is_found_in_a_statement",
            f"{UNIT}values.py::test_identifier_is_quoted_for_sql",
            f"{INTEGRATION}statements.py::test_hostile_texts_make_no_statement_of_their_own",
        ),
    ),
    Promise(
        "P41",
        "No secret reaches a log line, an error, a metric, the process list, or what is shown of settings.",
        (
            f"{UNIT}logs.py::test_no_line_shows_a_password",
            f"{UNIT}no_secret.py::test_no_password_is_shown",
            f"{UNIT}settings.py::test_no_representation_shows_a_password",
            f"{UNIT}settings.py::test_wrong_url_is_shown_without_its_password",
            f"{UNIT}values.py::test_passwords_in_urls_are_masked",
            f"{UNIT}values.py::test_secret_with_blanks_in_it_is_masked_to_its_end",
            f"{INTEGRATION}cli.py::test_wrong_setting_is_exit_78_without_its_secret",
            f"{INTEGRATION}cli.py::test_server_that_is_away_is_exit_69_without_its_password",
            f"{ACCEPTANCE}daemon_start.py::test_bad_url_is_refused_without_its_password",
            f"{ACCEPTANCE}daemon_reports.py::test_start_is_logged_with_what_it_runs_on_and_no_password",
            f"{ACCEPTANCE}secrets.py::test_canary_is_found_however_it_is_written",
            f"{ACCEPTANCE}secrets.py::test_no_command_shows_a_secret",
            f"{ACCEPTANCE}secrets.py::test_server_that_is_away_is_told_without_its_secret",
            f"{ACCEPTANCE}secrets.py::test_wrong_setting_is_told_without_its_secret",
            f"{ACCEPTANCE}secrets.py::test_parameter_that_redis_does_not_know_is_told_without_its_secret",
            f"{ACCEPTANCE}secrets.py::test_wrong_server_of_the_demo_is_told_without_its_secret",
            f"{ACCEPTANCE}secrets.py::test_daemon_shows_no_secret",
            f"{ACCEPTANCE}secrets.py::test_demo_on_named_servers_shows_no_secret",
        ),
        "A URL that is given as a flag is in the process list: only variables and files keep it out.",
    ),
    Promise(
        "P44",
        "A wheel can be built again to the same bytes and lists its crates; what is installed is pinned by hash.",
        (
            f"{ACCEPTANCE}reproducible.py::test_wheel_is_the_same_wherever_it_is_built",
            f"{RELEASE}audit.py::test_bill_lists_what_cargo_links_for_this_machine",
            f"{RELEASE}audit.py::test_bill_is_of_what_is_locked",
            f"{RELEASE}audit.py::test_every_installed_package_has_a_licence_that_is_allowed",
            f"{RELEASE}audit.py::test_no_file_of_the_repository_holds_a_secret",
            f"{RELEASE}pins.py::test_every_pin_has_hashes_and_nothing_names_a_server",
            f"{RELEASE}pins.py::test_whatever_is_installed_is_hashed_or_ours",
            f"{RELEASE}workflow.py::test_no_job_may_do_more_than_it_needs",
        ),
        "Wheels for other platforms, and attestations: the workflow that makes them does not run in tests.",
    ),
)
