//! The fields of messages that mean something.

use crate::dag_cbor::{Bad, Integer, Link, Reader, skip};
use crate::fault::{Fault, FaultKind};

/// Longer than any identifier that is allowed: each event of a frame repeats some of them.
const MAX_TEXT: usize = 8 << 10;

/// A body as read. What a message does not have, or has as null, is None.
#[derive(Clone, Debug, Default)]
pub(super) struct Body<'a> {
    pub(super) seq: Option<Integer>,
    pub(super) time: Option<&'a [u8]>,
    pub(super) did: Option<&'a [u8]>,
    pub(super) repo: Option<&'a [u8]>,
    pub(super) rev: Option<&'a [u8]>,
    pub(super) commit: Option<Link<'a>>,
    pub(super) blocks: Option<&'a [u8]>,
    /// Bytes of the frame in front of `blocks`.
    pub(super) blocks_at: usize,
    /// The relay left out what was too large, perhaps all blocks. Relays of today send `#sync` instead.
    pub(super) too_big: Option<bool>,
    /// In front of the array.
    pub(super) ops: Option<Reader<'a>>,
    /// In front of the array.
    pub(super) labels: Option<Reader<'a>>,
    pub(super) active: Option<bool>,
    pub(super) status: Option<&'a [u8]>,
    pub(super) handle: Option<&'a [u8]>,
    pub(super) name: Option<&'a [u8]>,
    pub(super) error: Option<&'a [u8]>,
    pub(super) message: Option<&'a [u8]>,
}

impl<'a> Body<'a> {
    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let mut body = Self::default();
        entries(reader, |key, reader| {
            let before = reader.at();
            if reader.null()? {
                return Ok(());
            }
            match key {
                b"seq" => body.seq = reader.integer()?,
                b"time" => body.time = text(reader)?,
                b"did" => body.did = text(reader)?,
                b"repo" => body.repo = text(reader)?,
                b"rev" => body.rev = text(reader)?,
                b"commit" => body.commit = reader.link()?,
                b"blocks" => {
                    body.blocks = reader.byte_string()?;
                    body.blocks_at = reader.at() - body.blocks.unwrap_or_default().len();
                }
                b"tooBig" => body.too_big = reader.boolean()?,
                b"ops" => body.ops = array(reader)?,
                b"labels" => body.labels = array(reader)?,
                b"active" => body.active = reader.boolean()?,
                b"status" => body.status = text(reader)?,
                b"handle" => body.handle = text(reader)?,
                b"name" => body.name = text(reader)?,
                b"error" => body.error = text(reader)?,
                b"message" => body.message = text(reader)?,
                _ => skip(reader)?,
            }
            if reader.at() == before {
                return Err(bad(before, &String::from_utf8_lossy(key)));
            }
            Ok(())
        })?;
        Ok(body)
    }
}

/// Reads past an array, if that comes next; the reader in front of it.
fn array<'a>(reader: &mut Reader<'a>) -> Result<Option<Reader<'a>>, Bad> {
    let before = reader.clone();
    if reader.clone().array()?.is_none() {
        return Ok(None);
    }
    skip(reader)?;
    Ok(Some(before))
}

/// The next item, if it is a text: an identifier, a time or a sentence.
pub(super) fn text<'a>(reader: &mut Reader<'a>) -> Result<Option<&'a [u8]>, Fault> {
    let at = reader.at();
    let text = reader.text()?;
    if text.is_some_and(|text| text.len() > MAX_TEXT) {
        let what = format!("a field of more than {MAX_TEXT} bytes");
        return Err(Fault::new(FaultKind::TooBig, at as u64, what));
    }
    Ok(text)
}

/// Hands over each key of the map that comes next, with the reader in front of its value.
pub(super) fn entries<'a>(
    reader: &mut Reader<'a>,
    mut take: impl FnMut(&'a [u8], &mut Reader<'a>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let at = reader.at();
    let count = reader.map()?.ok_or_else(|| bad(at, "not a map"))?;
    let mut key = None;
    for _ in 0..count {
        let next = reader.key(key)?;
        take(next, reader)?;
        key = Some(next);
    }
    Ok(())
}

/// A field that is absent or not what it must be.
pub(super) fn bad(at: usize, field: &str) -> Fault {
    let field: String = field.chars().take(100).collect();
    Fault::new(FaultKind::BadFrame, at as u64, field)
}

pub(super) fn required<T>(field: Option<T>, at: usize, name: &str) -> Result<T, Fault> {
    field.ok_or_else(|| bad(at, name))
}
