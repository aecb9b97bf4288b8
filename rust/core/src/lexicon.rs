//! Which record types there are, and what their lexicons allow (records.md 3).

mod compile;
mod definition;
mod documents;
mod types;
mod validate;

use std::sync::LazyLock;

pub use documents::COLLECTIONS;
pub(crate) use types::Property;
use types::Registry;
pub(crate) use validate::Violation;

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

    /// The properties that its lexicon declares.
    pub(crate) fn properties(self) -> &'static [Property] {
        REGISTRY.record(self.index)
    }

    /// Checks a record against the lexicon.
    pub(crate) fn validate(self, record: Option<Value<'_>>) -> Result<(), Violation> {
        match record {
            // There is nothing to store.
            None => Err(Violation::new("a record")),
            Some(_) if self.nsid() == NEVER_VALIDATED => Ok(()),
            Some(record) => validate::record(&REGISTRY, self, record),
        }
    }
}

#[cfg(test)]
mod tests;
