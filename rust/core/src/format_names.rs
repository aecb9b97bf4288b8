//! String formats by their names in lexicons.

use crate::{formats, timestamp};

/// The name of a format and its test.
pub(crate) type NamedFormat = (&'static str, fn(&str) -> bool);

/// The formats that the lexicons here use or that the network knows (records.md 3.2).
const FORMATS: [NamedFormat; 11] = [
    ("at-identifier", formats::is_at_identifier),
    ("at-uri", formats::is_at_uri),
    ("cid", formats::is_cid),
    ("datetime", timestamp::is_datetime),
    ("did", formats::is_did),
    ("handle", formats::is_handle),
    ("language", formats::is_language),
    ("nsid", formats::is_nsid),
    ("record-key", formats::is_record_key),
    ("tid", formats::is_tid),
    ("uri", formats::is_uri),
];

pub(crate) fn format_named(name: &str) -> Option<NamedFormat> {
    FORMATS.into_iter().find(|(known, _)| *known == name)
}

/// Whether a text has a format; None if there is no such format.
pub fn has_format(format: &str, text: &str) -> Option<bool> {
    format_named(format).map(|(_, accepts)| accepts(text))
}
