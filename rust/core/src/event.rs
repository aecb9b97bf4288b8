//! What payloads become.

use crate::at_uri::AtUri;
use crate::record::Body;
use crate::reject::{Ignored, Reject, Unusable};
use crate::text::Text;

/// What a payload becomes: an [`Event`], or the labels of an entry, unless it cannot be used.
#[derive(Debug)]
pub enum Outcome<T> {
    Event(T),
    Reject(Reject),
    Ignored(Ignored),
}

impl<T> From<Result<T, Unusable>> for Outcome<T> {
    fn from(result: Result<T, Unusable>) -> Self {
        match result {
            Ok(event) => Self::Event(event),
            Err(Unusable::Reject(reject)) => Self::Reject(reject),
            Err(Unusable::Ignored(reason)) => Self::Ignored(reason),
        }
    }
}

/// The type of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Create,
    Update,
    Delete,
    Repo,
    Account,
    Identity,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Create,
        Self::Update,
        Self::Delete,
        Self::Repo,
        Self::Account,
        Self::Identity,
    ];

    /// Its `type` in the message.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Repo => "repo",
            Self::Account => "account",
            Self::Identity => "identity",
        }
    }

    pub(crate) fn named(name: Text<'_>) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| name == *kind.as_str())
    }
}

/// An event that passed every check that needs no database.
#[derive(Debug)]
pub struct Event<'a> {
    pub kind: Kind,
    /// The repository, as the message names it.
    pub did: &'a str,
    /// Verbatim, without NUL.
    pub time: &'a str,
    /// Whether `seq` marks a backfill; None if there is no `seq` (streams.md 3.1).
    pub backfill: Option<bool>,
    /// Of create, update, delete, repo.
    pub rev: Option<&'a str>,
    /// Canonical text, of create, update, delete, repo.
    pub commit: Option<&'a str>,
    /// Of create, update, delete.
    pub record: Option<RecordEvent<'a>>,
    /// Of account.
    pub active: Option<bool>,
    /// Of account, in lower case.
    pub status: Option<&'a str>,
    /// Whether `time` was not clean.
    pub is_unclean: bool,
}

/// What an event says about a record.
#[derive(Debug)]
pub struct RecordEvent<'a> {
    pub uri: AtUri,
    /// Canonical text of the CID, and the record: of create and update in [`crate::COLLECTIONS`].
    pub body: Option<(&'a str, Body<'a>)>,
}
