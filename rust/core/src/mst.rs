//! The Merkle search tree of a repository, walked in the order of its keys and verified on the way.
//!
//! A tree of given entries has one form only: keys ascend, a key is cut by all that it shares with the one before it in
//! its node, and lies in the layer that its hash names (two leading zero bits a layer). A child is one layer lower; a node
//! without keys exists where a layer is passed, and as the root of an empty repository.

mod node;

use crate::car::BlockCid;
use crate::fault::{Fault, FaultKind};

use node::Node;

/// A block that was looked up, and where it is in the file.
pub(crate) struct Found {
    pub(crate) data: Vec<u8>,
    pub(crate) at: u64,
}

/// What comes next in a tree.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Entry {
        key: Vec<u8>,
        value: BlockCid,
    },
    /// A node that is not there, with all that is below it.
    Missing(BlockCid),
}

struct Level {
    node: Node,
    /// Children and entries that were visited: even numbers are children, odd ones the entries between them.
    visited: usize,
    /// The key of the entry visited last.
    key: Vec<u8>,
}

/// A walk through a tree.
pub(crate) struct Walk {
    root: Option<BlockCid>,
    levels: Vec<Level>,
    /// The greatest key so far.
    last: Option<Vec<u8>>,
    /// Bytes of the nodes that are held.
    held: usize,
    max_held: usize,
}

impl Walk {
    /// Holds no more than `max_held` bytes of nodes.
    pub(crate) fn new(root: BlockCid, max_held: usize) -> Self {
        Self {
            root: Some(root),
            levels: Vec::new(),
            last: None,
            held: 0,
            max_held,
        }
    }

    /// The next step; None at the end. After a fault of the tree there is no next one. `load` finds blocks.
    pub(crate) fn next<E: From<Fault>>(
        &mut self,
        mut load: impl FnMut(&BlockCid) -> Result<Option<Found>, E>,
    ) -> Result<Option<Step>, E> {
        if let Some(root) = self.root.take()
            && let Some(missing) = self.enter(root, None, &mut load)?
        {
            return Ok(Some(missing));
        }
        while let Some(level) = self.levels.last_mut() {
            let place = level.visited / 2;
            let is_entry = level.visited % 2 == 1;
            level.visited += 1;
            if is_entry {
                let Some(entry) = level.node.entries.get(place) else {
                    self.held -= level.node.bytes.len();
                    self.levels.pop();
                    continue;
                };
                level.key.truncate(entry.prefix);
                level.key.extend_from_slice(level.node.suffix(entry));
                if self.last.as_ref().is_some_and(|last| *last >= level.key) {
                    return Err(level.node.bad("keys out of order").into());
                }
                self.last = Some(level.key.clone());
                return Ok(Some(Step::Entry {
                    key: level.key.clone(),
                    value: entry.value,
                }));
            }
            let child = match place.checked_sub(1) {
                None => level.node.left,
                Some(before) => level.node.entries.get(before).and_then(|entry| entry.right),
            };
            let Some(child) = child else { continue };
            let Some(layer) = level.node.layer.checked_sub(1) else {
                return Err(level.node.bad("a node below the lowest layer").into());
            };
            if let Some(missing) = self.enter(child, Some(layer), &mut load)? {
                return Ok(Some(missing));
            }
        }
        Ok(None)
    }

    fn enter<E: From<Fault>>(
        &mut self,
        cid: BlockCid,
        layer: Option<u32>,
        load: &mut impl FnMut(&BlockCid) -> Result<Option<Found>, E>,
    ) -> Result<Option<Step>, E> {
        let Some(Found { data, at }) = load(&cid)? else {
            return Ok(Some(Step::Missing(cid)));
        };
        self.held += data.len();
        if self.held > self.max_held {
            let what = format!("nodes of more than {} bytes on one path", self.max_held);
            return Err(Fault::new(FaultKind::TooBig, at, what).into());
        }
        self.levels.push(Level {
            node: Node::read(data, at, layer)?,
            visited: 0,
            key: Vec::new(),
        });
        Ok(None)
    }
}
