//! The arrays and objects around the place where a parser is.

use std::mem;

use crate::json::MAX_DEPTH;
use crate::members::Facts;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What is around the outermost value.
    #[default]
    Message,
    Array,
    Object,
}

/// An array or object whose end has not been seen.
#[derive(Clone, Copy, Default)]
pub(crate) struct Open {
    pub(crate) kind: Kind,
    /// Place of its first item or key among the words that wait.
    pub(crate) start: usize,
    /// Where its bracket or brace is.
    pub(crate) at: usize,
    pub(crate) facts: Facts,
}

/// All that are open.
#[derive(Default)]
pub(crate) struct Nesting {
    pub(crate) inner: Open,
    /// Those around it, the message first.
    outer: Vec<Open>,
    /// The kinds of those around it, from one beyond [`MAX_DEPTH`] on. Such a text is refused, so no more is kept of them.
    deep: Vec<Kind>,
    /// Whether there were more than [`MAX_DEPTH`].
    pub(crate) was_too_deep: bool,
}

impl Nesting {
    pub(crate) fn clear(&mut self) {
        self.inner = Open::default();
        self.outer.clear();
        self.deep.clear();
        self.was_too_deep = false;
    }

    #[inline]
    pub(crate) fn open(&mut self, kind: Kind, start: usize, at: usize) {
        if self.outer.len() == MAX_DEPTH {
            self.was_too_deep = true;
            self.deep.push(mem::replace(&mut self.inner.kind, kind));
            return;
        }
        self.outer.push(self.inner);
        self.inner = Open {
            kind,
            start,
            at,
            facts: Facts::default(),
        };
    }

    /// Closes the innermost one; None if the text is refused anyway.
    #[inline]
    pub(crate) fn close(&mut self) -> Option<Open> {
        if self.was_too_deep {
            self.close_deep();
            return None;
        }
        let outer = self.outer.pop()?;
        Some(mem::replace(&mut self.inner, outer))
    }

    #[cold]
    fn close_deep(&mut self) {
        if let Some(kind) = self.deep.pop() {
            self.inner.kind = kind;
        } else if let Some(outer) = self.outer.pop() {
            self.inner = outer;
        }
    }

    /// Whether the message itself is the innermost one.
    #[inline]
    pub(crate) fn is_outermost(&self) -> bool {
        self.outer.len() == 1
    }
}
