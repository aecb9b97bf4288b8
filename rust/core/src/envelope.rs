//! Stream events of both dialects: from a parsed message to an [`Event`], in the order of the checks of
//! hostile-kinds.md (streams.md 3).

use crate::Arena;
use crate::at_uri::AtUri;
use crate::cid::canonical_text;
use crate::document::Document;
use crate::event::{Event, Kind, RecordEvent};
use crate::lexicon::collection_named;
use crate::record;
use crate::reject::{Ignored, Reason, Reject, Unusable};
use crate::text::Text;
use crate::tid::tid_of_ms;
use crate::value::{Member, Value};

/// How far a rev may lie ahead of the clock (design.md, "Deletes and revs").
const MAX_DRIFT_MS: u64 = 5 * 60 * 1000;

/// The members of a message that mean something.
#[derive(Clone, Copy, Default)]
struct Fields<'a> {
    kind: Option<Value<'a>>,
    did: Option<Value<'a>>,
    collection: Option<Value<'a>>,
    rkey: Option<Value<'a>>,
    rev: Option<Value<'a>>,
    time: Option<Value<'a>>,
    commit: Option<Value<'a>>,
    cid: Option<Value<'a>>,
    seq: Option<Value<'a>>,
    record: Option<Value<'a>>,
    active: Option<Value<'a>>,
    status: Option<Value<'a>>,
}

impl<'a> Fields<'a> {
    fn of(members: &[Member<'a>]) -> Self {
        let mut fields = Self::default();
        for member in members {
            let field = match member.key.as_str() {
                "type" => &mut fields.kind,
                "did" => &mut fields.did,
                "collection" => &mut fields.collection,
                "rkey" => &mut fields.rkey,
                "rev" => &mut fields.rev,
                "time" => &mut fields.time,
                "commit" => &mut fields.commit,
                "cid" => &mut fields.cid,
                "seq" => &mut fields.seq,
                "record" => &mut fields.record,
                "active" => &mut fields.active,
                "status" => &mut fields.status,
                _ => continue,
            };
            *field = Some(member.value);
        }
        fields
    }
}

/// Judges a parsed message. `clock_ms` is now, in milliseconds since 1970.
pub(crate) fn decode<'a>(
    document: &Document<'a>,
    clock_ms: u64,
    arena: &'a Arena,
    out: &mut String,
) -> Result<Event<'a>, Unusable> {
    let fields = Fields::of(members(document.value)?);
    let Some(kind) = fields.kind.and_then(Value::as_text).and_then(Kind::named) else {
        return Err(Ignored::UnknownType.into());
    };
    let reader = Reader {
        fields,
        document,
        arena,
    };
    Ok(match kind {
        Kind::Create | Kind::Update | Kind::Delete => reader.record_event(kind, clock_ms, out)?,
        Kind::Repo => reader.repo(clock_ms)?,
        Kind::Account => reader.account()?,
        Kind::Identity => reader.event(kind)?,
    })
}

/// The members of a message; none where it is an array, or one of the data model's objects: these have no type.
pub(crate) fn members(message: Value<'_>) -> Result<&[Member<'_>], Unusable> {
    let found = match message {
        _ if !message.is_truthy() => return Err(Ignored::Empty.into()),
        Value::Bool(_) => "true",
        Value::Number(_) => "a number",
        Value::Text(_) => "a string",
        Value::Object(members) => return Ok(members),
        _ => return Ok(&[]),
    };
    let detail = format!("the message is {found}, not an object");
    Err(Reject::new(Reason::NotAnObject, "", detail).into())
}

struct Reader<'a, 'd> {
    fields: Fields<'a>,
    document: &'d Document<'a>,
    arena: &'a Arena,
}

impl<'a> Reader<'a, '_> {
    fn record_event(
        &self,
        kind: Kind,
        clock_ms: u64,
        out: &mut String,
    ) -> Result<Event<'a>, Reject> {
        let did = present(self.fields.did, "did")?;
        let collection = present(self.fields.collection, "collection")?;
        let rkey = present(self.fields.rkey, "rkey")?;
        let (rev, commit) = self.revision()?;
        let commit = self.cid(commit, Reason::BadCommit)?;
        let rev = rev_before(rev, clock_ms)?;
        let uri = uri(did, collection, rkey)?;
        let body = match collection_named(uri.collection()) {
            Some(collection) if kind != Kind::Delete => {
                let cid = self.cid(present(self.fields.cid, "cid")?, Reason::BadCid)?;
                let record = self.fields.record;
                let body = record::decode(record, collection, self.document, self.arena, out)?;
                Some((cid, body))
            }
            _ => None,
        };
        Ok(Event {
            rev: Some(rev),
            commit: Some(commit),
            record: Some(RecordEvent { uri, body }),
            ..self.event(kind)?
        })
    }

    fn repo(&self, clock_ms: u64) -> Result<Event<'a>, Reject> {
        present(self.fields.did, "did")?;
        let (rev, commit) = self.revision()?;
        let commit = self.cid(commit, Reason::BadCommit)?;
        let rev = rev_before(rev, clock_ms)?;
        Ok(Event {
            rev: Some(rev),
            commit: Some(commit),
            ..self.event(Kind::Repo)?
        })
    }

    /// The fields that every change of a repository has: rev and commit, and a time.
    fn revision(&self) -> Result<(Text<'a>, Text<'a>), Reject> {
        let rev = present(self.fields.rev, "rev")?;
        present(self.fields.time, "time")?;
        Ok((rev, present(self.fields.commit, "commit")?))
    }

    fn account(&self) -> Result<Event<'a>, Reject> {
        let status = self.fields.status.and_then(Value::as_text);
        Ok(Event {
            active: match self.fields.active {
                Some(Value::Bool(active)) => Some(active),
                _ => None,
            },
            // Builds of the Rust producer capitalise it (streams.md 3.2).
            status: status.map(|text| &*self.arena.alloc_str(&text.cleaned().to_lowercase())),
            ..self.event(Kind::Account)?
        })
    }

    /// An event with the fields that all kinds have.
    fn event(&self, kind: Kind) -> Result<Event<'a>, Reject> {
        let did = present(self.fields.did, "did")?;
        let time = present(self.fields.time, "time")?;
        if !did.is_clean() {
            return Err(Reject::new(
                Reason::BadUri,
                "did",
                "the did holds NUL or a lone surrogate",
            ));
        }
        Ok(Event {
            kind,
            did: did.as_str(),
            time: self.cleaned(time),
            backfill: match self.fields.seq {
                None | Some(Value::Null) => None,
                Some(Value::Number(seq)) => Some(matches!(seq, -1.0 | -2.0)),
                Some(_) => Some(false),
            },
            rev: None,
            commit: None,
            record: None,
            active: None,
            status: None,
            is_unclean: !time.is_clean(),
        })
    }

    fn cid(&self, text: Text<'a>, reason: Reason) -> Result<&'a str, Reject> {
        match canonical_text(text.as_str()) {
            Ok(std::borrow::Cow::Borrowed(text)) => Ok(text),
            Ok(std::borrow::Cow::Owned(text)) => Ok(self.arena.alloc_str(&text)),
            Err(fault) => Err(Reject::new(
                reason,
                "",
                format!("{fault}: {}", text.as_str()),
            )),
        }
    }

    fn cleaned(&self, text: Text<'a>) -> &'a str {
        if text.is_clean() {
            text.as_str()
        } else {
            self.arena.alloc_str(&text.cleaned())
        }
    }
}

/// A field that must be a string and not empty; `name` says where it is.
pub(crate) fn present<'a>(field: Option<Value<'a>>, name: &str) -> Result<Text<'a>, Reject> {
    let found = match field {
        Some(Value::Text(text)) if !text.as_str().is_empty() => return Ok(text),
        Some(Value::Text(_)) => "empty",
        Some(_) => "not a string",
        None => "absent",
    };
    let detail = format!("{name} is {found}; it must be a string that is not empty");
    Err(Reject::new(Reason::MissingField, name, detail))
}

/// A rev that may be stored: one far in the future would freeze its record.
fn rev_before(rev: Text<'_>, clock_ms: u64) -> Result<&str, Reject> {
    if !rev.is_clean() {
        return Err(Reject::new(
            Reason::BadRev,
            "",
            "the rev holds NUL or a lone surrogate",
        ));
    }
    let rev = rev.as_str();
    let latest = tid_of_ms(clock_ms.saturating_add(MAX_DRIFT_MS));
    if rev.as_bytes() > latest.as_slice() {
        let latest = String::from_utf8_lossy(&latest).into_owned();
        let detail = format!("the rev {rev} sorts after {latest}, five minutes from now");
        return Err(Reject::new(Reason::BadRev, "", detail));
    }
    Ok(rev)
}

/// The record's URI. Identifiers are never cleaned: they would name something else.
fn uri(did: Text<'_>, collection: Text<'_>, rkey: Text<'_>) -> Result<AtUri, Reject> {
    let is_clean = did.is_clean() && collection.is_clean() && rkey.is_clean();
    let (did, collection, rkey) = (did.as_str(), collection.as_str(), rkey.as_str());
    AtUri::from_parts(did, collection, rkey)
        .ok()
        .filter(|_| is_clean)
        .ok_or_else(|| {
            let detail = format!("{did}/{collection}/{rkey} is not an AT-URI");
            Reject::new(Reason::BadUri, "", detail)
        })
}
