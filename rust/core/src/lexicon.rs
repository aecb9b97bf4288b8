//! Which record types there are, and what their lexicons allow (records.md 3).

mod compile;
mod definition;
mod documents;
mod types;
mod validate;

use std::sync::LazyLock;

pub use documents::COLLECTIONS;
use types::{DeclaredMember, Registry};
use validate::{Verdict, Violation};

use crate::value::Value;

/// This record type is stored whatever it holds, as by the reference.
const NEVER_VALIDATED: &str = "chat.bsky.actor.declaration";

#[expect(
    clippy::panic,
    reason = "the documents are compiled in, and a test compiles them"
)]
static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    compile::registry(documents::DOCUMENTS, &COLLECTIONS).unwrap_or_else(|fault| panic!("{fault}"))
});

/// One of [`COLLECTIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Collection {
    index: usize,
}

/// The record type of this NSID, if it is one of [`COLLECTIONS`].
pub fn collection_named(nsid: &str) -> Option<Collection> {
    COLLECTIONS
        .iter()
        .position(|name| *name == nsid)
        .map(|index| Collection { index })
}

impl Collection {
    /// Its place in [`COLLECTIONS`].
    pub fn index(self) -> usize {
        self.index
    }

    /// Its NSID.
    pub fn nsid(self) -> &'static str {
        COLLECTIONS[self.index]
    }

    /// The members of a record that its lexicon declares, each with its property.
    pub(crate) fn declared(self, record: Option<Value<'_>>) -> Vec<DeclaredMember<'_>> {
        let object = record.and_then(Value::as_object);
        let properties = REGISTRY.record(self.index);
        object.map_or_else(Vec::new, |object| properties.declared(object))
    }

    /// Checks a record against the lexicon; `declared` are those of its members.
    pub(crate) fn validate(
        self,
        record: Option<Value<'_>>,
        declared: &[DeclaredMember<'_>],
    ) -> Verdict {
        match record {
            // There is nothing to store.
            None => Err(Violation::new("a record")),
            Some(_) if self.nsid() == NEVER_VALIDATED => Ok(()),
            Some(record) => validate::record(&REGISTRY, self, record, declared),
        }
    }
}

#[cfg(test)]
mod tests;
