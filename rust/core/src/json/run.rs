//! From one byte to the next.

use std::ops::Range;

use super::JsonFault;
use crate::data_model::{self, Meaning, is_blob};
use crate::document::RECORD;
use crate::members;
use crate::nesting::{Kind, Nesting, Open};
use crate::scan::Marks;
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
    pub(super) marks: &'p mut Marks,
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

impl<'a> Run<'a, '_> {
    pub(super) fn document(&mut self) -> Result<(), JsonFault> {
        loop {
            if self.nesting.inner.kind == Kind::Object {
                self.key()?;
            }
            // An array or object that was opened and is not empty is no value yet.
            if !self.value()? {
                continue;
            }
            // A value may close any number of the arrays and objects that it is the last one of.
            loop {
                match self.nesting.inner.kind {
                    Kind::Message => return self.end(),
                    Kind::Array => match self.next_byte() {
                        b',' => break,
                        b']' => self.close_array(),
                        _ => return Err(self.expected("a comma or a closing bracket")),
                    },
                    Kind::Object => {
                        self.end_member();
                        match self.next_byte() {
                            b',' => break,
                            b'}' => self.close_object(),
                            _ => return Err(self.expected("a comma or a closing brace")),
                        }
                    }
                }
            }
            self.at += 1;
        }
    }

    /// Reads a value, or opens an array or object and goes to its first value: then it is not whole.
    #[inline]
    fn value(&mut self) -> Result<bool, JsonFault> {
        match self.next_byte() {
            b'"' => drop(self.text()?),
            b'{' => return Ok(self.open(Kind::Object)),
            b'[' => return Ok(self.open(Kind::Array)),
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word("true", Tag::True)?,
            b'f' => self.word("false", Tag::False)?,
            b'n' => self.word("null", Tag::Null)?,
            _ => return Err(self.expected("a value")),
        }
        Ok(true)
    }

    /// Whether it is whole already, since it is empty.
    #[inline]
    fn open(&mut self, kind: Kind) -> bool {
        self.nesting.open(kind, self.top, self.at);
        self.at += 1;
        let is_empty = match self.next_byte() {
            b'}' => kind == Kind::Object,
            b']' => kind == Kind::Array,
            _ => return false,
        };
        if is_empty {
            self.close_empty(kind);
        }
        is_empty
    }

    #[cold]
    fn close_empty(&mut self, kind: Kind) {
        if kind == Kind::Object {
            self.close_object();
        } else {
            self.close_array();
        }
    }

    /// A tree of which nothing but texts is asked for.
    #[inline]
    fn texts(&self) -> Tree<'a> {
        Tree {
            source: self.source,
            words: &[],
        }
    }

    #[inline]
    fn push(&mut self, word: Word) {
        self.words[self.top] = word;
        self.top += 1;
    }

    /// Reads a key and its colon; its value comes next.
    #[inline]
    fn key(&mut self) -> Result<(), JsonFault> {
        if self.next_byte() != b'"' {
            return Err(self.expected_key());
        }
        let value_at = self.top + 1;
        match self.text()? {
            Some(key) => self.nesting.inner.facts.add(key, value_at),
            None => self.escaped_key(value_at),
        }
        if self.next_byte() != b':' {
            return Err(self.expected("a colon"));
        }
        self.at += 1;
        Ok(())
    }

    #[cold]
    fn escaped_key(&mut self, value_at: usize) {
        let tree = self.texts();
        let key = tree.text(self.words[value_at - 1]);
        self.nesting.inner.facts.add_escaped(key, value_at);
    }

    #[cold]
    fn expected_key(&self) -> JsonFault {
        let before = self.bytes[..self.at].trim_ascii_end();
        let is_first = before.last() == Some(&b'{');
        self.expected(if is_first {
            "a key or a closing brace"
        } else {
            "a key"
        })
    }

    /// Remembers where the message's record is.
    #[inline]
    fn end_member(&mut self) {
        // What was too deep is no whole member.
        if !self.nesting.is_outermost() || self.nesting.was_too_deep {
            return;
        }
        if self.texts().is(self.words[self.top - 2], RECORD) {
            let is_object = self.words[self.top - 1].tag() == Tag::Object;
            self.record = is_object.then(|| self.object.clone());
            if is_object {
                self.record_changes.take(self.changes, &self.object);
            }
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

    #[expect(clippy::inline_always, reason = "called for nearly all from one place")]
    #[inline(always)]
    fn close_object(&mut self) {
        self.at += 1;
        let Some(closed) = self.nesting.close() else {
            return;
        };
        self.object = closed.at..self.at;
        let facts = closed.facts;
        let may_be_blob = facts.type_at > 0 && is_blob(&self.texts(), self.words[facts.type_at]);
        if facts.may_be_unsettled || facts.may_be_other || may_be_blob {
            self.keep_unusual(&closed, may_be_blob);
        } else {
            let count = (self.top - closed.start) / 2;
            self.keep(closed.start, Tag::Object, count, 0);
        }
    }

    /// Keeps an object in JavaScript's form, or what it stands for.
    #[inline(never)]
    fn keep_unusual(&mut self, closed: &Open, may_be_blob: bool) {
        let Open {
            start, at, facts, ..
        } = *closed;
        let (waiting, kept) = self.words.split_at_mut(self.top);
        let tree = Tree {
            source: self.source,
            words: kept,
        };
        let mut members = waiting[start..].as_chunks_mut().0;
        let mut is_changed = false;
        if facts.may_be_unsettled
            && let Some(count) = members::settle(members, &tree)
        {
            members = &mut members[..count];
            is_changed = true;
        }
        let count = members.len();
        let found = data_model::recognized(members, may_be_blob, &tree);
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

    /// Reads the string whose opening quote is here. Most have no escapes; then it gives the text.
    #[expect(clippy::inline_always, reason = "the hottest lines there are")]
    #[inline(always)]
    fn text(&mut self) -> Result<Option<&'a [u8]>, JsonFault> {
        let bytes = self.bytes;
        let start = self.at + 1;
        let end = self.marks.plain_end(bytes, start);
        if bytes.get(end) != Some(&b'"') {
            let word = self.text_with_escapes(end)?;
            self.push(word);
            return Ok(None);
        }
        self.push(Word::span(Tag::Text, start, end, 0));
        self.at = end + 1;
        Ok(bytes.get(start..end))
    }

    #[cold]
    fn text_with_escapes(&mut self, escape: usize) -> Result<Word, JsonFault> {
        let start = self.at;
        let plain_end = |from| self.marks.plain_end(self.bytes, from);
        let found = string::check(self.source, escape, plain_end)?;
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
