//! Values of a record as Python data.

use indexer_core::{Blob, Member, Object, Text, Value};
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
        for property in properties {
            let value = self.value(property.key == *"$type", property.value)?;
            if let (Some(created_at), Value::Text(text)) = (created_at, property.value)
                && text
                    .plain()
                    .is_some_and(|text| std::ptr::eq(text, created_at))
            {
                shared = Some(value.clone().cast_into()?);
            }
            dict.set_item(self.key(property.key), value)?;
        }
        let created_at = shared.or_else(|| created_at.map(|text| PyString::new(self.py, text)));
        Ok((dict, created_at))
    }

    fn dict(&mut self, object: Object<'a>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(self.py);
        for member in object.members() {
            let value = self.value(member.key == *"$type", member.value)?;
            dict.set_item(self.key(member.key), value)?;
        }
        Ok(dict)
    }

    /// The value of a member. Types come again and again.
    fn value(&mut self, is_type: bool, value: Value<'a>) -> PyResult<Bound<'py, PyAny>> {
        match value {
            Value::Text(text) if is_type => Ok(self.known(text).into_any()),
            value => self.item(value),
        }
    }

    /// Recurses as deep as the value is nested, which the decoder bounds.
    fn item(&mut self, value: Value<'a>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match value {
            // A language, as a rule.
            Value::Text(text) if text.longest() <= SHORT => self.known(text).into_any(),
            Value::Text(text) => self.text(text).into_any(),
            Value::Object(object) => self.dict(object)?.into_any(),
            Value::Array(array) => {
                let list = PyList::empty(self.py);
                for item in array.items() {
                    list.append(self.item(item)?)?;
                }
                list.into_any()
            }
            Value::Blob(blob) => self.blob(blob)?.into_any(),
            Value::Number(number) => self.number(number)?,
            Value::Bool(truth) => truth.into_pyobject(self.py)?.to_owned().into_any(),
            Value::Link(link) => self.single("$link", &link.cid())?.into_any(),
            Value::Bytes(bytes) => self.single("$bytes", &bytes.base64())?.into_any(),
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

    fn blob(&mut self, blob: Blob<'a>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(self.py);
        let mime_type = self.known(blob.mime_type());
        if blob.is_typed() {
            let kind = self.keys.get(b"blob").clone();
            dict.set_item(self.keys.get(b"$type"), kind)?;
            let link = self.single("$link", &blob.cid())?;
            dict.set_item(self.keys.get(b"ref"), link)?;
            dict.set_item(self.keys.get(b"mimeType"), mime_type)?;
            let size = self.number(blob.size())?;
            dict.set_item(self.keys.get(b"size"), size)?;
        } else {
            let cid = PyString::new(self.py, &blob.cid());
            dict.set_item(self.keys.get(b"cid"), cid)?;
            dict.set_item(self.keys.get(b"mimeType"), mime_type)?;
        }
        Ok(dict)
    }

    fn text(&self, text: Text<'_>) -> Bound<'py, PyString> {
        PyString::new(self.py, &text.cleaned())
    }

    /// One of few, as a rule.
    #[inline]
    fn known(&mut self, text: Text<'a>) -> Bound<'py, PyString> {
        match text.plain() {
            Some(text) => self.keys.get(text.as_bytes()).clone(),
            None => self.text(text),
        }
    }

    #[inline]
    fn key(&mut self, key: Text<'a>) -> &Bound<'py, PyString> {
        match key.plain() {
            Some(plain) => self.keys.get(plain.as_bytes()),
            None => self.keys.once(&key.cleaned()),
        }
    }
}
