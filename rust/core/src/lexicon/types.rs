//! Lexicon definitions, ready to be checked against.

use std::fmt;

/// All definitions. Types refer to each other by their place, so definitions may be recursive.
pub(crate) struct Registry {
    pub(super) types: Vec<Type>,
    /// The properties of each of the collections, in their order.
    pub(super) records: Vec<Vec<Property>>,
}

impl Registry {
    pub(super) fn get(&self, id: TypeId) -> &Type {
        &self.types[id.0]
    }

    pub(super) fn record(&self, index: usize) -> &[Property] {
        &self.records[index]
    }
}

/// The place of a type in the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TypeId(pub(super) usize);

#[derive(Debug)]
pub(super) enum Type {
    /// Stands for a definition that is being compiled; never left in a registry.
    Unfinished,
    Boolean,
    Integer {
        range: Range<f64>,
        choices: Option<Vec<f64>>,
    },
    Text(TextRules),
    Bytes(Range<usize>),
    Link,
    /// Neither media types nor sizes are enforced.
    Blob,
    /// Any object.
    Unknown,
    Array {
        items: TypeId,
        length: Range<usize>,
    },
    Object(Vec<Property>),
    Union {
        members: Vec<UnionMember>,
        /// Only the members are allowed; otherwise other types pass unchecked.
        is_closed: bool,
    },
}

/// Inclusive limits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range<T> {
    pub(super) min: Option<T>,
    pub(super) max: Option<T>,
}

#[derive(Debug)]
pub(super) struct TextRules {
    /// In bytes of UTF-8.
    pub(super) length: Range<usize>,
    /// In grapheme clusters.
    pub(super) graphemes: Range<usize>,
    pub(super) format: Option<Format>,
    /// The allowed values, where they are closed.
    pub(super) choices: Option<Vec<String>>,
}

impl TextRules {
    /// Whether they allow every text of up to so many bytes, and thereby of up to so many graphemes.
    pub(super) fn take_any_of(&self, bytes: usize) -> bool {
        let takes =
            |range: Range<usize>| range.min.is_none() && range.max.is_none_or(|max| bytes <= max);
        takes(self.length)
            && takes(self.graphemes)
            && self.format.is_none()
            && self.choices.is_none()
    }
}

#[derive(Debug)]
pub(super) struct UnionMember {
    /// NSID, `#` and name of the definition; the name `main` is left out.
    pub(super) name: String,
    pub(super) id: TypeId,
}

/// A property that a lexicon declares.
#[derive(Debug)]
pub(crate) struct Property {
    pub(crate) name: String,
    pub(super) id: TypeId,
    pub(super) is_required: bool,
    pub(super) is_nullable: bool,
}

/// A string format and its test.
#[derive(Clone, Copy)]
pub(super) struct Format {
    pub(super) name: &'static str,
    pub(super) accepts: fn(&str) -> bool,
}

impl fmt::Debug for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}
