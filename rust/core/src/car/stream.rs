//! A CAR that arrives in pieces.

use super::{Block, begins_as_block, begins_as_header, block, length, roots};
use crate::dag_cbor::Link;
use crate::fault::{Fault, FaultKind};

/// Longer pieces are taken in portions, so that no large one is copied as a whole.
const PORTION: usize = 64 << 10;

/// Reads sections as they become complete. Holds one section at most, and of that only what has arrived.
#[derive(Debug)]
pub(crate) struct Stream {
    pending: Vec<u8>,
    /// Bytes in front of `pending`.
    offset: u64,
    max_section: usize,
    has_header: bool,
}

/// What arrived.
#[derive(Debug)]
pub(crate) enum Section<'a> {
    Roots(Vec<Link<'a>>),
    Block(Block<'a>),
}

impl Stream {
    pub(crate) fn new(max_section: usize) -> Self {
        Self {
            pending: Vec::new(),
            offset: 0,
            max_section,
            has_header: false,
        }
    }

    /// Bytes that have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.offset + self.pending.len() as u64
    }

    /// Takes the next piece, and gives away the sections that it completes.
    pub(crate) fn feed(
        &mut self,
        piece: &[u8],
        mut take: impl FnMut(Section<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        for portion in piece.chunks(PORTION) {
            self.pending.extend_from_slice(portion);
            let mut done = 0;
            while let Some((start, end)) = self.section(done)? {
                let at = self.offset + start as u64;
                let bytes = self.pending.get(start..end).unwrap_or_default();
                take(if self.has_header {
                    Section::Block(block(bytes, at)?)
                } else {
                    Section::Roots(roots(bytes).map_err(|fault| fault.behind(at))?)
                })?;
                self.has_header = true;
                done = end;
            }
            self.pending.drain(..done);
            self.offset += done as u64;
        }
        Ok(())
    }

    /// The place of the section that starts at `from`, if all of it has arrived.
    fn section(&self, from: usize) -> Result<Option<(usize, usize)>, Fault> {
        let rest = self.pending.get(from..).unwrap_or_default();
        let at = self.offset + from as u64;
        let Some((size, width)) = length(rest).map_err(|fault| fault.behind(at))? else {
            return Ok(None);
        };
        let size = usize::try_from(size)
            .ok()
            .filter(|size| *size <= self.max_section);
        let Some(size) = size else {
            let what = format!("a section of more than {} bytes", self.max_section);
            return Err(Fault::new(FaultKind::TooBig, at, what));
        };
        let (start, end) = (from + width, from + width + size);
        Ok((end <= self.pending.len()).then_some((start, end)))
    }

    /// Fails if the file ends here, but not with a section.
    pub(crate) fn finish(&self) -> Result<(), Fault> {
        if self.has_header && self.pending.is_empty() {
            return Ok(());
        }
        let start = length(&self.pending)?.map_or(self.pending.len(), |(_, width)| width);
        let begun = self.pending.get(start..).unwrap_or_default();
        let (may_go_on, what, otherwise) = if self.has_header {
            let may_go_on = begins_as_block(begun);
            (may_go_on, "within a section", FaultKind::BadCid)
        } else {
            let may_go_on = begins_as_header(begun);
            (may_go_on, "within the header", FaultKind::BadCar)
        };
        // Text in the place of a file, or behind it, has a first byte that is a length, too.
        Err(if may_go_on {
            Fault::new(FaultKind::Truncated, self.received(), what)
        } else {
            Fault::new(otherwise, self.offset + start as u64, "")
        })
    }
}
