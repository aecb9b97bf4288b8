//! One way through an item, for every purpose: without recursion, so that no input overflows the stack.

use super::Link;
use super::reader::{Bad, Integer, Major, Plain, Reader};
use crate::fault::FaultKind;

/// How deep containers may be nested unless told otherwise: as JSON messages (records.md 3.1).
pub const MAX_DEPTH: usize = 1000;

/// Is told what an item consists of, in order. An error ends the walk.
pub trait Visitor<'a> {
    type Error: From<Bad>;

    fn null(&mut self) -> Result<(), Self::Error>;
    fn boolean(&mut self, truth: bool) -> Result<(), Self::Error>;
    fn integer(&mut self, integer: Integer) -> Result<(), Self::Error>;
    fn float(&mut self, float: f64) -> Result<(), Self::Error>;
    /// UTF-8, as a rule.
    fn text(&mut self, text: &'a [u8]) -> Result<(), Self::Error>;
    fn bytes(&mut self, bytes: &'a [u8]) -> Result<(), Self::Error>;
    fn link(&mut self, link: Link<'a>) -> Result<(), Self::Error>;
    fn array_starts(&mut self, count: u64) -> Result<(), Self::Error>;
    fn array_ends(&mut self) -> Result<(), Self::Error>;
    fn map_starts(&mut self, count: u64) -> Result<(), Self::Error>;
    /// UTF-8, as a rule.
    fn key(&mut self, key: &'a [u8]) -> Result<(), Self::Error>;
    fn map_ends(&mut self) -> Result<(), Self::Error>;

    /// Called between items of one container.
    #[inline]
    fn next(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }

    /// May read the entries of a map itself, if it can; else the reader must be where it was. Called before `map_starts`.
    #[inline]
    fn whole_map(&mut self, _count: u64, _reader: &mut Reader<'a>) -> bool {
        false
    }
}

struct Level<'a> {
    left: u64,
    /// The key that was read last; None in arrays.
    key: Option<&'a [u8]>,
}

/// Walks through items; keeps its memory for the next one.
#[derive(Default)]
pub struct Walker<'a> {
    levels: Vec<Level<'a>>,
}

impl<'a> Walker<'a> {
    /// Walks through the next item. Containers may be nested `max_depth` levels deep.
    pub fn walk<V: Visitor<'a>>(
        &mut self,
        reader: &mut Reader<'a>,
        visitor: &mut V,
        max_depth: usize,
    ) -> Result<(), V::Error> {
        self.levels.clear();
        loop {
            if !self.item(reader, visitor, max_depth)? {
                continue;
            }
            loop {
                let Some(level) = self.levels.last_mut() else {
                    return Ok(());
                };
                level.left -= 1;
                if level.left > 0 {
                    visitor.next()?;
                    if level.key.is_some() {
                        level.next_key(reader, visitor)?;
                    }
                    break;
                }
                let is_map = level.key.is_some();
                self.levels.pop();
                if is_map {
                    visitor.map_ends()?;
                } else {
                    visitor.array_ends()?;
                }
            }
        }
    }

    /// Reads an item, or the start of a container with items; whether it is complete.
    #[inline]
    fn item<V: Visitor<'a>>(
        &mut self,
        reader: &mut Reader<'a>,
        visitor: &mut V,
        max_depth: usize,
    ) -> Result<bool, V::Error> {
        let start = reader.at();
        let (major, number) = reader.head()?;
        match major {
            Major::Text => {
                let bytes = reader.take(number)?;
                visitor.text(bytes)?;
            }
            Major::Map => {
                let count = reader.count(number, 2)?;
                let mut level = self.level(count, start, max_depth)?;
                if visitor.whole_map(count, reader) {
                    return Ok(true);
                }
                visitor.map_starts(count)?;
                if count > 0 {
                    level.next_key(reader, visitor)?;
                    self.levels.push(level);
                    return Ok(false);
                }
                visitor.map_ends()?;
            }
            Major::Array => {
                let count = reader.count(number, 1)?;
                let level = self.level(count, start, max_depth)?;
                visitor.array_starts(count)?;
                if count > 0 {
                    self.levels.push(level);
                    return Ok(false);
                }
                visitor.array_ends()?;
            }
            Major::Unsigned | Major::Negative => visitor.integer(Integer {
                is_negative: major == Major::Negative,
                magnitude: number,
            })?,
            Major::Bytes => {
                let bytes = reader.take(number)?;
                visitor.bytes(bytes)?;
            }
            Major::Tag => {
                let link = reader.tagged(number, start)?;
                visitor.link(link)?;
            }
            Major::Simple => match reader.plain(number)? {
                Plain::Null => visitor.null()?,
                Plain::Bool(truth) => visitor.boolean(truth)?,
                Plain::Float(float) => visitor.float(float)?,
            },
        }
        Ok(true)
    }

    fn level(&self, left: u64, start: usize, max_depth: usize) -> Result<Level<'a>, Bad> {
        if self.levels.len() >= max_depth {
            let kind = FaultKind::TooDeep;
            return Err(Bad { kind, at: start });
        }
        Ok(Level { left, key: None })
    }
}

impl<'a> Level<'a> {
    /// Keys are compared as bytes. With bad UTF-8 two of them may read the same: then the last one counts, as in the reference.
    #[inline]
    fn next_key<V: Visitor<'a>>(
        &mut self,
        reader: &mut Reader<'a>,
        visitor: &mut V,
    ) -> Result<(), V::Error> {
        let key = reader.key(self.key)?;
        self.key = Some(key);
        visitor.key(key)
    }
}

/// Validates the next item, and looks at nothing in it.
struct Blind;

impl<'a> Visitor<'a> for Blind {
    type Error = Bad;

    fn null(&mut self) -> Result<(), Bad> {
        Ok(())
    }
    fn boolean(&mut self, _: bool) -> Result<(), Bad> {
        Ok(())
    }
    fn integer(&mut self, _: Integer) -> Result<(), Bad> {
        Ok(())
    }
    fn float(&mut self, _: f64) -> Result<(), Bad> {
        Ok(())
    }
    fn text(&mut self, _: &'a [u8]) -> Result<(), Bad> {
        Ok(())
    }
    fn bytes(&mut self, _: &'a [u8]) -> Result<(), Bad> {
        Ok(())
    }
    fn link(&mut self, _: Link<'a>) -> Result<(), Bad> {
        Ok(())
    }
    fn array_starts(&mut self, _: u64) -> Result<(), Bad> {
        Ok(())
    }
    fn array_ends(&mut self) -> Result<(), Bad> {
        Ok(())
    }
    fn map_starts(&mut self, _: u64) -> Result<(), Bad> {
        Ok(())
    }
    fn key(&mut self, _: &'a [u8]) -> Result<(), Bad> {
        Ok(())
    }
    fn map_ends(&mut self) -> Result<(), Bad> {
        Ok(())
    }
}

/// Reads past the next item, which must be right.
pub(crate) fn skip(reader: &mut Reader<'_>) -> Result<(), Bad> {
    Walker::default().walk(reader, &mut Blind, MAX_DEPTH)
}

/// Whether the bytes are one item.
pub fn validate(bytes: &[u8], max_depth: usize) -> Result<(), Bad> {
    let mut reader = Reader::new(bytes);
    Walker::default().walk(&mut reader, &mut Blind, max_depth)?;
    reader.finish()
}
