//! Lexicon definitions, ready to be checked against.

use std::fmt;

use crate::members::{MARKS, mark};
use crate::text::Text;
use crate::value::{Member, Object};

/// All definitions. Types refer to each other by their place, so definitions may be recursive.
pub(crate) struct Registry {
    pub(super) types: Vec<Type>,
    /// The properties of each of the collections, in their order.
    pub(super) records: Vec<Properties>,
}

impl Registry {
    pub(super) fn get(&self, id: TypeId) -> &Type {
        &self.types[id.0]
    }

    pub(super) fn record(&self, index: usize) -> &Properties {
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
    Object(Properties),
    Union {
        members: Vec<UnionMember>,
        /// Only the members are allowed; otherwise other types pass unchecked.
        is_closed: bool,
    },
}

impl Type {
    /// Completes "must be".
    pub(super) fn description(&self) -> &'static str {
        match self {
            Self::Unfinished => "nothing",
            Self::Boolean => "true or false",
            Self::Integer { .. } => "an integer",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes ($bytes)",
            Self::Link => "a link ($link)",
            Self::Blob => "a blob with exactly the keys $type, ref, mimeType, size",
            Self::Array { .. } => "an array",
            Self::Object(_) | Self::Unknown | Self::Union { .. } => "an object",
        }
    }
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
    /// Every text of up to so many bytes, and thereby of up to so many graphemes, is allowed; None if some may not be.
    free: Option<usize>,
}

impl TextRules {
    pub(super) fn new(
        length: Range<usize>,
        graphemes: Range<usize>,
        format: Option<Format>,
        choices: Option<Vec<String>>,
    ) -> Self {
        let is_free = length.min.is_none()
            && graphemes.min.is_none()
            && format.is_none()
            && choices.is_none();
        let max = [length.max, graphemes.max].into_iter().flatten().min();
        Self {
            length,
            graphemes,
            format,
            choices,
            free: is_free.then_some(max.unwrap_or(usize::MAX)),
        }
    }

    /// Whether they allow every text of up to so many bytes.
    pub(super) fn take_any_of(&self, bytes: usize) -> bool {
        self.free.is_some_and(|max| bytes <= max)
    }
}

#[derive(Debug)]
pub(super) struct UnionMember {
    /// NSID, `#` and name of the definition; the name `main` is left out.
    pub(super) name: String,
    pub(super) id: TypeId,
}

/// The properties of an object.
#[derive(Debug)]
pub(crate) struct Properties {
    /// In the order of the lexicon.
    pub(super) all: Vec<Property>,
    pub(super) required: usize,
    /// For each mark of a key the place of the property that has it. Of several the last one: the others are searched for.
    places: [u8; MARKS],
}

impl Properties {
    /// Of at most 255 properties.
    pub(super) fn new(all: Vec<Property>) -> Self {
        let mut places = [u8::MAX; MARKS];
        for (place, property) in (0..).zip(&all) {
            places[mark(property.name.as_bytes())] = place;
        }
        Self {
            required: all.iter().filter(|property| property.is_required).count(),
            all,
            places,
        }
    }

    /// The members that are declared, in their order.
    pub(super) fn declared<'a>(&'a self, object: Object<'a>) -> Vec<DeclaredMember<'a>> {
        let mut declared = Vec::with_capacity(self.all.len().min(object.len()));
        for member in object.members() {
            declared.extend(self.named(member.key).map(|property| (member, property)));
        }
        declared
    }

    /// The property of a key.
    #[inline]
    pub(super) fn named(&self, key: Text<'_>) -> Option<&Property> {
        if let Some(bytes) = key.plain_bytes() {
            let property = self.all.get(usize::from(self.places[mark(bytes)]))?;
            if property.name.as_bytes() == bytes {
                return Some(property);
            }
        }
        self.searched(key)
    }

    #[cold]
    fn searched(&self, key: Text<'_>) -> Option<&Property> {
        self.all.iter().find(|property| key == *property.name)
    }
}

/// A member of an object and its property.
pub(crate) type DeclaredMember<'a> = (Member<'a>, &'a Property);

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
