//! What can be wrong with binary input: a closed list, with the place of the first fault.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::decoder::message;

/// What a caller can do about a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// The input ends too early: a longer one with the same start may be right.
    Truncated,
    /// No other bytes behind the input make it right.
    Corrupt,
    /// It may be right, but it is more than was allowed.
    Limit,
}

impl Group {
    /// Every group.
    pub const ALL: [Self; 3] = [Self::Truncated, Self::Corrupt, Self::Limit];

    /// Its name in Python.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::Limit => "limit",
        }
    }
}

macro_rules! kinds {
    ($($name:ident $text:literal $group:ident $sentence:literal;)*) => {
        /// Kinds of faults.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum FaultKind {
            $(#[doc = $sentence] $name,)*
        }

        impl FaultKind {
            /// Every kind, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its name in Python.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }

            /// What it says about the input.
            pub fn group(self) -> Group {
                match self {
                    $(Self::$name => Group::$group,)*
                }
            }

            /// A sentence for people, without a full stop.
            pub fn describe(self) -> &'static str {
                match self {
                    $(Self::$name => $sentence,)*
                }
            }
        }
    };
}

kinds! {
    Truncated "truncated" Truncated "the input ends too early";
    NotMinimal "not_minimal" Corrupt "a number is not in its shortest form";
    Indefinite "indefinite" Corrupt "an item without a stated length";
    Reserved "reserved" Corrupt "a byte that CBOR reserves";
    BadSimple "bad_simple" Corrupt "a simple value other than false, true and null";
    BadFloat "bad_float" Corrupt "a float that is not finite or has not 64 bits";
    BadTag "bad_tag" Corrupt "a tag other than 42";
    BadLink "bad_link" Corrupt "tag 42 does not hold a CID";
    BadKey "bad_key" Corrupt "a key that is not text";
    UnsortedKeys "unsorted_keys" Corrupt "a key that sorts before the one in front of it";
    DuplicateKey "duplicate_key" Corrupt "a key that was there already";
    Trailing "trailing" Corrupt "bytes behind the item";
    BadFrame "bad_frame" Corrupt "not a message of a subscription";
    BadRecord "bad_record" Corrupt "a record that is not a map";
    BadCar "bad_car" Corrupt "not a CAR of version 1";
    BadCid "bad_cid" Corrupt "a block whose CID is not of version 1, DAG-CBOR or raw, SHA-256";
    BadHash "bad_hash" Corrupt "a block that does not hash to its CID";
    MissingBlock "missing_block" Truncated "a block is not in the file";
    BadCommit "bad_commit" Corrupt "not a commit of a repository";
    BadTree "bad_tree" Corrupt "not a Merkle search tree";
    TooDeep "too_deep" Limit "nested deeper than allowed";
    TooBig "too_big" Limit "larger than allowed";
    TooManyBlocks "too_many_blocks" Limit "more blocks than allowed";
    TooSlow "too_slow" Limit "arrives more slowly than allowed";
    Crashed "crashed" Corrupt "the decoder failed";
}

/// The first fault of an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub kind: FaultKind,
    /// Bytes in front of it, counted from the start of the input.
    pub at: u64,
    /// What else is known: a field, a path, a CID; may be empty.
    pub place: String,
}

impl Fault {
    pub fn new(kind: FaultKind, at: u64, place: impl Into<String>) -> Self {
        let place = place.into();
        Self { kind, at, place }
    }

    /// Of an input that is complete: what seems to be cut off is of that kind then.
    pub(crate) fn of_whole(self, kind: FaultKind) -> Self {
        match self.kind {
            FaultKind::Truncated => Self {
                kind,
                place: "ends within an item".to_owned(),
                ..self
            },
            _ => self,
        }
    }

    /// The same, seen from an input in which this one starts at `offset`.
    pub(crate) fn behind(self, offset: u64) -> Self {
        Self {
            at: self.at + offset,
            ..self
        }
    }
}

/// A fault of ours costs one input, not the batch. What `decode` changes must be cleared before it is used again.
pub fn shielded<T>(decode: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|panic| {
        let what = message(&*panic).chars().take(300).collect::<String>();
        Err(Fault::new(FaultKind::Crashed, 0, what))
    })
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sentence, at) = (self.kind.describe(), self.at);
        if self.place.is_empty() {
            write!(formatter, "{sentence}, at byte {at}")
        } else {
            write!(formatter, "{sentence}, at byte {at}: {}", self.place)
        }
    }
}

impl std::error::Error for Fault {}

impl From<crate::dag_cbor::Bad> for Fault {
    fn from(bad: crate::dag_cbor::Bad) -> Self {
        Self::new(bad.kind, bad.at as u64, "")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = FaultKind::ALL.iter().map(|kind| kind.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), FaultKind::ALL.len());
    }

    #[test]
    fn a_panic_becomes_a_fault() {
        let fault = shielded::<()>(|| panic!("seven of {}", 9)).unwrap_err();
        assert_eq!(fault.kind, FaultKind::Crashed);
        assert_eq!(fault.place, "seven of 9");
    }

    #[test]
    fn a_fault_says_what_and_where() {
        let fault = Fault::new(FaultKind::BadTag, 3, "");
        assert_eq!(
            fault.clone().behind(7).to_string(),
            "a tag other than 42, at byte 10"
        );
        let fault = Fault::new(FaultKind::MissingBlock, 0, "bafy");
        assert_eq!(
            fault.to_string(),
            "a block is not in the file, at byte 0: bafy"
        );
    }
}
