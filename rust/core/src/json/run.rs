//! From one byte to the next.

use std::ops::Range;

use super::JsonFault;
use crate::data_model::{self, Meaning, Recognized};
use crate::document::RECORD;
use crate::members;
use crate::nesting::{Kind, Nesting, Open};
use crate::scan::plain_end;
use crate::source::Changes;
use crate::tree::Tree;
use crate::word::{Tag, Word, flag};
use crate::{number, string};

/// The reading of one text.
pub(super) struct Run<'a, 'p> {
    /// At the front those whose array or object is open, at the back those that stay.
    pub(super) words: &'p mut [Word],
    /// Behind the last one that waits.
    pub(super) top: usize,
    /// The first one that stays. Each word is in one of both places, so they do not meet.
    pub(super) kept: usize,
    pub(super) nesting: &'p mut Nesting,
    pub(super) changes: &'p mut Changes,
    pub(super) record_changes: &'p mut Changes,
    pub(super) source: &'a str,
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    /// Where the object is that was closed last.
    pub(super) object: Range<usize>,
    /// Where the last member of that name is, if it is an object.
    pub(super) record: Option<Range<usize>>,
    pub(super) has_faults: bool,
    pub(super) has_unclean_text: bool,
}

impl Run<'_, '_> {
    pub(super) fn document(&mut self) -> Result<(), JsonFault> {
        loop {
            // An array or object that was opened and is not empty is no value yet.
            if !self.value()? {
                continue;
            }
            // A value may close any number of the arrays and objects that it is the last one of.
            loop {
                match self.nesting.inner.kind {
                    Kind::Message => return self.end(),
                    Kind::Array => match self.next_byte() {
                        b',' => {
                            self.at += 1;
                            break;
                        }
                        b']' => self.close_array(),
                        _ => return Err(self.expected("a comma or a closing bracket")),
                    },
                    Kind::Object => {
                        self.end_member();
                        match self.next_byte() {
                            b',' => {
                                self.at += 1;
                                self.key("a key")?;
                                break;
                            }
                            b'}' => self.close_object(),
                            _ => return Err(self.expected("a comma or a closing brace")),
                        }
                    }
                }
            }
        }
    }

    /// Reads a value, or opens an array or object and goes to its first value: then it is not whole.
    #[inline]
    fn value(&mut self) -> Result<bool, JsonFault> {
        match self.next_byte() {
            b'"' => drop(self.text()?),
            b'{' => return self.open_object(),
            b'[' => return Ok(self.open_array()),
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word("true", Tag::True)?,
            b'f' => self.word("false", Tag::False)?,
            b'n' => self.word("null", Tag::Null)?,
            _ => return Err(self.expected("a value")),
        }
        Ok(true)
    }

    fn open_array(&mut self) -> bool {
        self.open(Kind::Array);
        if self.next_byte() != b']' {
            return false;
        }
        self.close_array();
        true
    }

    fn open_object(&mut self) -> Result<bool, JsonFault> {
        self.open(Kind::Object);
        if self.next_byte() != b'}' {
            self.key("a key or a closing brace")?;
            return Ok(false);
        }
        self.close_object();
        Ok(true)
    }

    #[inline]
    fn open(&mut self, kind: Kind) {
        self.nesting.open(kind, self.top, self.at);
        self.at += 1;
    }

    #[inline]
    fn push(&mut self, word: Word) {
        self.words[self.top] = word;
        self.top += 1;
    }

    /// Reads a key and its colon; its value comes next.
    #[expect(clippy::inline_always, reason = "the hottest lines there are")]
    #[inline(always)]
    fn key(&mut self, expected: &'static str) -> Result<(), JsonFault> {
        if self.next_byte() != b'"' {
            return Err(self.expected(expected));
        }
        let word = self.text()?;
        let facts = &mut self.nesting.inner.facts;
        if word.has(flag::ESCAPED) {
            facts.add_escaped();
        } else {
            facts.add(&self.bytes[word.place()]);
        }
        if self.next_byte() != b':' {
            return Err(self.expected("a colon"));
        }
        self.at += 1;
        Ok(())
    }

    /// Takes a member that is whole.
    #[inline]
    fn end_member(&mut self) {
        if self.nesting.was_too_deep {
            return;
        }
        let key = self.words[self.top - 2];
        // Few keys mean something to the parser, and these have few lengths.
        if matches!(key.len(), 5 | 6 | 9) || key.has(flag::ESCAPED) {
            self.end_special_member(key, self.words[self.top - 1]);
        }
    }

    /// JavaScript's assignment to `__proto__` makes no property (records.md 7).
    #[inline]
    fn end_special_member(&mut self, key: Word, value: Word) {
        let tree = Tree {
            source: self.source,
            words: &[],
        };
        if tree.is(key, "__proto__") {
            self.top -= 2;
            self.changes.give_up();
        } else if self.nesting.is_outermost() && tree.is(key, RECORD) {
            self.record = (value.tag() == Tag::Object).then(|| self.object.clone());
            if self.record.is_some() {
                self.record_changes.take(self.changes, &self.object);
            }
        } else if data_model::makes_blob(&tree, key, value) {
            self.nesting.inner.facts.may_be_blob = true;
        }
    }

    fn close_array(&mut self) {
        self.at += 1;
        if let Some(closed) = self.nesting.close() {
            self.keep(closed.start, Tag::Array, self.top - closed.start, 0);
        }
    }

    /// Moves the words from `start` on to those that stay; their array or object waits in their place.
    #[inline]
    fn keep(&mut self, start: usize, tag: Tag, count: usize, flags: u64) {
        self.kept -= self.top - start;
        self.words.copy_within(start..self.top, self.kept);
        self.top = start;
        let before_end = self.words.len() - self.kept;
        self.push(Word::container(tag, before_end, count, flags));
    }

    fn close_object(&mut self) {
        self.at += 1;
        let Some(Open {
            start, at, facts, ..
        }) = self.nesting.close()
        else {
            return;
        };
        self.object = at..self.at;
        let (waiting, kept) = self.words.split_at_mut(self.top);
        let tree = Tree {
            source: self.source,
            words: kept,
        };
        let mut members = waiting[start..].as_chunks_mut().0;
        let mut is_changed = false;
        if (facts.may_repeat || facts.may_be_indexes)
            && let Some(count) = members::settle(members, &tree)
        {
            members = &mut members[..count];
            is_changed = true;
        }
        let count = members.len();
        let found = if matches!(count, 1 | 2) || facts.may_be_blob {
            data_model::recognized(members, facts.may_be_blob, &tree)
        } else {
            Recognized::PLAIN
        };
        self.top = start + 2 * count;
        match found.meaning {
            Meaning::Object(tag) => {
                let flags = if facts.has_escapes { flag::ESCAPED } else { 0 };
                self.keep(start, tag, count, flags);
            }
            Meaning::Value(word) => {
                self.has_faults |= word.tag() == Tag::Faulty;
                self.top = start;
                self.push(word);
            }
        }
        if is_changed || !found.is_as_printed {
            self.changes.add(at..self.at, self.words[start]);
        }
    }

    /// Reads the string whose opening quote is here. Most have no escapes.
    #[expect(clippy::inline_always, reason = "the hottest lines there are")]
    #[inline(always)]
    fn text(&mut self) -> Result<Word, JsonFault> {
        let start = self.at + 1;
        let end = plain_end(self.bytes, start);
        let word = if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            Word::span(Tag::Text, start, end, 0)
        } else {
            self.text_with_escapes(end)?
        };
        self.push(word);
        Ok(word)
    }

    #[cold]
    fn text_with_escapes(&mut self, escape: usize) -> Result<Word, JsonFault> {
        let start = self.at;
        let found = string::check(self.source, escape)?;
        self.at = found.end + 1;
        let word = Word::span(Tag::Text, start + 1, found.end, flag::ESCAPED);
        self.has_unclean_text |= !found.is_clean;
        if !found.is_as_printed {
            self.changes.add(start..self.at, word);
        }
        Ok(word)
    }

    fn number(&mut self) -> Result<(), JsonFault> {
        let number = number::read(self.source, self.at)?;
        let word = match number.integer {
            Some(integer) => Word::integer(integer),
            None => Word::span(Tag::Number, self.at, number.end, 0),
        };
        if !number.is_as_printed {
            self.changes.add(self.at..number.end, word);
        }
        self.push(word);
        self.at = number.end;
        Ok(())
    }

    fn word(&mut self, word: &'static str, tag: Tag) -> Result<(), JsonFault> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.push(Word::plain(tag));
        self.at = end;
        Ok(())
    }

    fn end(&mut self) -> Result<(), JsonFault> {
        self.next_byte();
        if self.at < self.bytes.len() {
            return Err(self.expected("the end"));
        }
        Ok(())
    }

    /// The next byte that is not white space; NUL, which no JSON text has outside of strings, at the end.
    #[inline]
    fn next_byte(&mut self) -> u8 {
        match self.bytes.get(self.at) {
            Some(byte) if *byte > b' ' => *byte,
            _ => self.byte_behind_space(),
        }
    }

    #[cold]
    fn byte_behind_space(&mut self) -> u8 {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return *byte;
            }
            self.changes.give_up();
            self.at += 1;
        }
        0
    }

    fn expected(&self, what: &'static str) -> JsonFault {
        JsonFault::new(self.at, what)
    }
}
