//! Texts that come again and again, as keys do: the same text is the same `str` object, whose hash is known by then. They
//! stay for the next call.

use std::iter::repeat_with;
use std::sync::Mutex;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Bytes of a text that is likely to come again: a language, as a rule.
pub(crate) const SHORT: usize = 5;
/// Places; the network has some hundred different keys and types.
const PLACES: usize = 1024;

/// What calls left: one for each of those that ran at the same time.
static KEPT: Mutex<Vec<Vec<Known>>> = Mutex::new(Vec::new());

struct Known {
    text: Short,
    object: Py<PyString>,
}

pub(crate) struct Keys<'py> {
    py: Python<'py>,
    places: Vec<Known>,
    /// The last one that has no place.
    other: Option<Bound<'py, PyString>>,
}

impl<'py> Keys<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        let kept = KEPT.lock().ok().and_then(|mut kept| kept.pop());
        let nothing = || Known {
            text: Short::default(),
            object: intern!(py, "").clone().unbind(),
        };
        Self {
            py,
            places: kept.unwrap_or_else(|| repeat_with(nothing).take(PLACES).collect()),
            other: None,
        }
    }

    /// The object of a key, which is UTF-8 as a rule.
    #[inline]
    pub(crate) fn get(&mut self, key: &[u8]) -> &Bound<'py, PyString> {
        let Some(short) = Short::new(key) else {
            return self.once(key);
        };
        let known = &mut self.places[short.place()];
        if known.text != short {
            known.replace(self.py, short, key);
        }
        known.object.bind(self.py)
    }

    /// The object of a text that is not kept.
    #[cold]
    pub(crate) fn once(&mut self, text: &[u8]) -> &Bound<'py, PyString> {
        self.other.insert(self::text(self.py, text))
    }
}

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        if let Ok(mut kept) = KEPT.lock() {
            kept.push(std::mem::take(&mut self.places));
        }
    }
}

impl Known {
    #[cold]
    fn replace(&mut self, py: Python<'_>, short: Short, text: &[u8]) {
        let object = self::text(py, text).unbind();
        *self = Self {
            text: short,
            object,
        };
    }
}

/// A text of up to 32 bytes in words, which take few instructions to compare.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Short {
    length: u64,
    /// Its first and last bytes: those in the middle are in two of the words.
    words: (u64, u64, u64, u64),
}

impl Short {
    /// None if it is longer, or empty.
    #[inline]
    fn new(text: &[u8]) -> Option<Self> {
        let length = text.len();
        let words = match length {
            16..=32 => {
                let (first, _) = text.as_chunks();
                let (_, last) = text.as_rchunks();
                let last = &last[last.len() - 2..];
                [first[0], first[1], last[0], last[1]].map(u64::from_le_bytes)
            }
            8..16 => {
                let (first, last) = (text.first_chunk()?, text.last_chunk()?);
                [u64::from_le_bytes(*first), u64::from_le_bytes(*last), 0, 0]
            }
            4..8 => {
                let (first, last) = (text.first_chunk()?, text.last_chunk()?);
                let [first, last] = [first, last].map(|bytes| u32::from_le_bytes(*bytes).into());
                [first, last, 0, 0]
            }
            1..4 => {
                let bytes = [text[0], text[length / 2], text[length - 1], 0];
                [u32::from_le_bytes(bytes).into(), 0, 0, 0]
            }
            _ => return None,
        };
        Some(Self {
            length: length as u64,
            words: words.into(),
        })
    }

    /// One of [`PLACES`].
    #[inline]
    fn place(&self) -> usize {
        let mix = |mixed: u64, word: &u64| mixed.rotate_left(21) ^ word;
        let words: [u64; 4] = self.words.into();
        let mixed = words.iter().fold(self.length, mix);
        let place = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.ilog2());
        usize::try_from(place).unwrap_or_default()
    }
}

/// UTF-8 as an object, with U+FFFD for bad sequences.
#[inline]
pub(crate) fn text<'py>(py: Python<'py>, bytes: &[u8]) -> Bound<'py, PyString> {
    // Python validates as well; only what it refuses is read twice.
    PyString::from_bytes(py, bytes)
        .unwrap_or_else(|_| PyString::new(py, &String::from_utf8_lossy(bytes)))
}
