//! JSON text to a [`Value`], with the results of JavaScript's `JSON.parse`.
//!
//! Nothing here recurses, so no nesting overflows the stack; work and memory grow with the length of the text only.

use std::fmt;
use std::ops::Range;

use crate::Arena;
use crate::data_model;
use crate::document::{Document, RECORD};
use crate::members;
use crate::nesting::{Kind, Nesting, Open};
use crate::scan::plain_end;
use crate::source::{Changes, Source};
use crate::text::Text;
use crate::value::{Member, Value};
use crate::{number, string};

/// Arrays and objects in each other, the outermost counted: more are refused. What walks the tree may recurse this deep.
pub const MAX_DEPTH: usize = 1000;

/// Where a text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonFault {
    /// Byte offset in the text.
    pub at: usize,
    /// What could have stood there.
    pub expected: &'static str,
}

impl JsonFault {
    pub(crate) fn new(at: usize, expected: &'static str) -> Self {
        Self { at, expected }
    }
}

impl fmt::Display for JsonFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "expected {} at byte {}", self.expected, self.at)
    }
}

impl std::error::Error for JsonFault {}

/// Buffers that live from message to message.
#[derive(Default)]
pub(crate) struct Parser<'a> {
    nesting: Nesting<'a>,
    items: Vec<Value<'a>>,
    members: Vec<Member<'a>>,
    changes: Changes<'a>,
    text: String,
}

impl<'a> Parser<'a> {
    pub(crate) fn parse(
        &mut self,
        source: &'a str,
        arena: &'a Arena,
    ) -> Result<Document<'a>, JsonFault> {
        self.nesting.clear();
        self.items.clear();
        self.members.clear();
        self.changes.clear();
        let mut run = Run {
            parser: self,
            source,
            bytes: source.as_bytes(),
            at: 0,
            key: Text::Plain(""),
            arena,
            object: 0..0,
            record: None,
            has_indexes: false,
            has_blobs: false,
            has_faults: false,
            has_unclean_text: false,
        };
        let value = run.document()?;
        Ok(Document {
            value,
            is_too_deep: run.parser.nesting.was_too_deep,
            has_faults: run.has_faults,
            has_unclean_text: run.has_unclean_text,
            source: value.as_object().and_then(|_| run.source_of_object()),
            source_of_record: run.record,
        })
    }
}

#[expect(clippy::struct_excessive_bools, reason = "four facts about the text")]
struct Run<'a, 'p> {
    parser: &'p mut Parser<'a>,
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    /// Of the value that is being read, in an object.
    key: Text<'a>,
    arena: &'a Arena,
    /// Where the object is that was closed last.
    object: Range<usize>,
    /// Of the last member of that name, if it is an object: later changes of the message around it are none of its own.
    record: Option<Source<'a>>,
    /// Some key so far may be an array index.
    has_indexes: bool,
    /// Some object so far says that it is a blob.
    has_blobs: bool,
    has_faults: bool,
    has_unclean_text: bool,
}

impl<'a> Run<'a, '_> {
    fn document(&mut self) -> Result<Value<'a>, JsonFault> {
        loop {
            // An array or object that was opened and is not empty gives no value yet.
            let Some(mut value) = self.value()? else {
                continue;
            };
            // A value may close any number of the arrays and objects that it is the last one of.
            loop {
                match self.parser.nesting.innermost() {
                    None => return self.end(value),
                    Some(Kind::Array) => {
                        self.add_item(value);
                        match self.next_byte() {
                            b',' => {
                                self.at += 1;
                                break;
                            }
                            b']' => value = self.close_array(),
                            _ => return Err(self.expected("a comma or a closing bracket")),
                        }
                    }
                    Some(Kind::Object) => {
                        self.add_member(value);
                        match self.next_byte() {
                            b',' => {
                                self.at += 1;
                                self.key("a key")?;
                                break;
                            }
                            b'}' => value = self.close_object(),
                            _ => return Err(self.expected("a comma or a closing brace")),
                        }
                    }
                }
            }
        }
    }

    /// Reads a value, or opens an array or object and goes to its first value.
    fn value(&mut self) -> Result<Option<Value<'a>>, JsonFault> {
        let value = match self.next_byte() {
            b'"' => Value::Text(self.text()?),
            b'{' => return self.open_object(),
            b'[' => return Ok(self.open_array()),
            b'-' | b'0'..=b'9' => Value::Number(self.number()?),
            b't' => self.word("true", Value::Bool(true))?,
            b'f' => self.word("false", Value::Bool(false))?,
            b'n' => self.word("null", Value::Null)?,
            _ => return Err(self.expected("a value")),
        };
        Ok(Some(value))
    }

    fn open_array(&mut self) -> Option<Value<'a>> {
        self.open(Kind::Array, self.parser.items.len());
        if self.next_byte() == b']' {
            return Some(self.close_array());
        }
        None
    }

    fn open_object(&mut self) -> Result<Option<Value<'a>>, JsonFault> {
        self.open(Kind::Object, self.parser.members.len());
        if self.next_byte() == b'}' {
            return Ok(Some(self.close_object()));
        }
        self.key("a key or a closing brace")?;
        Ok(None)
    }

    fn open(&mut self, kind: Kind, start: usize) {
        let nesting = &mut self.parser.nesting;
        nesting.open(kind, start, self.at, self.key);
        self.at += 1;
    }

    #[inline]
    fn add_item(&mut self, value: Value<'a>) {
        if self.parser.nesting.keeps() {
            self.parser.items.push(value);
        }
    }

    /// Reads a key and its colon; its value comes next.
    #[inline]
    fn key(&mut self, expected: &'static str) -> Result<(), JsonFault> {
        if self.next_byte() != b'"' {
            return Err(self.expected(expected));
        }
        self.key = self.text()?;
        if self.next_byte() != b':' {
            return Err(self.expected("a colon"));
        }
        self.at += 1;
        Ok(())
    }

    /// Adds a value under the key that was read. JavaScript's assignment to `__proto__` makes no property (records.md 7).
    #[inline]
    fn add_member(&mut self, value: Value<'a>) {
        let key = self.key;
        if !self.parser.nesting.keeps() {
            return;
        }
        if self.parser.nesting.is_outermost() && key == *RECORD {
            self.record = value.as_object().and_then(|_| self.source_of_object());
        }
        if key == *"__proto__" {
            self.parser.changes.give_up();
        } else {
            let member = Member { key, value };
            self.has_indexes |= members::starts_as_index(key);
            self.has_blobs |= data_model::makes_blob(&member);
            self.parser.members.push(member);
        }
    }

    /// Closes the innermost one, if anything was kept of it. What it is the value of is to be read again.
    fn close(&mut self) -> Option<Open<'a>> {
        self.at += 1;
        let open = self.parser.nesting.close()?;
        self.key = open.key;
        Some(open)
    }

    /// Of the object that was closed last.
    fn source_of_object(&self) -> Option<Source<'a>> {
        let changes = &self.parser.changes;
        changes.of(self.source, self.object.clone(), self.arena)
    }

    fn close_array(&mut self) -> Value<'a> {
        let Some(Open { start, .. }) = self.close() else {
            return Value::Null;
        };
        let items = self.arena.alloc_slice_copy(&self.parser.items[start..]);
        self.parser.items.truncate(start);
        Value::Array(items)
    }

    fn close_object(&mut self) -> Value<'a> {
        let Some(Open { start, at, .. }) = self.close() else {
            return Value::Null;
        };
        self.object = at..self.at;
        let is_moved = members::settle(&mut self.parser.members, start, self.has_indexes);
        let members = &mut self.parser.members[start..];
        let object = data_model::object(members, self.has_blobs, self.arena);
        self.parser.members.truncate(start);
        self.has_faults |= matches!(object.value, Value::Faulty(_));
        if is_moved || !object.is_as_printed {
            self.parser.changes.add(at..self.at, object.value);
        }
        object.value
    }

    /// Reads the string whose opening quote is here. Most have no escapes.
    #[expect(clippy::inline_always, reason = "the hottest lines there are")]
    #[inline(always)]
    fn text(&mut self) -> Result<Text<'a>, JsonFault> {
        let from = self.at + 1;
        let end = plain_end(self.bytes, from);
        if self.bytes.get(end) == Some(&b'"') {
            self.at = end + 1;
            return Ok(Text::Plain(&self.source[from..end]));
        }
        self.text_with_escapes()
    }

    #[cold]
    fn text_with_escapes(&mut self) -> Result<Text<'a>, JsonFault> {
        let start = self.at;
        let (text, end) = string::read(self.source, start + 1, self.arena, &mut self.parser.text)?;
        self.at = end;
        if let Text::Escaped(escaped) = text {
            self.has_unclean_text |= !text.is_clean();
            if !escaped.is_as_printed {
                self.parser.changes.add(start..end, Value::Text(text));
            }
        }
        Ok(text)
    }

    fn number(&mut self) -> Result<f64, JsonFault> {
        let number = number::read(self.source, self.at)?;
        if !number.is_as_printed {
            let value = Value::Number(number.value);
            self.parser.changes.add(self.at..number.end, value);
        }
        self.at = number.end;
        Ok(number.value)
    }

    fn word(&mut self, word: &'static str, value: Value<'a>) -> Result<Value<'a>, JsonFault> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end) != Some(word.as_bytes()) {
            return Err(self.expected("a value"));
        }
        self.at = end;
        Ok(value)
    }

    fn end(&mut self, value: Value<'a>) -> Result<Value<'a>, JsonFault> {
        self.next_byte();
        if self.at < self.bytes.len() {
            return Err(self.expected("the end"));
        }
        Ok(value)
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
            self.parser.changes.give_up();
            self.at += 1;
        }
        0
    }

    fn expected(&self, what: &'static str) -> JsonFault {
        JsonFault::new(self.at, what)
    }
}
