//! The CID of a link, in its binary form.

use crate::cid::{self, Cid};
use crate::print::Out;

/// Function, length and digest.
const V0_LENGTH: usize = 34;

/// A CID that is known to be one, in its shortest form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link<'a> {
    bytes: &'a [u8],
}

impl<'a> Link<'a> {
    /// Of a CID of version 1 with a digest of 32 bytes.
    pub const USUAL_LENGTH: usize = 36;

    /// A CID of version 1 with a codec below 128, and a digest of 32 bytes of a hash function below 128.
    #[inline]
    pub(crate) fn usual(bytes: &'a [u8]) -> Option<Self> {
        match bytes {
            [1, 0..0x80, 0..0x80, 32, digest @ ..] if digest.len() == 32 => Some(Self { bytes }),
            _ => None,
        }
    }

    /// Any CID whose numbers are in their shortest form; of version 0 it must be a SHA-256, as that version has it.
    pub fn strict(bytes: &'a [u8]) -> Option<Self> {
        Self::usual(bytes).or_else(|| {
            let cid = Cid::from_bytes(bytes).ok()?;
            let is_whole = cid.version() == 1 || bytes.len() == V0_LENGTH;
            (is_whole && cid.bytes() == bytes && cid.has_shortest_multihash())
                .then_some(Self { bytes })
        })
    }

    pub fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Appends the canonical text.
    pub(crate) fn push_text(self, out: &mut impl Out) {
        if self.bytes.first() == Some(&1) {
            cid::push_base32(self.bytes, out);
        } else if let Ok(cid) = Cid::from_bytes(self.bytes) {
            out.push_str(&cid.to_canonical_text());
        }
    }
}
