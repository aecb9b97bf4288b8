//! Commits: each operation with its record, out of the blocks that come with it.

use super::Output;
use super::body::{Body, bad, entries, required, text};
use crate::car::{self, Block, BlockCid};
use crate::dag_cbor::{Link, Reader, skip};
use crate::fault::{Fault, FaultKind};

/// More blocks are sorted before one is looked for.
const FEW: usize = 32;
/// Characters of a path in a fault.
const MAX_PLACE: usize = 300;

#[derive(Default)]
struct Operation<'a> {
    action: Option<&'a [u8]>,
    path: Option<&'a [u8]>,
    cid: Option<Link<'a>>,
}

impl<'a> Operation<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, Fault> {
        let mut operation = Self::default();
        entries(reader, |key, reader| {
            let before = reader.at();
            match key {
                b"action" => operation.action = text(reader)?,
                b"path" => operation.path = text(reader)?,
                b"cid" if !reader.null()? => operation.cid = reader.link()?,
                b"cid" => (),
                _ => skip(reader)?,
            }
            if reader.at() == before {
                return Err(bad(
                    before,
                    &format!("ops/{}", String::from_utf8_lossy(key)),
                ));
            }
            Ok(())
        })?;
        Ok(operation)
    }
}

/// The events of a commit; how many operations have none, for want of their block.
pub(super) fn events<'a>(
    body: &Body<'a>,
    blocks: &mut Vec<Block<'a>>,
    out: &mut Output<'_, 'a>,
) -> Result<usize, Fault> {
    let start = out.start;
    let commit = Commit {
        did: required(body.repo, start, "repo")?,
        rev: required(body.rev, start, "rev")?,
        cid: required(body.commit, start, "commit")?,
        blocks_at: body.blocks_at as u64,
        body,
    };
    let mut ops = required(body.ops.clone(), start, "ops")?;
    let car = required(body.blocks, start, "blocks")?;
    if car.is_empty() && body.too_big == Some(true) {
        blocks.clear();
    } else {
        car::blocks(car, blocks)
            .map_err(|fault| fault.of_whole(FaultKind::BadCar).behind(commit.blocks_at))?;
    }
    if blocks.len() > FEW {
        blocks.sort_unstable_by_key(|block| block.cid);
    }
    let mut skipped = 0;
    for _ in 0..ops.array()?.unwrap_or_default() {
        let at = ops.at();
        let operation = Operation::read(&mut ops)?;
        let path = required(operation.path, at, "ops/path")?;
        let parts = split(path).ok_or_else(|| bad(at, "ops/path: not a collection and a key"))?;
        match required(operation.action, at, "ops/action")? {
            b"delete" => commit.deletion(parts, out)?,
            action @ (b"create" | b"update") => match found(operation.cid, blocks) {
                Some((cid, block)) => commit.write(action, parts, cid, block, out)?,
                None => skipped += 1,
            },
            _ => (),
        }
    }
    Ok(skipped)
}

/// Collection and key; a path of other than two parts is not one of a record.
fn split(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = path.split(|byte| *byte == b'/');
    let (collection, rkey) = (parts.next()?, parts.next()?);
    parts.next().is_none().then_some((collection, rkey))
}

/// A path for people.
fn path((collection, rkey): (&[u8], &[u8])) -> String {
    let parts = [collection, rkey].map(String::from_utf8_lossy);
    parts.join("/").chars().take(MAX_PLACE).collect()
}

/// The block that an operation names.
fn found<'b, 'a>(
    link: Option<Link<'a>>,
    blocks: &'b [Block<'a>],
) -> Option<(Link<'a>, &'b Block<'a>)> {
    let link = link?;
    let cid = BlockCid::read(link.bytes())?;
    let block = if blocks.len() > FEW {
        let place = blocks.binary_search_by_key(&cid, |block| block.cid);
        blocks.get(place.ok()?)
    } else {
        blocks.iter().find(|block| block.cid == cid)
    };
    Some((link, block?))
}

struct Commit<'b, 'a> {
    did: &'a [u8],
    rev: &'a [u8],
    cid: Link<'a>,
    blocks_at: u64,
    body: &'b Body<'a>,
}

impl<'a> Commit<'_, 'a> {
    fn deletion(&self, parts: (&[u8], &[u8]), out: &mut Output<'_, 'a>) -> Result<(), Fault> {
        out.push(r#"{"type":"delete""#);
        self.rest(parts, out)
    }

    fn write(
        &self,
        action: &[u8],
        parts: (&[u8], &[u8]),
        cid: Link<'_>,
        block: &Block<'a>,
        out: &mut Output<'_, 'a>,
    ) -> Result<(), Fault> {
        out.push(if action == b"create" {
            r#"{"type":"create","record":"#
        } else {
            r#"{"type":"update","record":"#
        });
        record(block, out).map_err(|fault| {
            let fault = fault.of_whole(FaultKind::BadRecord);
            Fault {
                place: path(parts),
                ..fault.behind(block.at + self.blocks_at)
            }
        })?;
        out.push(r#","cid":""#);
        out.cid(cid);
        out.push(r#"""#);
        self.rest(parts, out)
    }

    /// The fields that all operations have.
    fn rest(&self, parts: (&[u8], &[u8]), out: &mut Output<'_, 'a>) -> Result<(), Fault> {
        let (seq, time) = (self.body.seq, self.body.time);
        out.push(r#","seq":"#);
        out.integer(required(seq, out.start, "seq")?);
        out.push(r#","time":"#);
        out.text(required(time, out.start, "time")?);
        out.push(r#","did":"#);
        out.text(self.did);
        out.push(r#","commit":""#);
        out.cid(self.cid);
        out.push(r#"","rev":"#);
        out.text(self.rev);
        out.push(r#","collection":"#);
        out.text(parts.0);
        out.push(r#","rkey":"#);
        out.text(parts.1);
        out.push("}");
        out.event_ends()
    }
}

/// A record's JSON; it must be a map, and alone in its block.
fn record<'a>(block: &Block<'a>, out: &mut Output<'_, 'a>) -> Result<(), Fault> {
    let mut reader = Reader::new(block.data);
    if reader.clone().map()?.is_none() {
        return Err(Fault::new(FaultKind::BadRecord, 0, ""));
    }
    out.item(&mut reader, block.data.len())?;
    reader.finish()?;
    Ok(())
}
