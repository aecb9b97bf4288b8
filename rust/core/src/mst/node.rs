//! One node, checked for itself.

use std::ops::Range;

use crate::car::{BlockCid, sha256};
use crate::dag_cbor::Reader;
use crate::fault::{Fault, FaultKind};

/// The longest key of the reference.
const MAX_KEY: usize = 1024;

#[derive(Debug)]
pub(super) struct Node {
    pub(super) bytes: Vec<u8>,
    /// Bytes of the file in front of it.
    at: u64,
    pub(super) layer: u32,
    pub(super) left: Option<BlockCid>,
    pub(super) entries: Vec<Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    /// Bytes that the key shares with the one before it.
    pub(super) prefix: usize,
    /// The rest of the key, in the bytes of the node.
    suffix: Range<usize>,
    pub(super) value: BlockCid,
    /// The keys between this one and the next.
    pub(super) right: Option<BlockCid>,
}

impl Node {
    /// Reads and checks a node of a layer; the root, whose layer is None, may lie in any.
    pub(super) fn read(bytes: Vec<u8>, at: u64, layer: Option<u32>) -> Result<Self, Fault> {
        let mut node = Self {
            bytes: Vec::new(),
            at,
            layer: 0,
            left: None,
            entries: Vec::new(),
        };
        let parsed = node.parse(&bytes).map_err(|fault| match fault.kind {
            FaultKind::BadTree => fault,
            _ => fault.of_whole(FaultKind::BadTree).behind(at),
        });
        node.bytes = bytes;
        parsed?;
        node.check(layer)?;
        Ok(node)
    }

    pub(super) fn suffix(&self, entry: &Entry) -> &[u8] {
        self.bytes.get(entry.suffix.clone()).unwrap_or_default()
    }

    pub(super) fn bad(&self, what: &str) -> Fault {
        Fault::new(FaultKind::BadTree, self.at, what)
    }

    /// `{e: [{k, p, t, v}, …], l}`.
    fn parse(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let reader = &mut Reader::new(bytes);
        let no_node = || self.bad("not a node");
        if reader.map()? != Some(2) || reader.key(None)? != b"e" {
            return Err(no_node());
        }
        let count = reader.array()?.ok_or_else(no_node)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            entries.push(entry(reader)?.ok_or_else(|| self.bad("not an entry"))?);
        }
        if reader.key(Some(b"e"))? != b"l" {
            return Err(no_node());
        }
        let left = pointer(reader)?.ok_or_else(no_node)?;
        reader.finish()?;
        (self.entries, self.left) = (entries, left);
        Ok(())
    }

    fn check(&mut self, layer: Option<u32>) -> Result<(), Fault> {
        if self.entries.is_empty() {
            // The root of an empty repository, or a layer that is passed.
            if self.left.is_some() != layer.is_some() {
                return Err(self.bad("a node without keys"));
            }
            self.layer = layer.unwrap_or_default();
            return Ok(());
        }
        let mut layer = layer;
        let mut key: Vec<u8> = Vec::new();
        for entry in &self.entries {
            let suffix = self.suffix(entry);
            let rest = key
                .get(entry.prefix..)
                .ok_or_else(|| self.bad("a prefix that is too long"))?;
            if !suffix.is_empty() && suffix.first() == rest.first() {
                return Err(self.bad("a prefix that is too short"));
            }
            if suffix <= rest {
                return Err(self.bad("keys out of order"));
            }
            if entry.prefix + suffix.len() > MAX_KEY {
                return Err(self.bad("a key that is too long"));
            }
            let suffix = entry.suffix.clone();
            key.truncate(entry.prefix);
            key.extend_from_slice(self.bytes.get(suffix).unwrap_or_default());
            let own = layer_of(&key);
            if *layer.get_or_insert(own) != own {
                return Err(self.bad("a key in a layer that is not its own"));
            }
        }
        self.layer = layer.unwrap_or_default();
        Ok(())
    }
}

/// An entry, unless it is none.
fn entry(reader: &mut Reader<'_>) -> Result<Option<Entry>, Fault> {
    let start = reader.at();
    if reader.map()? != Some(4) || reader.key(None)? != b"k" {
        return Ok(None);
    }
    let Some(suffix) = reader.byte_string()? else {
        return Ok(None);
    };
    let suffix = reader.at() - suffix.len()..reader.at();
    if reader.key(Some(b"k"))? != b"p" {
        return Ok(None);
    }
    let Some(prefix) = reader.unsigned()? else {
        return Ok(None);
    };
    if reader.key(Some(b"p"))? != b"t" {
        return Ok(None);
    }
    let Some(right) = pointer(reader)? else {
        return Ok(None);
    };
    if reader.key(Some(b"t"))? != b"v" {
        return Ok(None);
    }
    let value = reader.link()?.and_then(|link| BlockCid::read(link.bytes()));
    debug_assert!(reader.at() > start);
    Ok(value.map(|value| Entry {
        // One that does not fit is longer than any key.
        prefix: usize::try_from(prefix).unwrap_or(usize::MAX),
        suffix,
        value,
        right,
    }))
}

/// A link to a node or null; None for anything else.
#[expect(
    clippy::option_option,
    reason = "a pointer may be absent, or be none at all"
)]
fn pointer(reader: &mut Reader<'_>) -> Result<Option<Option<BlockCid>>, Fault> {
    if reader.null()? {
        return Ok(Some(None));
    }
    let link = reader.link()?;
    let cid = link.and_then(|link| BlockCid::read(link.bytes()));
    Ok(cid.filter(BlockCid::is_dag_cbor).map(Some))
}

/// Half the leading zero bits of the key's hash.
fn layer_of(key: &[u8]) -> u32 {
    let mut zeros = 0;
    for byte in sha256(key) {
        zeros += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    zeros / 2
}

#[cfg(test)]
mod tests {
    use super::layer_of;

    /// atproto-interop-tests, `mst/key_heights.json`.
    #[test]
    fn layers_of_keys() {
        for (key, layer) in [
            ("", 0),
            ("blue", 1),
            ("88bfafc7", 2),
            ("884976f5", 6),
            ("app.bsky.feed.post/9adeb165882c", 8),
        ] {
            assert_eq!(layer_of(key.as_bytes()), layer, "{key}");
        }
    }
}
