//! JSON text to a [`Tree`], with the results of JavaScript's `JSON.parse`.
//!
//! Nothing here recurses, so no nesting overflows the stack; work and memory grow with the length of the text only.

mod run;

use std::fmt;
use std::mem;

use crate::arena::{Arena, LARGE};
use crate::document::Document;
use crate::nesting::Nesting;
use crate::scan::Marks;
use crate::source::Changes;
use crate::tree::Tree;
use crate::value::Value;
use crate::word::{Tag, Word};
use run::Run;

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
pub(crate) struct Parser {
    words: Vec<Word>,
    nesting: Nesting,
    marks: Marks,
    changes: Changes,
    record_changes: Changes,
}

impl Parser {
    pub(crate) fn parse<'a>(
        &mut self,
        source: &'a str,
        arena: &'a Arena,
    ) -> Result<Document<'a>, JsonFault> {
        self.nesting.clear();
        self.marks.mark(source.as_bytes(), 0);
        self.changes.clear();
        self.record_changes.clear();
        let is_large = source.len() > LARGE;
        if is_large {
            self.words = Vec::new();
        }
        let most = words_at_most(source.as_bytes(), is_large);
        if self.words.len() < most {
            self.words.reserve_exact(most - self.words.len());
            self.words.resize(most, Word::NULL);
        }
        let mut run = Run {
            top: 0,
            kept: self.words.len(),
            words: &mut self.words,
            nesting: &mut self.nesting,
            marks: &mut self.marks,
            changes: &mut self.changes,
            record_changes: &mut self.record_changes,
            source,
            bytes: source.as_bytes(),
            at: 0,
            object: 0..0,
            record: None,
            has_faults: false,
            has_unclean_text: false,
        };
        run.document()?;
        let Run {
            kept,
            object,
            record,
            has_faults,
            has_unclean_text,
            ..
        } = run;
        let root = self.words[0];
        let words = if is_large {
            &arena.keep_words(mem::take(&mut self.words))[kept..]
        } else {
            arena.alloc_slice_copy(&self.words[kept..])
        };
        let tree = arena.alloc(Tree { source, words });
        let is_too_deep = self.nesting.was_too_deep;
        let is_object = !is_too_deep && root.tag() == Tag::Object;
        Ok(Document {
            value: if is_too_deep {
                Value::Null
            } else {
                tree.value(root)
            },
            is_too_deep,
            is_large,
            has_faults,
            has_unclean_text,
            source: is_object
                .then(|| self.changes.of(tree, object, arena))
                .flatten(),
            source_of_record: record.and_then(|part| self.record_changes.of(tree, part, arena)),
        })
    }
}

/// The most words that a text gives: one for each value and each key, of which no two take fewer than four bytes with what
/// is between them. Those of a large text are counted: each follows a bracket, brace, comma or colon, but for the first.
fn words_at_most(text: &[u8], is_large: bool) -> usize {
    let most = text.len() / 2 + 2;
    if !is_large {
        return most;
    }
    let is_before = |byte: &&u8| matches!(**byte, b',' | b':' | b'[' | b'{');
    most.min(text.iter().filter(is_before).count() + 1)
}
