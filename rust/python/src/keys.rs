//! Keys of one batch: the same key is the same `str` object.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// Places; a batch has far fewer different keys.
const CACHED_KEYS: usize = 256;
/// Longer keys are rare.
const MAX_CACHED_LENGTH: usize = 32;

pub(crate) struct Keys<'a, 'py> {
    py: Python<'py>,
    places: Vec<Option<(&'a [u8], Bound<'py, PyString>)>>,
}

impl<'a, 'py> Keys<'a, 'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        let places = std::iter::repeat_with(|| None).take(CACHED_KEYS).collect();
        Self { py, places }
    }

    /// The object of a key, which is UTF-8 as a rule.
    #[inline]
    pub(crate) fn get(&mut self, key: &'a [u8]) -> Bound<'py, PyString> {
        let (Some(first), Some(last)) = (key.first(), key.last()) else {
            return self.object(key);
        };
        if key.len() > MAX_CACHED_LENGTH {
            return self.object(key);
        }
        let middle = key[key.len() / 2];
        let place = key.len() * 7
            + usize::from(*first) * 31
            + usize::from(*last) * 17
            + usize::from(middle) * 5;
        match &self.places[place % CACHED_KEYS] {
            Some((known, object)) if *known == key => object.clone(),
            _ => {
                let object = self.object(key);
                self.places[place % CACHED_KEYS] = Some((key, object.clone()));
                object
            }
        }
    }

    fn object(&self, key: &[u8]) -> Bound<'py, PyString> {
        text(self.py, key)
    }
}

/// UTF-8 as an object, with U+FFFD for bad sequences.
#[inline]
pub(crate) fn text<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    // Python validates as well; only what it refuses is read twice.
    PyString::from_bytes(py, bytes)
        .unwrap_or_else(|_| PyString::new(py, &String::from_utf8_lossy(bytes)))
}
