//! Why a payload becomes no event: closed lists, known to the metrics and to the table of dead letters.

use std::fmt::{self, Write};

/// Characters of a detail or of the place in a cause; what is longer is cut.
const MAX_DETAIL: usize = 300;
const MAX_PLACE: usize = 120;

/// Reasons of dead letters (hostile-kinds.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The payload is not JSON text.
    NotJson,
    /// The payload is a number, a string or `true`.
    NotAnObject,
    /// A required field is absent, empty or not a string.
    MissingField,
    /// Repository, collection and record key make no AT-URI that can be stored.
    BadUri,
    /// The CID of the record cannot be parsed.
    BadCid,
    /// The CID of the commit cannot be parsed.
    BadCommit,
    /// The rev lies in the future, or cannot be stored.
    BadRev,
    /// The record is not the data model.
    BadRecord,
    /// The record is not what its lexicon allows.
    InvalidRecord,
    /// Nested deeper than [`crate::MAX_DEPTH`].
    TooDeep,
    /// Longer than [`crate::Decoder::MAX_BYTES`].
    TooBig,
    /// A label that cannot be stored as it is.
    BadLabel,
    /// The decoder failed; also given to a message that ended the process again and again.
    Crashed,
    /// PostgreSQL refused the data; given elsewhere, with the SQLSTATE.
    Db,
}

impl Reason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::NotJson,
        Self::NotAnObject,
        Self::MissingField,
        Self::BadUri,
        Self::BadCid,
        Self::BadCommit,
        Self::BadRev,
        Self::BadRecord,
        Self::InvalidRecord,
        Self::TooDeep,
        Self::TooBig,
        Self::BadLabel,
        Self::Crashed,
        Self::Db,
    ];

    /// The reason's name in metrics and dead letters.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NotAnObject => "not_an_object",
            Self::MissingField => "missing_field",
            Self::BadUri => "bad_uri",
            Self::BadCid => "bad_cid",
            Self::BadCommit => "bad_commit",
            Self::BadRev => "bad_rev",
            Self::BadRecord => "bad_record",
            Self::InvalidRecord => "invalid_record",
            Self::TooDeep => "too_deep",
            Self::TooBig => "too_big",
            Self::BadLabel => "bad_label",
            Self::Crashed => "crashed",
            Self::Db => "db",
        }
    }
}

/// Reasons of payloads without effect (hostile-kinds.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ignored {
    /// Nothing, or JSON that is falsy in JavaScript.
    Empty,
    /// JSON without a known `type`.
    UnknownType,
    /// An account event whose status has no effect; decided elsewhere.
    AccountStatus,
    /// A gate or list item that is not of its post or list; decided elsewhere.
    NotItsOwn,
    /// An entry whose body is gone; noticed elsewhere.
    Vanished,
}

impl Ignored {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 5] = [
        Self::Empty,
        Self::UnknownType,
        Self::AccountStatus,
        Self::NotItsOwn,
        Self::Vanished,
    ];

    /// The reason's name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::UnknownType => "unknown_type",
            Self::AccountStatus => "account_status",
            Self::NotItsOwn => "not_its_own",
            Self::Vanished => "vanished",
        }
    }
}

/// A payload that can never be processed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    pub reason: Reason,
    /// The field or the path in the record; empty where the reason says it all.
    pub place: String,
    /// A sentence for people, at most 300 characters, without NUL.
    pub detail: String,
}

impl Reject {
    pub(crate) fn new(reason: Reason, place: impl fmt::Display, detail: impl fmt::Display) -> Self {
        Self {
            reason,
            place: cut(place, MAX_PLACE),
            detail: cut(detail, MAX_DETAIL),
        }
    }

    /// The reason, with the place behind a colon where there is one.
    pub fn cause(&self) -> String {
        if self.place.is_empty() {
            self.reason.as_str().to_owned()
        } else {
            format!("{}:{}", self.reason.as_str(), self.place)
        }
    }
}

/// Why a payload becomes no event.
#[derive(Debug)]
pub(crate) enum Unusable {
    Reject(Reject),
    Ignored(Ignored),
}

impl From<Reject> for Unusable {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

impl From<Ignored> for Unusable {
    fn from(reason: Ignored) -> Self {
        Self::Ignored(reason)
    }
}

/// At most `max` characters of a text, without NUL, the cut marked.
fn cut(text: impl fmt::Display, max: usize) -> String {
    let mut short = Short {
        text: String::new(),
        left: max,
        is_cut: false,
    };
    // It fails where there is no room for more.
    let _ = write!(short, "{text}");
    if short.is_cut {
        short.text.pop();
        short.text.push('…');
    }
    short.text
}

/// Takes so many characters: a message may have millions.
struct Short {
    text: String,
    left: usize,
    is_cut: bool,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars().filter(|character| *character != '\0') {
            if self.left == 0 {
                self.is_cut = true;
                return Err(fmt::Error);
            }
            self.left -= 1;
            self.text.push(character);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_short_and_without_nul() {
        let reject = Reject::new(Reason::BadUri, "", "a\0".repeat(400));
        assert_eq!(reject.detail.chars().count(), MAX_DETAIL);
        assert!(reject.detail.ends_with("a…") && !reject.detail.contains('\0'));
        assert_eq!(
            Reject::new(Reason::BadUri, "", "a".repeat(300)).detail,
            "a".repeat(300)
        );
    }

    #[test]
    fn the_cause_names_the_place_where_there_is_one() {
        assert_eq!(
            Reject::new(Reason::MissingField, "cid", "").cause(),
            "missing_field:cid"
        );
        assert_eq!(Reject::new(Reason::NotJson, "", "").cause(), "not_json");
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
    }
}
