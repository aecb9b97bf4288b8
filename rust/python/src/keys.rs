//! Texts that come again and again in a batch, as keys do: the same text is the same `str` object.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// Places; a batch has far fewer different keys.
const PLACES: usize = 256;
/// Longer keys are rare.
const MAX_LENGTH: usize = 32;

pub(crate) struct Keys<'a, 'py> {
    py: Python<'py>,
    places: Vec<Option<(&'a [u8], Bound<'py, PyString>)>>,
    /// The last one that has no place.
    other: Option<Bound<'py, PyString>>,
}

impl<'a, 'py> Keys<'a, 'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        let places = Vec::new();
        let other = None;
        Self { py, places, other }
    }

    /// The object of a key, which is UTF-8 as a rule.
    #[inline]
    pub(crate) fn get(&mut self, key: &'a [u8]) -> &Bound<'py, PyString> {
        let Some(place) = place(key) else {
            return self.other.insert(text(self.py, key));
        };
        if self.places.is_empty() {
            self.places.resize_with(PLACES, || None);
        }
        let known = &mut self.places[place];
        if known.as_ref().is_none_or(|(known, _)| *known != key) {
            *known = None;
        }
        &known.get_or_insert_with(|| (key, text(self.py, key))).1
    }

    /// The object of a text that does not live as long as the batch.
    pub(crate) fn once(&mut self, text: &str) -> &Bound<'py, PyString> {
        self.other.insert(PyString::new(self.py, text))
    }
}

/// The place of a key that may have one.
#[inline]
fn place(key: &[u8]) -> Option<usize> {
    let (first, last) = (*key.first()?, *key.last()?);
    let middle = key[key.len() / 2];
    let sum =
        key.len() * 7 + usize::from(first) * 31 + usize::from(last) * 17 + usize::from(middle) * 5;
    (key.len() <= MAX_LENGTH).then_some(sum % PLACES)
}

/// UTF-8 as an object, with U+FFFD for bad sequences.
#[inline]
pub(crate) fn text<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    // Python validates as well; only what it refuses is read twice.
    PyString::from_bytes(py, bytes)
        .unwrap_or_else(|_| PyString::new(py, &String::from_utf8_lossy(bytes)))
}
