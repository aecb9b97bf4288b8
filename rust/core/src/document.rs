//! What the parser makes of a text.

use crate::source::Source;
use crate::value::Value;

/// A parsed text.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "four facts about the text")]
pub(crate) struct Document<'a> {
    pub(crate) value: Value<'a>,
    /// Nested deeper than [`crate::MAX_DEPTH`]: the value must not be walked.
    pub(crate) is_too_deep: bool,
    /// Some [`Value::Faulty`] was seen. It need not be in the value: a later member may have replaced it.
    pub(crate) has_faults: bool,
    /// The text is long: what is made of it takes exactly its memory.
    pub(crate) is_large: bool,
    /// Some text holds NUL or a lone surrogate.
    pub(crate) has_unclean_text: bool,
    /// Of the value, if it is an object, where it is known how it is printed.
    pub(crate) source: Option<Source<'a>>,
    /// The same of the value's member [`RECORD`].
    pub(crate) source_of_record: Option<Source<'a>>,
}

/// The member of a message whose source is remembered.
pub(crate) const RECORD: &str = "record";

impl Document<'_> {
    /// For a document that is a record itself.
    pub(crate) fn of_record(self) -> Self {
        Self {
            source_of_record: self.source,
            ..self
        }
    }
}
