//! CAR files of version 1: a header with roots, then blocks, each behind its length and its CID.

mod stream;

use sha2::{Digest, Sha256};

use crate::dag_cbor::{Link, Reader};
use crate::fault::{Fault, FaultKind};

pub(crate) use stream::{Section, Stream};

/// Multicodec numbers of what blocks hold.
pub(crate) const DAG_CBOR: u8 = 0x71;
const RAW: u8 = 0x55;
const SHA2_256: u8 = 0x12;
/// Bytes of a CID of version 1 with a SHA-256.
const CID_LENGTH: usize = 36;
/// A length of more bits is beyond every limit.
const MAX_LENGTH_BYTES: usize = 9;

/// The CID of a block: version 1, DAG-CBOR or raw, SHA-256, as the reference has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlockCid {
    codec: u8,
    digest: [u8; 32],
}

impl BlockCid {
    /// None for any other CID.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [1, codec @ (DAG_CBOR | RAW), SHA2_256, 32, digest @ ..] => Some(Self {
                codec: *codec,
                digest: digest.try_into().ok()?,
            }),
            _ => None,
        }
    }

    /// Of a block of DAG-CBOR.
    pub fn of_dag_cbor(block: &[u8]) -> Self {
        Self {
            codec: DAG_CBOR,
            digest: sha256(block),
        }
    }

    /// Of a raw block.
    pub fn of_raw(block: &[u8]) -> Self {
        Self {
            codec: RAW,
            digest: sha256(block),
        }
    }

    pub fn bytes(&self) -> [u8; CID_LENGTH] {
        let mut bytes = [0; CID_LENGTH];
        bytes[..4].copy_from_slice(&[1, self.codec, SHA2_256, 32]);
        bytes[4..].copy_from_slice(&self.digest);
        bytes
    }

    pub fn is_dag_cbor(&self) -> bool {
        self.codec == DAG_CBOR
    }

    /// Different for different blocks, but for one pair in 2^64.
    pub(crate) fn fingerprint(&self) -> u64 {
        let first = self.digest.first_chunk::<8>().copied();
        u64::from_be_bytes(first.unwrap_or_default()) ^ u64::from(self.codec)
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        crate::cid::push_base32(&self.bytes(), &mut text);
        text
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A block whose hash was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block<'a> {
    pub cid: BlockCid,
    pub data: &'a [u8],
    /// Bytes of the file in front of `data`.
    pub at: u64,
}

/// Reads the header, without its length: the roots.
pub(crate) fn roots(header: &[u8]) -> Result<Vec<Link<'_>>, Fault> {
    let bad = |at: usize, what: &str| Fault::new(FaultKind::BadCar, at as u64, what);
    let read = || -> Result<Vec<Link<'_>>, Fault> {
        let mut reader = Reader::new(header);
        if reader.map()? != Some(2) || reader.key(None)? != b"roots" {
            return Err(bad(0, "the header is not a map of roots and version"));
        }
        let count = reader.array()?;
        let count = count.ok_or_else(|| bad(reader.at(), "roots is not an array"))?;
        let mut roots = Vec::new();
        for _ in 0..count {
            let root = reader.link()?;
            roots.push(root.ok_or_else(|| bad(reader.at(), "a root is not a link"))?);
        }
        let at = reader.at();
        if reader.key(Some(b"roots"))? != b"version" || reader.unsigned()? != Some(1) {
            return Err(bad(at, "the version is not 1"));
        }
        reader.finish()?;
        Ok(roots)
    };
    read().map_err(|fault| fault.of_whole(FaultKind::BadCar))
}

/// Whether a header may begin like this.
fn begins_as_header(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .zip(b"\xa2\x65roots")
        .all(|(byte, wanted)| byte == wanted)
}

/// Whether a section with a block may begin like this.
fn begins_as_block(bytes: &[u8]) -> bool {
    let codec = bytes.get(1).copied().unwrap_or(RAW);
    let cid = [1, codec, SHA2_256, 32];
    matches!(codec, DAG_CBOR | RAW) && bytes.iter().zip(cid).all(|(byte, wanted)| *byte == wanted)
}

/// A length in front of `bytes`, and how many bytes it takes; None if there are not enough of them.
pub(crate) fn length(bytes: &[u8]) -> Result<Option<(u64, usize)>, Fault> {
    let mut value = 0u64;
    for (place, byte) in bytes.iter().enumerate().take(MAX_LENGTH_BYTES) {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            if *byte == 0 && place > 0 {
                let what = "a length is not in its shortest form";
                return Err(Fault::new(FaultKind::BadCar, place as u64, what));
            }
            return Ok(Some((value, place + 1)));
        }
    }
    if bytes.len() >= MAX_LENGTH_BYTES {
        let what = "a length of more than 63 bits";
        return Err(Fault::new(FaultKind::BadCar, 0, what));
    }
    Ok(None)
}

/// Reads a section that starts at `at`, without its length, and hashes its block.
pub(crate) fn block(section: &[u8], at: u64) -> Result<Block<'_>, Fault> {
    let (cid, data) = section
        .split_at_checked(CID_LENGTH)
        .unwrap_or((section, &[]));
    let Some(cid) = BlockCid::read(cid) else {
        return Err(Fault::new(FaultKind::BadCid, at, ""));
    };
    if sha256(data) != cid.digest {
        return Err(Fault::new(FaultKind::BadHash, at, cid.text()));
    }
    let at = at + CID_LENGTH as u64;
    Ok(Block { cid, data, at })
}

/// All blocks of a CAR in memory, in its order, every hash verified. The roots are only looked at.
pub(crate) fn blocks<'a>(car: &'a [u8], found: &mut Vec<Block<'a>>) -> Result<(), Fault> {
    found.clear();
    let mut at = 0;
    let mut is_header = true;
    while is_header || at < car.len() {
        let rest = car.get(at..).unwrap_or_default();
        let here = |fault: Fault| fault.behind(at as u64);
        let truncated = || Fault::new(FaultKind::Truncated, car.len() as u64, "within a CAR");
        let (size, start) = length(rest).map_err(here)?.ok_or_else(truncated)?;
        let end = usize::try_from(size)
            .ok()
            .and_then(|size| start.checked_add(size));
        let section = end
            .and_then(|end| rest.get(start..end))
            .ok_or_else(truncated)?;
        let place = (at + start) as u64;
        if is_header {
            roots(section).map_err(|fault| fault.behind(place))?;
            is_header = false;
        } else {
            found.push(block(section, place)?);
        }
        at += start + section.len();
    }
    Ok(())
}

#[cfg(test)]
mod tests;
