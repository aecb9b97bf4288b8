//! Stream events of both dialects: from a parsed message to an [`Event`], in the order of the checks of
//! hostile-kinds.md (streams.md 3).

use crate::arena::{Arena, LARGE};
use crate::at_uri::AtUri;
use crate::cid::canonical_text;
use crate::document::Document;
use crate::event::{Event, Kind, RecordEvent};
use crate::lexicon::collection_named;
use crate::record;
use crate::reject::{Ignored, Reason, Reject, Unusable};
use crate::text::{Text, kept};
use crate::tid::tid_of_ms;
use crate::value::{Object, Value};

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
    fn read(&mut self, message: Object<'a>) {
        for member in message.members() {
            match member.key.plain_bytes() {
                Some(key) => self.set(key, member.value),
                None => self.set_escaped(member.key, member.value),
            }
        }
    }

    #[cold]
    fn set_escaped(&mut self, key: Text<'_>, value: Value<'a>) {
        self.set(key.decoded().as_bytes(), value);
    }

    fn set(&mut self, key: &[u8], value: Value<'a>) {
        let field = match key {
            b"type" => &mut self.kind,
            b"did" => &mut self.did,
            b"collection" => &mut self.collection,
            b"rkey" => &mut self.rkey,
            b"rev" => &mut self.rev,
            b"time" => &mut self.time,
            b"commit" => &mut self.commit,
            b"cid" => &mut self.cid,
            b"seq" => &mut self.seq,
            b"record" => &mut self.record,
            b"active" => &mut self.active,
            b"status" => &mut self.status,
            _ => return,
        };
        *field = Some(value);
    }
}

/// Judges a parsed message. `clock_ms` is now, in milliseconds since 1970.
pub(crate) fn decode<'a>(
    document: &Document<'a>,
    clock_ms: u64,
    arena: &'a Arena,
    out: &mut String,
) -> Result<Event<'a>, Unusable> {
    let mut fields = Fields::default();
    if let Some(message) = object(document.value)? {
        fields.read(message);
    }
    let Some(kind) = fields.kind.and_then(Value::as_text).and_then(Kind::named) else {
        return Err(Ignored::UnknownType.into());
    };
    let reader = Reader {
        fields: &fields,
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

/// A message as an object; None where it is an array, or one of the data model's objects: these have no type.
pub(crate) fn object(message: Value<'_>) -> Result<Option<Object<'_>>, Unusable> {
    let found = match message {
        _ if !message.is_truthy() => return Err(Ignored::Empty.into()),
        Value::Bool(_) => "true",
        Value::Number(_) => "a number",
        Value::Text(_) => "a string",
        Value::Object(object) => return Ok(Some(object)),
        _ => return Ok(None),
    };
    let detail = format!("the message is {found}, not an object");
    Err(Reject::new(Reason::NotAnObject, "", detail).into())
}

struct Reader<'a, 'd> {
    fields: &'d Fields<'a>,
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
        let rev = rev_before(rev, clock_ms, self.arena)?;
        let uri = uri([did, collection, rkey], self.arena)?;
        let body = match collection_named(uri.collection()) {
            Some(collection) if kind != Kind::Delete => {
                let cid = self.cid(present(self.fields.cid, "cid")?, Reason::BadCid)?;
                let record = self.fields.record;
                let body = record::decode(record, collection, self.document, self.arena, out)?;
                Some((cid, body))
            }
            _ => None,
        };
        let mut event = self.event(kind)?;
        event.rev = Some(rev);
        event.commit = Some(commit);
        event.record = Some(RecordEvent { uri, body });
        Ok(event)
    }

    fn repo(&self, clock_ms: u64) -> Result<Event<'a>, Reject> {
        present(self.fields.did, "did")?;
        let (rev, commit) = self.revision()?;
        let commit = self.cid(commit, Reason::BadCommit)?;
        let rev = rev_before(rev, clock_ms, self.arena)?;
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
            status: status.map(|text| self.arena.keep_text(lowercase(&text.cleaned()))),
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
            did: did.decoded_in(self.arena),
            time: time.cleaned_in(self.arena),
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
        let text = text.decoded_in(self.arena);
        match canonical_text(text) {
            Ok(text) => Ok(kept(text, self.arena)),
            Err(fault) => Err(Reject::new(reason, "", format_args!("{fault}: {text}"))),
        }
    }
}

/// A text in lower case. One that is long is measured first, since some letters take more bytes then.
fn lowercase(text: &str) -> String {
    // That of sigma depends on what is around it.
    if text.len() <= LARGE || text.contains('Σ') {
        return text.to_lowercase();
    }
    let characters = || text.chars().flat_map(char::to_lowercase);
    let mut lower = String::with_capacity(characters().map(char::len_utf8).sum());
    lower.extend(characters());
    lower
}

/// A field that must be a string and not empty; `name` says where it is.
#[inline]
pub(crate) fn present<'a>(field: Option<Value<'a>>, name: &str) -> Result<Text<'a>, Reject> {
    match field {
        Some(Value::Text(text)) if !text.is_empty() => Ok(text),
        _ => Err(missing(field, name)),
    }
}

#[cold]
fn missing(field: Option<Value<'_>>, name: &str) -> Reject {
    let found = match field {
        Some(Value::Text(_)) => "empty",
        Some(_) => "not a string",
        None => "absent",
    };
    let detail = format!("{name} is {found}; it must be a string that is not empty");
    Reject::new(Reason::MissingField, name, detail)
}

/// A rev that may be stored: one far in the future would freeze its record.
fn rev_before<'a>(rev: Text<'a>, clock_ms: u64, arena: &'a Arena) -> Result<&'a str, Reject> {
    if !rev.is_clean() {
        return Err(Reject::new(
            Reason::BadRev,
            "",
            "the rev holds NUL or a lone surrogate",
        ));
    }
    let rev = rev.decoded_in(arena);
    let latest = tid_of_ms(clock_ms.saturating_add(MAX_DRIFT_MS));
    if rev.as_bytes() > latest.as_slice() {
        let latest = String::from_utf8_lossy(&latest);
        let detail = format_args!("the rev {rev} sorts after {latest}, five minutes from now");
        return Err(Reject::new(Reason::BadRev, "", detail));
    }
    Ok(rev)
}

/// The record's URI. Identifiers are never cleaned: they would name something else.
fn uri<'a>(parts: [Text<'a>; 3], arena: &'a Arena) -> Result<AtUri, Reject> {
    let is_clean = parts.iter().all(|part| part.is_clean());
    let [did, collection, rkey] = parts.map(|part| part.decoded_in(arena));
    AtUri::from_parts(did, collection, rkey)
        .ok()
        .filter(|_| is_clean)
        .ok_or_else(|| {
            let detail = format_args!("{did}/{collection}/{rkey} is not an AT-URI");
            Reject::new(Reason::BadUri, "", detail)
        })
}
