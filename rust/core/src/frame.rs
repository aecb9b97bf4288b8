//! Frames of the subscriptions `subscribeRepos` and `subscribeLabels` as stream events (streams.md 3 and 4).
//!
//! A frame is a header and a body, both DAG-CBOR. What fails in a frame fails the frame, as in the reference.

mod body;
mod commit;

use std::borrow::Cow;

use crate::car::Block;
use crate::dag_cbor::{Integer, Link, Reader, Walker, push_integer, push_text, skip, to_json};
use crate::fault::{Fault, FaultKind, shielded};

use body::{Body, bad, required};

/// The events of one frame are at most twice as long as it, and this.
const SLACK: usize = 256 << 10;

/// A frame without its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The type of its message, with the number sign, as `#commit`; `error` for a frame that is none.
    pub kind: Cow<'a, str>,
    /// The place in the stream; None where the message has none.
    pub seq: Option<Integer>,
    /// Creates and updates without event, since the frame does not hold the record.
    pub skipped: usize,
    /// Of `#info` and of errors.
    pub name: Option<Cow<'a, str>>,
    /// Of `#info` and of errors.
    pub message: Option<Cow<'a, str>>,
}

/// The texts of events, one behind the other.
#[derive(Debug, Default)]
pub struct Events {
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Events {
    /// Bytes of all texts.
    pub fn size(&self) -> usize {
        self.text.len()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// The text of the event at that place: UTF-8.
    pub fn get(&self, place: usize) -> &[u8] {
        let before = place
            .checked_sub(1)
            .and_then(|before| self.ends.get(before));
        let start = before.copied().unwrap_or_default();
        let end = self.ends.get(place).copied().unwrap_or(start);
        self.text.get(start..end).unwrap_or_default()
    }

    /// Forgets the texts, and keeps the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
    }

    fn end(&mut self) {
        self.ends.push(self.text.len());
    }

    fn cut(&mut self, count: usize) {
        self.ends.truncate(count);
        self.text
            .truncate(self.ends.last().copied().unwrap_or_default());
    }
}

/// Decodes frames one after the other.
pub struct FrameDecoder<'a> {
    walker: Walker<'a>,
    blocks: Vec<Block<'a>>,
    max_bytes: usize,
    max_depth: usize,
}

impl<'a> FrameDecoder<'a> {
    /// Frames of more bytes, and records that are nested deeper, are faults.
    pub fn new(max_bytes: usize, max_depth: usize) -> Self {
        Self {
            walker: Walker::default(),
            blocks: Vec::new(),
            max_bytes,
            max_depth,
        }
    }

    /// Decodes a frame, and appends its events; of a faulty one none. Never panics.
    pub fn decode(&mut self, frame: &'a [u8], events: &mut Events) -> Result<Frame<'a>, Fault> {
        let count = events.count();
        let decoded = shielded(|| self.frame(frame, events));
        if decoded.is_err() {
            events.cut(count);
        }
        decoded
    }

    fn frame(&mut self, frame: &'a [u8], events: &mut Events) -> Result<Frame<'a>, Fault> {
        if frame.len() > self.max_bytes {
            let what = format!("a frame of more than {} bytes", self.max_bytes);
            return Err(Fault::new(FaultKind::TooBig, 0, what));
        }
        let mut reader = Reader::new(frame);
        let kind = kind(&mut reader)?;
        let start = reader.at();
        let body = Body::read(&mut reader)?;
        reader.finish()?;
        let mut out = Output {
            end: events.size() + 2 * frame.len() + SLACK,
            start,
            events,
            walker: &mut self.walker,
            max_depth: self.max_depth,
        };
        let skipped = match &*kind {
            "#commit" => commit::events(&body, &mut self.blocks, &mut out)?,
            "#account" => out.account(&body).map(|()| 0)?,
            "#identity" => out.identity(&body).map(|()| 0)?,
            "#labels" => out.labels(&body).map(|()| 0)?,
            _ => 0,
        };
        let text = |text: Option<&'a [u8]>| text.map(String::from_utf8_lossy);
        let name = if kind == "error" {
            body.error
        } else {
            body.name
        };
        Ok(Frame {
            kind,
            seq: body.seq,
            skipped,
            name: text(name),
            message: text(body.message),
        })
    }
}

/// Reads the header: `t` of a message, `error` for an error.
fn kind<'a>(reader: &mut Reader<'a>) -> Result<Cow<'a, str>, Fault> {
    let start = reader.at();
    let (mut op, mut kind) = (None, None);
    body::entries(reader, |key, reader| {
        match key {
            b"op" => op = reader.integer()?,
            b"t" => kind = body::text(reader)?,
            _ => skip(reader)?,
        }
        Ok(())
    })?;
    match (op.map(Integer::value), kind) {
        (Some(-1), _) => Ok(Cow::Borrowed("error")),
        (Some(1), Some(kind)) => Ok(String::from_utf8_lossy(kind)),
        (Some(1), None) => Err(bad(start, "t")),
        _ => Err(bad(start, "op")),
    }
}

/// Where events go.
struct Output<'o, 'a> {
    events: &'o mut Events,
    walker: &'o mut Walker<'a>,
    /// Where the text of the events must end.
    end: usize,
    /// Where the body starts.
    start: usize,
    max_depth: usize,
}

impl<'a> Output<'_, 'a> {
    fn push(&mut self, text: &str) {
        self.events.text.extend_from_slice(text.as_bytes());
    }

    fn text(&mut self, text: &[u8]) {
        push_text(text, &mut self.events.text);
    }

    fn cid(&mut self, cid: Link<'_>) {
        cid.push_text(&mut self.events.text);
    }

    fn integer(&mut self, integer: Integer) {
        push_integer(integer, &mut self.events.text);
    }

    /// The next item as JSON; `length` is how many bytes it has, or less.
    fn item(&mut self, reader: &mut Reader<'a>, length: usize) -> Result<(), Fault> {
        let left = self.end.saturating_sub(self.events.size());
        let longest = crate::dag_cbor::longest_json(length).min(left);
        let out = &mut self.events.text;
        to_json(reader, self.walker, self.max_depth, longest, out)?;
        Ok(())
    }

    fn event_ends(&mut self) -> Result<(), Fault> {
        self.events.end();
        if self.events.size() > self.end {
            let what = "the events of the frame";
            return Err(Fault::new(FaultKind::TooBig, self.start as u64, what));
        }
        Ok(())
    }

    /// The fields that all messages about a repository have.
    fn head(&mut self, kind: &str, did: &[u8], body: &Body<'_>) -> Result<(), Fault> {
        let seq = required(body.seq, self.start, "seq")?;
        let time = required(body.time, self.start, "time")?;
        self.push(r#"{"type":""#);
        self.push(kind);
        self.push(r#"","seq":"#);
        self.integer(seq);
        self.push(r#","time":"#);
        self.text(time);
        self.push(r#","did":"#);
        self.text(did);
        Ok(())
    }

    fn account(&mut self, body: &Body<'_>) -> Result<(), Fault> {
        self.head("account", required(body.did, self.start, "did")?, body)?;
        let is_active = required(body.active, self.start, "active")?;
        self.push(if is_active {
            r#","active":true"#
        } else {
            r#","active":false"#
        });
        if let Some(status) = body.status {
            self.push(r#","status":"#);
            self.text(status);
        }
        self.push("}");
        self.event_ends()
    }

    fn identity(&mut self, body: &Body<'_>) -> Result<(), Fault> {
        self.head("identity", required(body.did, self.start, "did")?, body)?;
        if let Some(handle) = body.handle {
            self.push(r#","handle":"#);
            self.text(handle);
        }
        self.push("}");
        self.event_ends()
    }

    fn labels(&mut self, body: &Body<'a>) -> Result<(), Fault> {
        required(body.seq, self.start, "seq")?;
        let mut labels = required(body.labels.clone(), self.start, "labels")?;
        let count = labels.array()?.unwrap_or_default();
        for _ in 0..count {
            let at = labels.at();
            if labels.clone().map()?.is_none() {
                return Err(bad(at, "labels"));
            }
            self.push(r#"{"type":"label","label":"#);
            self.item(&mut labels, self.end)?;
            self.push("}");
            self.event_ends()?;
        }
        Ok(())
    }
}
