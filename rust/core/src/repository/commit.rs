//! The signed root of a repository.

use crate::car::BlockCid;
use crate::dag_cbor::{Reader, skip};
use crate::fault::{Fault, FaultKind};

/// A commit. Its signature was not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    pub cid: BlockCid,
    pub did: String,
    /// Absent in version 2.
    pub rev: Option<String>,
    /// 2 or 3.
    pub version: u64,
    /// The root of the tree.
    pub data: BlockCid,
    pub sig: Vec<u8>,
    /// The commit without its signature: what is signed.
    pub unsigned: Vec<u8>,
}

impl Commit {
    pub(super) fn read(cid: BlockCid, bytes: &[u8]) -> Result<Self, Fault> {
        let bad = |at: usize, what: &str| Fault::new(FaultKind::BadCommit, at as u64, what);
        let reader = &mut Reader::new(bytes);
        let count = reader.map()?.ok_or_else(|| bad(0, "not a map"))?;
        // More would take a longer head.
        if count > 23 {
            return Err(bad(0, "too many fields"));
        }
        let (mut did, mut rev, mut version, mut data, mut sig) = (None, None, None, None, None);
        let mut unsigned = vec![0];
        let mut fields = 0;
        let mut key = None;
        for _ in 0..count {
            let start = reader.at();
            let next = reader.key(key)?;
            let before = reader.at();
            match next {
                b"did" => did = reader.text()?,
                b"rev" => rev = reader.text()?,
                b"version" => version = reader.unsigned()?,
                b"data" => data = reader.link()?.and_then(|link| BlockCid::read(link.bytes())),
                b"sig" => sig = reader.byte_string()?,
                _ => skip(reader)?,
            }
            if reader.at() == before {
                return Err(bad(before, &String::from_utf8_lossy(next)));
            }
            if next != b"sig" {
                unsigned.extend_from_slice(bytes.get(start..reader.at()).unwrap_or_default());
                fields += 1;
            }
            key = Some(next);
        }
        reader.finish()?;
        unsigned[0] = 0xa0 | fields;
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let version = version.filter(|version| matches!(version, 2 | 3));
        let rev = rev
            .map(|rev| text(rev).ok_or_else(|| bad(0, "rev")))
            .transpose()?;
        if version == Some(3) && rev.is_none() {
            return Err(bad(0, "rev"));
        }
        Ok(Self {
            cid,
            did: did.and_then(text).ok_or_else(|| bad(0, "did"))?,
            rev,
            version: version.ok_or_else(|| bad(0, "version"))?,
            data: data
                .filter(BlockCid::is_dag_cbor)
                .ok_or_else(|| bad(0, "data"))?,
            sig: sig.ok_or_else(|| bad(0, "sig"))?.to_vec(),
            unsigned,
        })
    }
}
