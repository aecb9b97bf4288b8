//! Values of a record as Python data.

use std::borrow::Cow;

use indexer_core::{Blob, Member, Text, Value};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

/// Integers above this are not exact as doubles, so they stay floats.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
/// Places of the key cache; a batch has far fewer different keys.
const CACHED_KEYS: usize = 256;
/// Longer keys are rare.
const MAX_CACHED_LENGTH: usize = 32;

/// Builds values of one batch; the same key is the same `str` object.
pub(crate) struct Values<'a, 'py> {
    py: Python<'py>,
    keys: Vec<Option<(&'a str, Bound<'py, PyString>)>>,
}

impl<'a, 'py> Values<'a, 'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        let keys = std::iter::repeat_with(|| None).take(CACHED_KEYS).collect();
        Self { py, keys }
    }

    pub(crate) fn dict(&mut self, members: &[Member<'a>]) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(self.py);
        for member in members {
            let value = self.value(member.value)?;
            dict.set_item(self.key(member.key), value)?;
        }
        Ok(dict)
    }

    /// Recurses as deep as the value is nested, which the decoder bounds.
    fn value(&mut self, value: Value<'a>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match value {
            Value::Text(text) => self.text(text).into_any(),
            Value::Object(members) => self.dict(members)?.into_any(),
            Value::Array(items) => {
                let list = PyList::empty(self.py);
                for item in items {
                    list.append(self.value(*item)?)?;
                }
                list.into_any()
            }
            Value::Blob(blob) => self.blob(blob)?.into_any(),
            Value::Number(number) => self.number(number)?,
            Value::Bool(truth) => truth.into_pyobject(self.py)?.to_owned().into_any(),
            Value::Link(cid) => self.single("$link", cid)?.into_any(),
            Value::Bytes(base64) => self.single("$bytes", base64)?.into_any(),
            Value::Null | Value::Faulty(_) => self.py.None().into_bound(self.py),
        })
    }

    fn number(&self, number: f64) -> PyResult<Bound<'py, PyAny>> {
        Ok(if !number.is_finite() {
            // As `record.json` has it.
            self.py.None().into_bound(self.py)
        } else if number.fract() == 0.0 && number.abs() <= MAX_EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "exact within these bounds")]
            let number = number as i64;
            number.into_pyobject(self.py)?.into_any()
        } else {
            number.into_pyobject(self.py)?.into_any()
        })
    }

    fn single(&mut self, key: &'static str, text: &str) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(self.py);
        dict.set_item(self.cached(key), PyString::new(self.py, text))?;
        Ok(dict)
    }

    fn blob(&mut self, blob: &Blob<'a>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(self.py);
        match *blob {
            Blob::Typed {
                cid,
                mime_type,
                size,
            } => {
                dict.set_item(self.cached("$type"), self.cached("blob"))?;
                dict.set_item(self.cached("ref"), self.single("$link", cid)?)?;
                dict.set_item(self.cached("mimeType"), self.text(mime_type))?;
                dict.set_item(self.cached("size"), self.number(size)?)?;
            }
            Blob::Untyped { cid, mime_type, .. } => {
                dict.set_item(self.cached("cid"), PyString::new(self.py, cid))?;
                dict.set_item(self.cached("mimeType"), self.text(mime_type))?;
            }
        }
        Ok(dict)
    }

    fn text(&self, text: Text<'_>) -> Bound<'py, PyString> {
        PyString::new(self.py, &text.cleaned())
    }

    fn key(&mut self, key: Text<'a>) -> Bound<'py, PyString> {
        match key.cleaned() {
            Cow::Borrowed(key) => self.cached(key),
            Cow::Owned(key) => PyString::new(self.py, &key),
        }
    }

    fn cached(&mut self, key: &'a str) -> Bound<'py, PyString> {
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
        let slot = &mut self.keys[place % CACHED_KEYS];
        match slot {
            Some((known, object)) if *known == key => object.clone(),
            _ => slot.insert((key, PyString::new(self.py, key))).1.clone(),
        }
    }
}
