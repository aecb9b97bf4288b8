"""Every known kind of hostile message decodes to its fate, as far as it shows without a database (hostile-kinds.md)."""

import gzip
from pathlib import Path

import pytest

from indexer._native import Event, Ignored, Reject, decode_events

# The reference's clock stood in the year 2222.
CLOCK_MS = 7_956_915_742_222


def kinds(text: str) -> list[str]:
    return text.replace("\n", " ").split()


FATES = {
    "dead:not_json": "raw_not_json",
    "dead:not_an_object": "raw_number raw_string raw_true",
    "ignored:empty": "raw_empty raw_null",
    "ignored:unknown_type": "raw_array type_missing type_unknown",
    "dead:missing_field:cid": "cid_missing",
    "dead:missing_field:commit": "commit_missing",
    "dead:missing_field:rev": "rev_missing",
    "dead:missing_field:time": "time_missing identity_no_time",
    "dead:missing_field:did": "did_missing identity_no_did",
    "dead:missing_field:collection": "collection_missing",
    "dead:missing_field:rkey": "rkey_missing",
    "dead:bad_cid": "cid_bad",
    "dead:bad_commit": "commit_bad repo_bad_commit",
    "dead:bad_rev": "rev_not_tid",
    "dead:bad_uri": "collection_not_nsid rkey_space rkey_nul",
    "dead:too_deep": "json_deep_20000",
    "dead:bad_record": "json_link_bad json_bytes_bad json_legacy_blob_bad_cid",
    "dead:invalid_record": """
        record_null record_string record_array record_missing
        lex_no_type lex_wrong_type lex_missing_created lex_missing_text lex_text_number
        lex_text_301_graphemes lex_text_3001_bytes huge_text_1mb
        lex_langs_4 lex_langs_bad lex_tags_9 lex_images_5 lex_facet_negative lex_facet_float
        lex_like_no_subject lex_like_subject_string lex_like_subject_bad_cid lex_like_subject_bad_uri
        lex_like_via_bad lex_follow_bad_did notif_decl_invalid_record embed_no_type embed_null blob_extra_key
        created_date_only created_space created_lowercase created_rfc2822 created_garbage created_empty created_number
        created_null created_minus0000 created_offset_rolls_negative created_offset_rolls_year10000 created_feb30
        created_long_frac created_frac_too_long profile_created_garbage""",
    # Events whose fate is decided later, by their status, by other rows or by PostgreSQL, are here, too.
    "event": """
        seq_missing seq_null seq_string cid_v0 time_garbage time_garbage_profile did_bad did_upper did_web
        collection_unknown collection_unknown_bsky delete_unknown_collection
        rkey_slash rkey_unicode rkey_hash rkey_not_tid repo_live
        account_active_with_status account_deleted account_desynchronized account_throttled account_inactive_no_status
        account_active_missing chat_decl_invalid_record embed_unknown_type ok_text_300_zwj ok_images_0
        profile_not_self status_not_self labeler_not_self
        threadgate_mismatch postgate_mismatch threadgate_handle_uri listitem_foreign_list threadgate_on_missing_post
        created_no_zone created_no_zone_no_frac created_comma_in_like created_micro created_nano_offset
        created_far_future created_year_3025 created_year0010 created_year0000 created_year0001 created_leap_second
        created_odd_frac_separator created_hour24 nul_in_unindexed_field lone_surrogate_unindexed control_chars_text
        json_extra_int_keys json_proto_key json_constructor_key json_noncanonical_order json_null_extra json_escapes
        json_ws json_dup_keys json_float json_neg_zero json_big_int json_huge_exp json_link_ok json_link_extra
        json_bytes_ok json_blob_in_extra json_legacy_blob_in_extra json_bytes_padded json_bytes_number
        json_type_in_extra json_deep_500 blob_legacy blob_wrong_mime blob_too_big blob_float_size
        huge_external_desc_1mb huge_alt_300k huge_extra_field_2mb many_facets_2000 huge_subject_rkey_500
        huge_subject_uri_8k huge_own_rkey_3000
        reply_to_missing reply_root_handle_uri reply_root_is_list reply_root_bare_did_uri quote_bare_did_uri
        quote_missing_post quote_with_wrong_cid like_bare_did_uri like_handle_uri follow_self
        facet_overlap_out_of_range self_reply_cycle delete_unknown stale_update stale_delete
        create_existing_uri_newer_rev update_unseen_post_with_mention update_unseen_like
        update_like_to_already_liked_setup update_like_to_already_liked
        update_video_post_setup update_video_post recreate_video_post_setup recreate_video_post
        recreate_video_post_delete delete_original_then_duplicates_setup0 delete_original_then_duplicates_setup1
        delete_original_then_duplicates_setup2 delete_original_then_duplicates_del0
        delete_original_then_duplicates_del1 delete_original_then_duplicates_del2""",
    "cleaned event": """
        nul_in_post_text nul_in_alt nul_in_profile_name nul_in_tag lone_surrogate_text lone_surrogate_tag""",
}
FATE_OF_KIND = {kind: fate for fate, names in FATES.items() for kind in kinds(names)}


def messages() -> list[tuple[str, str, bytes]]:
    with gzip.open(Path(__file__).parent / "data" / "hostile-kinds.tsv.gz") as lines:
        rows = [line.rstrip(b"\n").split(b"\t", 2) for line in lines]
    return [(kind.decode(), case.decode(), payload) for kind, case, payload in rows]


def decode(payload: bytes) -> Event | Reject | Ignored:
    [result] = decode_events([payload], [CLOCK_MS])
    return result


def fate(result: Event | Reject | Ignored) -> str:
    match result:
        case Event():
            return "cleaned event" if result.cleaned else "event"
        case Reject(reason="missing_field"):
            return f"dead:{result.cause}"
        case Reject():
            return f"dead:{result.reason}"
        case _:
            return f"ignored:{result.reason}"


@pytest.mark.parametrize(
    ("kind", "payload"), [pytest.param(kind, payload, id=f"{case}-{kind}") for kind, case, payload in messages()]
)
def test_a_hostile_message_has_its_fate(kind: str, payload: bytes) -> None:
    assert fate(decode(payload)) == FATE_OF_KIND[kind]


def test_every_kind_is_there() -> None:
    assert {kind for kind, _, _ in messages()} == set(FATE_OF_KIND)


def test_what_is_cleaned_keeps_its_escape_in_the_json() -> None:
    for kind, _, payload in messages():
        result = decode(payload)
        if isinstance(result, Event) and result.cleaned:
            escape = "\\u0000" if kind.startswith("nul") else "\\ud8"
            assert result.json is not None
            assert escape in result.json
            assert "\0" not in str(result.value)
            str(result.value).encode()  # no lone surrogate
