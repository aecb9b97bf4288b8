//! The arrays and objects around the place where a parser is.

use crate::json::MAX_DEPTH;
use crate::text::Text;

#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Array,
    Object,
}

/// An array or object whose end has not been seen.
#[derive(Clone, Copy)]
pub(crate) struct Open<'a> {
    kind: Kind,
    /// Place of its first item or member among those that wait.
    pub(crate) start: usize,
    /// Where its bracket or brace is.
    pub(crate) at: usize,
    /// The key that it is the value of, if the one around it is an object.
    pub(crate) key: Text<'a>,
}

/// All that are open, the outermost first.
#[derive(Default)]
pub(crate) struct Nesting<'a> {
    open: Vec<Open<'a>>,
    /// Those further in than one beyond [`MAX_DEPTH`]. Such a text is refused, so nothing is kept of what is in them.
    deep: Vec<Kind>,
    /// Whether there were more than [`MAX_DEPTH`].
    pub(crate) was_too_deep: bool,
}

impl<'a> Nesting<'a> {
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.deep.clear();
        self.was_too_deep = false;
    }

    pub(crate) fn open(&mut self, kind: Kind, start: usize, at: usize, key: Text<'a>) {
        if self.open.len() > MAX_DEPTH {
            self.deep.push(kind);
            return;
        }
        self.open.push(Open {
            kind,
            start,
            at,
            key,
        });
        self.was_too_deep |= self.open.len() > MAX_DEPTH;
    }

    /// Closes the innermost one; None if nothing was kept of it.
    pub(crate) fn close(&mut self) -> Option<Open<'a>> {
        match self.deep.pop() {
            Some(_) => None,
            None => self.open.pop(),
        }
    }

    #[inline]
    pub(crate) fn innermost(&self) -> Option<Kind> {
        let deep = self.deep.last().copied();
        deep.or_else(|| self.open.last().map(|open| open.kind))
    }

    /// Whether values are kept here.
    #[inline]
    pub(crate) fn keeps(&self) -> bool {
        self.deep.is_empty()
    }

    /// Whether the message itself is the innermost one.
    #[inline]
    pub(crate) fn is_outermost(&self) -> bool {
        self.open.len() == 1
    }
}
