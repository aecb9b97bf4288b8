//! Keys of one batch: the same key is the same `str` object.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// Places; a batch has far fewer different keys.
const CACHED_KEYS: usize = 256;
/// Longer keys are rare.
const MAX_CACHED_LENGTH: usize = 32;

pub(crate) struct Keys<'a, 'py> {
    py: Python<'py>,
    places: Vec<Option<(&'a str, Bound<'py, PyString>)>>,
}

impl<'a, 'py> Keys<'a, 'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        let places = std::iter::repeat_with(|| None).take(CACHED_KEYS).collect();
        Self { py, places }
    }

    pub(crate) fn get(&mut self, key: &'a str) -> Bound<'py, PyString> {
        let bytes = key.as_bytes();
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
            return PyString::new(self.py, key);
        };
        if bytes.len() > MAX_CACHED_LENGTH {
            return PyString::new(self.py, key);
        }
        let middle = bytes[bytes.len() / 2];
        let place = bytes.len() * 7
            + usize::from(*first) * 31
            + usize::from(*last) * 17
            + usize::from(middle) * 5;
        let slot = &mut self.places[place % CACHED_KEYS];
        match slot {
            Some((known, object)) if *known == key => object.clone(),
            _ => slot.insert((key, PyString::new(self.py, key))).1.clone(),
        }
    }
}
