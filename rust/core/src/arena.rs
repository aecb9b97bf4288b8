//! Where decoded messages lie: small things next to each other, large ones each by itself.

use std::cell::OnceCell;

use bumpalo::Bump;

use crate::word::Word;

/// What is larger has memory of its own: a bump allocator would take twice as much again for what may come next.
pub(crate) const LARGE: usize = 32 << 10;

/// Memory of decoded messages.
#[derive(Default)]
pub struct Arena {
    small: Bump,
    texts: Chain<String>,
    words: Chain<Vec<Word>>,
}

impl Arena {
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets everything. Memory for small things stays for the next messages.
    pub fn reset(&mut self) {
        self.small.reset();
        self.texts = Chain::default();
        self.words = Chain::default();
    }

    /// A copy of a text.
    pub fn alloc_str(&self, text: &str) -> &str {
        if text.len() > LARGE {
            self.texts.keep(text.to_owned())
        } else {
            self.small.alloc_str(text)
        }
    }

    /// A copy of a slice.
    pub fn alloc_slice_copy<T: Copy>(&self, slice: &[T]) -> &[T] {
        self.small.alloc_slice_copy(slice)
    }

    pub(crate) fn alloc_slice_fill_iter<T: Copy>(
        &self,
        items: impl ExactSizeIterator<Item = T>,
    ) -> &[T] {
        self.small.alloc_slice_fill_iter(items)
    }

    pub(crate) fn alloc<T: Copy>(&self, value: T) -> &T {
        self.small.alloc(value)
    }

    /// A text that is not copied if it is large.
    pub(crate) fn keep_text(&self, text: String) -> &str {
        if text.len() > LARGE {
            self.texts.keep(text)
        } else {
            self.small.alloc_str(&text)
        }
    }

    /// Words of a large message, which are not copied.
    pub(crate) fn keep_words(&self, words: Vec<Word>) -> &[Word] {
        self.words.keep(words)
    }
}

/// Things that stay where they are until all of them go. They are few: each is large.
struct Chain<T> {
    first: Link<T>,
}

type Link<T> = OnceCell<Box<Node<T>>>;

struct Node<T> {
    item: T,
    next: Link<T>,
}

impl<T> Chain<T> {
    fn keep(&self, item: T) -> &T {
        let mut end = &self.first;
        while let Some(node) = end.get() {
            end = &node.next;
        }
        let next = OnceCell::new();
        &end.get_or_init(|| Box::new(Node { item, next })).item
    }
}

impl<T> Default for Chain<T> {
    fn default() -> Self {
        let first = OnceCell::new();
        Self { first }
    }
}

impl<T> Drop for Chain<T> {
    /// One after the other, not in each other.
    fn drop(&mut self) {
        let mut next = self.first.take();
        while let Some(mut node) = next {
            next = node.next.take();
        }
    }
}
