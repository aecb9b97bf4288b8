//! JSON text to a [`Value`], with the results of JavaScript's `JSON.parse`.
//!
//! Nothing here recurses, so no nesting overflows the stack; work and memory grow with the length of the text only.

use std::fmt;

use crate::Arena;
use crate::data_model;
use crate::members;
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

/// A parsed text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Document<'a> {
    pub(crate) value: Value<'a>,
    /// Nested deeper than [`MAX_DEPTH`]: the value must not be walked.
    pub(crate) is_too_deep: bool,
    /// Some [`Value::Faulty`] was seen. It need not be in the value: a later member may have replaced it.
    pub(crate) has_faults: bool,
    /// Some text holds NUL or a lone surrogate.
    pub(crate) has_unclean_text: bool,
}

/// Buffers that live from message to message.
#[derive(Default)]
pub(crate) struct Parser<'a> {
    open: Vec<Open>,
    items: Vec<Value<'a>>,
    members: Vec<Member<'a>>,
    text: String,
}

/// An array or object whose end has not been seen.
#[derive(Clone, Copy)]
enum Open {
    /// Its items are those from here on in `items`.
    Array(usize),
    /// Its members are those from here on in `members`; the value of the last one is being read.
    Object(usize),
}

impl<'a> Parser<'a> {
    pub(crate) fn parse(
        &mut self,
        source: &'a str,
        arena: &'a Arena,
    ) -> Result<Document<'a>, JsonFault> {
        self.open.clear();
        self.items.clear();
        self.members.clear();
        let mut run = Run {
            parser: self,
            source,
            bytes: source.as_bytes(),
            at: 0,
            arena,
            depth: 0,
            has_faults: false,
            has_unclean_text: false,
        };
        let value = run.document()?;
        Ok(Document {
            value,
            is_too_deep: run.depth > MAX_DEPTH,
            has_faults: run.has_faults,
            has_unclean_text: run.has_unclean_text,
        })
    }
}

struct Run<'a, 'p> {
    parser: &'p mut Parser<'a>,
    source: &'a str,
    bytes: &'a [u8],
    at: usize,
    arena: &'a Arena,
    /// The deepest nesting so far.
    depth: usize,
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
                match self.parser.open.last() {
                    None => return self.end(value),
                    Some(Open::Array(start)) => {
                        let start = *start;
                        self.parser.items.push(value);
                        match self.next_byte() {
                            b',' => {
                                self.at += 1;
                                break;
                            }
                            b']' => value = self.close_array(start),
                            _ => return Err(self.expected("a comma or a closing bracket")),
                        }
                    }
                    Some(Open::Object(start)) => {
                        let start = *start;
                        self.set_member(value);
                        match self.next_byte() {
                            b',' => {
                                self.at += 1;
                                self.key("a key")?;
                                break;
                            }
                            b'}' => value = self.close_object(start),
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
            b'-' | b'0'..=b'9' => {
                let (number, end) = number::read(self.source, self.at)?;
                self.at = end;
                Value::Number(number)
            }
            b't' => self.word("true", Value::Bool(true))?,
            b'f' => self.word("false", Value::Bool(false))?,
            b'n' => self.word("null", Value::Null)?,
            _ => return Err(self.expected("a value")),
        };
        Ok(Some(value))
    }

    fn open_array(&mut self) -> Option<Value<'a>> {
        self.at += 1;
        self.push(Open::Array(self.parser.items.len()));
        if self.next_byte() != b']' {
            return None;
        }
        self.parser.open.pop();
        self.at += 1;
        Some(Value::Array(&[]))
    }

    fn open_object(&mut self) -> Result<Option<Value<'a>>, JsonFault> {
        self.at += 1;
        self.push(Open::Object(self.parser.members.len()));
        if self.next_byte() != b'}' {
            self.key("a key or a closing brace")?;
            return Ok(None);
        }
        self.parser.open.pop();
        self.at += 1;
        Ok(Some(Value::Object(&[])))
    }

    fn push(&mut self, open: Open) {
        self.parser.open.push(open);
        self.depth = self.depth.max(self.parser.open.len());
    }

    /// Reads a key and its colon; the member waits for its value.
    fn key(&mut self, expected: &'static str) -> Result<(), JsonFault> {
        if self.next_byte() != b'"' {
            return Err(self.expected(expected));
        }
        let key = self.text()?;
        if self.next_byte() != b':' {
            return Err(self.expected("a colon"));
        }
        self.at += 1;
        self.parser.members.push(Member {
            key,
            value: Value::Null,
        });
        Ok(())
    }

    /// Gives the last member its value. JavaScript's assignment to `__proto__` makes no property (records.md 7).
    fn set_member(&mut self, value: Value<'a>) {
        if let Some(member) = self.parser.members.last_mut() {
            if member.key == *"__proto__" {
                self.parser.members.pop();
            } else {
                member.value = value;
            }
        }
    }

    fn close_array(&mut self, start: usize) -> Value<'a> {
        self.parser.open.pop();
        self.at += 1;
        let items = self.arena.alloc_slice_copy(&self.parser.items[start..]);
        self.parser.items.truncate(start);
        Value::Array(items)
    }

    fn close_object(&mut self, start: usize) -> Value<'a> {
        self.parser.open.pop();
        self.at += 1;
        members::settle(&mut self.parser.members, start);
        let value = data_model::object(&mut self.parser.members[start..], self.arena);
        self.parser.members.truncate(start);
        self.has_faults |= matches!(value, Value::Faulty(_));
        value
    }

    #[inline]
    fn text(&mut self) -> Result<Text<'a>, JsonFault> {
        let (text, end) =
            string::read(self.source, self.at + 1, self.arena, &mut self.parser.text)?;
        self.at = end;
        self.has_unclean_text |= !text.is_clean();
        Ok(text)
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
    fn next_byte(&mut self) -> u8 {
        while let Some(byte) = self.bytes.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return *byte;
            }
            self.at += 1;
        }
        0
    }

    fn expected(&self, what: &'static str) -> JsonFault {
        JsonFault::new(self.at, what)
    }
}
