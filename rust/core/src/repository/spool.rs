//! Blocks on a disk or in memory, to be found again by their CID.

use std::io::{BufWriter, Read, Seek, SeekFrom, Write};

use super::Error;
use crate::car::{Block, BlockCid};
use crate::mst::Found;

/// In front of each block: its CID, its place in the file, its length.
const HEAD: usize = 36 + 8 + 4;
/// Read at once: nearly every block, with its head.
const USUAL: usize = 1024;

#[derive(Debug)]
pub(super) struct Spool<S: Write> {
    file: BufWriter<S>,
    /// Fingerprint and place of each block.
    index: Vec<(u64, u64)>,
    end: u64,
}

impl<S: Read + Write + Seek> Spool<S> {
    pub(super) fn new(file: S) -> Self {
        Self {
            file: BufWriter::with_capacity(32 << 10, file),
            index: Vec::new(),
            end: 0,
        }
    }

    pub(super) fn count(&self) -> usize {
        self.index.len()
    }

    pub(super) fn put(&mut self, block: &Block<'_>) -> std::io::Result<()> {
        let length = u32::try_from(block.data.len()).map_err(std::io::Error::other)?;
        self.index.push((block.cid.fingerprint(), self.end));
        for part in [
            &block.cid.bytes()[..],
            &block.at.to_le_bytes(),
            &length.to_le_bytes(),
            block.data,
        ] {
            self.file.write_all(part)?;
            self.end += part.len() as u64;
        }
        Ok(())
    }

    /// All blocks are there: what follows is `get`.
    pub(super) fn sorted(mut self) -> Result<Self, Error> {
        self.file.flush()?;
        self.index.sort_unstable();
        Ok(self)
    }

    pub(super) fn get(&mut self, cid: &BlockCid) -> Result<Option<Found>, Error> {
        let fingerprint = cid.fingerprint();
        let first = self.index.partition_point(|entry| entry.0 < fingerprint);
        let alike = self.index.get(first..).unwrap_or_default();
        let alike = alike.iter().take_while(|entry| entry.0 == fingerprint);
        let places: Vec<u64> = alike.map(|entry| entry.1).take(2).collect();
        for place in places {
            if let Some(found) = self.read(place, cid)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// The block at that place, if it is the one.
    fn read(&mut self, place: u64, cid: &BlockCid) -> Result<Option<Found>, Error> {
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(place))?;
        let mut data = Vec::with_capacity(USUAL);
        file.take(USUAL as u64).read_to_end(&mut data)?;
        let Some((head, _)) = data.split_first_chunk::<HEAD>() else {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        };
        if head[..36] != cid.bytes() {
            return Ok(None);
        }
        let number = |from: usize, to: usize| {
            let digits = head[from..to].iter().rev();
            digits.fold(0u64, |value, digit| value << 8 | u64::from(*digit))
        };
        let at = number(36, 44);
        let length = usize::try_from(number(44, HEAD)).unwrap_or(usize::MAX);
        data.drain(..HEAD);
        match length.checked_sub(data.len()) {
            None => data.truncate(length),
            Some(0) => (),
            Some(rest) => {
                let start = data.len();
                data.resize(start + rest, 0);
                file.read_exact(&mut data[start..])?;
            }
        }
        Ok(Some(Found { data, at }))
    }
}
