//! A parsed text as words: every value and every key is one, and those in an array or object lie next to each other.
//!
//! Texts and numbers stay in the source and are read from there whenever they are asked for, so that nothing that a text
//! can hold takes more than four times its length.

use crate::number;
use crate::text::Text;
use crate::value::{Array, Blob, Bytes, Link, Object, Value};
use crate::word::{Tag, Word};

/// What is in arrays and objects. Places count from the end, since the parser writes the innermost first and there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree<'a> {
    pub(crate) source: &'a str,
    pub(crate) words: &'a [Word],
}

impl<'a> Tree<'a> {
    /// What a word means. Most are texts.
    #[expect(
        clippy::inline_always,
        reason = "what it is made into is matched at once"
    )]
    #[inline(always)]
    pub(crate) fn value(&'a self, word: Word) -> Value<'a> {
        if word.tag() == Tag::Text {
            Value::Text(self.text(word))
        } else {
            self.other_value(word)
        }
    }

    fn other_value(&'a self, word: Word) -> Value<'a> {
        match word.tag() {
            Tag::Null => Value::Null,
            Tag::False => Value::Bool(false),
            Tag::True => Value::Bool(true),
            Tag::Integer => Value::Number(number::integer_as_double(word.as_integer())),
            Tag::Number => Value::Number(number::parse(&self.source[word.place()])),
            Tag::Text => Value::Text(self.text(word)),
            Tag::Link | Tag::LinkArray => Value::Link(Link::new(self, word)),
            Tag::Bytes => Value::Bytes(Bytes::new(self.text(word))),
            Tag::Faulty => Value::Faulty(word.fault()),
            Tag::Array => Value::Array(Array::new(self, word)),
            Tag::Object => Value::Object(Object::new(self, word)),
            Tag::TypedBlob | Tag::UntypedBlob => Value::Blob(Blob::new(Object::new(self, word))),
        }
    }

    /// The text of a key, or of a value that is a span of the source.
    #[inline]
    pub(crate) fn text(&'a self, word: Word) -> Text<'a> {
        Text::new(self, word)
    }

    /// Whether a key, or a value that is a text, is this text.
    #[inline]
    pub(crate) fn is(&self, word: Word, text: &str) -> bool {
        Text::new(self, word) == *text
    }

    /// Whether it has no escapes and is this text.
    #[inline]
    pub(crate) fn is_plain(&self, word: Word, text: &str) -> bool {
        word.is_plain(text.len()) && {
            let rest = self.source.as_bytes().get(word.start()..);
            rest.is_some_and(|rest| rest.starts_with(text.as_bytes()))
        }
    }

    /// The words of the items of an array.
    #[inline]
    pub(crate) fn items(&self, array: Word) -> &'a [Word] {
        &self.words[self.words.len() - array.start()..][..array.len()]
    }

    /// The words of the keys and values of an object.
    #[inline]
    pub(crate) fn members(&self, object: Word) -> &'a [[Word; 2]] {
        let words = &self.words[self.words.len() - object.start()..][..2 * object.len()];
        words.as_chunks().0
    }
}
