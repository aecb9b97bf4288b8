from itertools import product

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from indexer import _native
from indexer.metrics import Metrics

STREAMS = ("firehose_live", "label_live")

LABELS = {
    "indexer_messages": {"stream", "outcome"},
    "indexer_ignored": {"stream", "reason"},
    "indexer_dead_letters": {"stream", "reason"},
    "indexer_rows": {"table", "change"},
    "indexer_retries": {"class"},
    "indexer_cleaned_texts": set(),
    "indexer_look_ups": {"outcome"},
    "indexer_look_up_causes": {"cause"},
    "indexer_handle_backlog": set(),
    "indexer_did_cache_refused": set(),
    "indexer_account_deletions": {"state"},
    "indexer_account_hosting": {"answer"},
    "indexer_removed_rows": set(),
    "indexer_stage_seconds": {"stage"},
    "indexer_stream_length": {"stream"},
    "indexer_stream_pending": {"stream"},
    "indexer_stream_oldest_pending_seconds": {"stream"},
    "indexer_claimed": {"stream", "reason"},
    "indexer_acknowledged_elsewhere": {"stream"},
    "indexer_groups_lost": {"stream"},
    "indexer_last_progress_timestamp_seconds": {"stream"},
    "indexer_lane_state": {"stream", "state"},
    "indexer_db_connections": set(),
    "indexer_build_info": {"version", "python", "profile"},
}


def scraped() -> dict[str, list[tuple[str, frozenset[tuple[str, str]], float]]]:
    """What a scrape shows before anything has happened: samples by series, without timestamps of creation."""
    text = generate_latest(Metrics(STREAMS).registry).decode()
    return {
        family.name: [
            (sample.name, frozenset(sample.labels.items()), sample.value)
            for sample in family.samples
            if not sample.name.endswith("_created")
        ]
        for family in text_string_to_metric_families(text)
        if family.name.startswith("indexer_") and not family.name.endswith("_created")
    }


def test_every_series_is_there_at_zero_before_the_first_message() -> None:
    found = scraped()
    assert found.keys() == LABELS.keys()
    for name, samples in found.items():
        labels = {label for _, pairs, _ in samples for label, _ in pairs} - {"le"}
        assert labels == LABELS[name], name
        if name != "indexer_build_info":
            assert all(value == 0 for _, _, value in samples), name


def test_messages_have_a_series_for_every_stream_and_outcome() -> None:
    found = {pairs for _, pairs, _ in scraped()["indexer_messages"]}
    assert found == {
        frozenset({("stream", stream), ("outcome", outcome)})
        for stream, outcome in product(STREAMS, ("indexed", "ignored", "dead_lettered"))
    }


def test_reasons_are_the_closed_lists_of_the_rust_module() -> None:
    found = scraped()
    for name, reasons, only_here in (
        ("indexer_dead_letters", _native.REJECT_REASONS, {"crashed", "db"}),
        ("indexer_ignored", _native.IGNORED_REASONS, {"not_its_own", "vanished"}),
    ):
        assert only_here <= set(reasons)  # found by the pipeline, not by the decoder
        shown = {label for _, pairs, _ in found[name] for key, label in pairs if key == "reason"}
        assert shown == set(reasons)


def test_build_is_described() -> None:
    ((_, labels, value),) = scraped()["indexer_build_info"]
    assert value == 1
    assert ("version", _native.VERSION) in labels


def test_two_instances_do_not_share_a_registry() -> None:
    first, second = Metrics(STREAMS), Metrics(STREAMS)
    first.cleaned_texts.inc()
    assert second.registry.get_sample_value("indexer_cleaned_texts_total") == 0
