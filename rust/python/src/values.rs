//! Values of a record as Python data.

use std::borrow::Cow;

use indexer_core::{Blob, Member, Text, Value};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::keys::Keys;

/// Integers above this are not exact as doubles, so they stay floats.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
/// Bytes of a text that is likely to come again.
const SHORT: usize = 5;

/// Builds values of one batch.
pub(crate) struct Values<'a, 'py> {
    py: Python<'py>,
    keys: Keys<'a, 'py>,
}

impl<'a, 'py> Values<'a, 'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        let keys = Keys::new(py);
        Self { py, keys }
    }

    /// The declared properties of a record. `created_at` is given with its object, which is the property's own where the
    /// texts are one.
    pub(crate) fn record(
        &mut self,
        properties: &[Member<'a>],
        created_at: Option<&'a str>,
    ) -> PyResult<(Bound<'py, PyDict>, Option<Bound<'py, PyString>>)> {
        let dict = PyDict::new(self.py);
        let mut shared = None;
        for member in properties {
            let value = self.value(member)?;
            if let (Some(created_at), Value::Text(Text::Plain(text))) = (created_at, member.value)
                && std::ptr::eq(text, created_at)
            {
                shared = Some(value.clone().cast_into()?);
            }
            dict.set_item(self.key(member.key), value)?;
        }
        let created_at = shared.or_else(|| created_at.map(|text| PyString::new(self.py, text)));
        Ok((dict, created_at))
    }

    fn dict(&mut self, members: &[Member<'a>]) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(self.py);
        for member in members {
            let value = self.value(member)?;
            dict.set_item(self.key(member.key), value)?;
        }
        Ok(dict)
    }

    fn value(&mut self, member: &Member<'a>) -> PyResult<Bound<'py, PyAny>> {
        match member.value {
            Value::Text(Text::Plain(text)) if member.key == *"$type" => {
                Ok(self.keys.get(text.as_bytes()).clone().into_any())
            }
            value => self.item(value),
        }
    }

    /// Recurses as deep as the value is nested, which the decoder bounds.
    fn item(&mut self, value: Value<'a>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match value {
            // A language, as a rule.
            Value::Text(Text::Plain(text)) if text.len() <= SHORT => {
                self.keys.get(text.as_bytes()).clone().into_any()
            }
            Value::Text(text) => self.text(text).into_any(),
            Value::Object(members) => self.dict(members)?.into_any(),
            Value::Array(items) => {
                let list = PyList::empty(self.py);
                for item in items {
                    list.append(self.item(*item)?)?;
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
        dict.set_item(self.keys.get(key.as_bytes()), PyString::new(self.py, text))?;
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
                let kind = self.keys.get(b"blob").clone();
                dict.set_item(self.keys.get(b"$type"), kind)?;
                let link = self.single("$link", cid)?;
                dict.set_item(self.keys.get(b"ref"), link)?;
                let mime_type = self.mime_type(mime_type);
                dict.set_item(self.keys.get(b"mimeType"), mime_type)?;
                let size = self.number(size)?;
                dict.set_item(self.keys.get(b"size"), size)?;
            }
            Blob::Untyped { cid, mime_type, .. } => {
                let cid = PyString::new(self.py, cid);
                dict.set_item(self.keys.get(b"cid"), cid)?;
                let mime_type = self.mime_type(mime_type);
                dict.set_item(self.keys.get(b"mimeType"), mime_type)?;
            }
        }
        Ok(dict)
    }

    fn text(&self, text: Text<'_>) -> Bound<'py, PyString> {
        PyString::new(self.py, &text.cleaned())
    }

    /// One of few, as a rule.
    fn mime_type(&mut self, text: Text<'a>) -> Bound<'py, PyString> {
        match text {
            Text::Plain(text) => self.keys.get(text.as_bytes()).clone(),
            Text::Escaped(_) => self.text(text),
        }
    }

    #[inline]
    fn key(&mut self, key: Text<'a>) -> &Bound<'py, PyString> {
        match key.cleaned() {
            Cow::Borrowed(key) => self.keys.get(key.as_bytes()),
            Cow::Owned(key) => self.keys.once(&key),
        }
    }
}
