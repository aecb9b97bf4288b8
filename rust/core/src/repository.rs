//! A repository's CAR, however large and in whatever order its blocks are.
//!
//! The file is read to its end first: each block is hashed and put into a spool, with 16 bytes a block in memory to find it
//! again. Then its commit and its tree are walked, and records given away in the order of their keys.

mod commit;
mod spool;

use std::fmt;
use std::io::{self, Read, Seek, Write};

use crate::car::{BlockCid, Section, Stream};
use crate::dag_cbor::{MAX_DEPTH, Reader, Walker, longest_json, to_json};
use crate::fault::{Fault, FaultKind};
use crate::mst::{Step, Walk};

pub use commit::Commit;
use spool::Spool;

/// What a file may cost.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of the file.
    pub bytes: u64,
    /// Blocks in the file.
    pub blocks: usize,
    /// Bytes of a section, the header included.
    pub section: usize,
    /// Nesting of records.
    pub depth: usize,
    /// Bytes of the nodes on the way from the root of the tree to a record.
    pub path: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 2 << 30,
            blocks: 3_000_000,
            section: 4 << 20,
            depth: MAX_DEPTH,
            path: 16 << 20,
        }
    }
}

/// Why there is no result: the file's fault, or the spool's.
#[derive(Debug)]
pub enum Error {
    Fault(Fault),
    Io(io::Error),
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(formatter),
            Self::Io(error) => error.fmt(formatter),
        }
    }
}

/// Takes a file in pieces.
pub struct Receiver<S: Write> {
    stream: Stream,
    spool: Spool<S>,
    limits: Limits,
    root: Option<BlockCid>,
}

impl<S: Read + Write + Seek> Receiver<S> {
    /// The spool must be empty.
    pub fn new(spool: S, limits: Limits) -> Self {
        Self {
            stream: Stream::new(limits.section),
            spool: Spool::new(spool),
            limits,
            root: None,
        }
    }

    /// Bytes that have arrived.
    pub fn received(&self) -> u64 {
        self.stream.received()
    }

    /// Takes the next piece. After an error nothing more is of use.
    pub fn feed(&mut self, piece: &[u8]) -> Result<(), Error> {
        let (limits, spool, root) = (self.limits, &mut self.spool, &mut self.root);
        let received = self.stream.received() + piece.len() as u64;
        if received > limits.bytes {
            let what = format!("a file of more than {} bytes", limits.bytes);
            return Err(Fault::new(FaultKind::TooBig, limits.bytes, what).into());
        }
        let mut failed = Ok(());
        self.stream
            .feed(piece, |section| match section {
                Section::Roots(roots) => {
                    *root = Some(only_root(&roots)?);
                    Ok(())
                }
                Section::Block(block) => {
                    if spool.count() >= limits.blocks {
                        let what = format!("more than {}", limits.blocks);
                        return Err(Fault::new(FaultKind::TooManyBlocks, block.at, what));
                    }
                    failed = spool.put(&block);
                    // The error itself comes right below.
                    failed
                        .as_ref()
                        .map_err(|_| Fault::new(FaultKind::Crashed, 0, ""))
                        .copied()
                }
            })
            .map_err(|fault| match std::mem::replace(&mut failed, Ok(())) {
                Ok(()) => Error::Fault(fault),
                Err(error) => Error::Io(error),
            })
    }

    /// The repository, whose file ends here: its commit, and the way to its records.
    pub fn finish(self) -> Result<(Commit, Records<S>), Error> {
        let (root, mut spool, limits) = self.ended()?;
        let Some(block) = spool.get(&root)? else {
            return Err(Fault::new(FaultKind::MissingBlock, 0, root.text()).into());
        };
        let commit = Commit::read(root, &block.data)
            .map_err(|fault| fault.of_whole(FaultKind::BadCommit).behind(block.at))?;
        let records = Records::new(spool, commit.data, limits);
        Ok((commit, records))
    }

    /// The tree under the root, which is a commit or a node.
    pub fn finish_tree(self) -> Result<Records<S>, Error> {
        let (root, mut spool, limits) = self.ended()?;
        let commit = match spool.get(&root)? {
            Some(block) => Commit::read(root, &block.data).ok(),
            None => None,
        };
        let root = commit.map_or(root, |commit| commit.data);
        Ok(Records::new(spool, root, limits))
    }

    fn ended(self) -> Result<(BlockCid, Spool<S>, Limits), Error> {
        self.stream.finish()?;
        let Some(root) = self.root else {
            return Err(Fault::new(FaultKind::BadCar, 0, "no root").into());
        };
        Ok((root, self.spool.sorted()?, self.limits))
    }
}

fn only_root(roots: &[crate::dag_cbor::Link<'_>]) -> Result<BlockCid, Fault> {
    let [root] = roots else {
        let what = format!("{} roots instead of one", roots.len());
        return Err(Fault::new(FaultKind::BadCar, 0, what));
    };
    BlockCid::read(root.bytes())
        .filter(BlockCid::is_dag_cbor)
        .ok_or_else(|| Fault::new(FaultKind::BadCid, 0, "the root"))
}

/// The records of a repository, in the order of their keys.
pub struct Records<S: Write> {
    spool: Spool<S>,
    walk: Walk,
    limits: Limits,
    has_failed: bool,
}

/// An entry of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub key: Vec<u8>,
    pub cid: BlockCid,
}

impl<S: Read + Write + Seek> Records<S> {
    fn new(spool: Spool<S>, root: BlockCid, limits: Limits) -> Self {
        Self {
            spool,
            walk: Walk::new(root, limits.path),
            limits,
            has_failed: false,
        }
    }

    /// The next entry of the tree. Faults of [`FaultKind::MissingBlock`] concern a part of the tree; others end it.
    pub fn next_entry(&mut self) -> Result<Option<Entry>, Error> {
        if self.has_failed {
            return Ok(None);
        }
        let spool = &mut self.spool;
        match self.walk.next(|cid| spool.get(cid)) {
            Ok(Some(Step::Entry { key, value })) => Ok(Some(Entry { key, cid: value })),
            Ok(Some(Step::Missing(cid))) => {
                Err(Fault::new(FaultKind::MissingBlock, 0, cid.text()).into())
            }
            Ok(None) => Ok(None),
            Err(error) => {
                self.has_failed = true;
                Err(error)
            }
        }
    }

    /// Appends the JSON text of an entry's record: UTF-8.
    pub fn record(&mut self, entry: &Entry, out: &mut Vec<u8>) -> Result<(), Error> {
        let place = || String::from_utf8_lossy(&entry.key).into_owned();
        let Some(block) = self.spool.get(&entry.cid)? else {
            return Err(Fault::new(FaultKind::MissingBlock, 0, place()).into());
        };
        let length = out.len();
        record(&block.data, self.limits.depth, out).map_err(|fault| {
            out.truncate(length);
            let fault = fault.of_whole(FaultKind::BadRecord).behind(block.at);
            Error::Fault(Fault {
                place: place(),
                ..fault
            })
        })
    }
}

/// The JSON of a block that is a map and nothing else.
fn record(data: &[u8], max_depth: usize, out: &mut Vec<u8>) -> Result<(), Fault> {
    let walker = &mut Walker::default();
    let mut reader = Reader::new(data);
    if reader.clone().map()?.is_none() {
        return Err(Fault::new(FaultKind::BadRecord, 0, ""));
    }
    to_json(
        &mut reader,
        walker,
        max_depth,
        longest_json(data.len()),
        out,
    )?;
    reader.finish()?;
    Ok(())
}
