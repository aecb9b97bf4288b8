//! Values of a record as Python data.

use indexer_core::{Blob, Member, Object, Text, Value};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString};

use crate::keys::{Keys, SHORT};

/// Integers above this are not exact as doubles, so they stay floats.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Builds values.
pub(crate) struct Values<'py> {
    py: Python<'py>,
    keys: Keys<'py>,
}

impl<'py> Values<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        let keys = Keys::new(py);
        Self { py, keys }
    }

    /// The declared properties of a record. `created_at` is given with its object, which is the property's own where the
    /// texts are one.
    pub(crate) fn record(
        &mut self,
        properties: &[Member<'_>],
        created_at: Option<&str>,
    ) -> PyResult<(Bound<'py, PyDict>, Option<Bound<'py, PyString>>)> {
        let dict = PyDict::new(self.py);
        let mut shared = None;
        for property in properties {
            let value = self.member(property)?;
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

    fn dict(&mut self, object: Object<'_>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(self.py);
        for member in object.members() {
            let value = self.member(&member)?;
            dict.set_item(self.key(member.key), value)?;
        }
        Ok(dict)
    }

    /// The value of a member. Types come again and again.
    #[inline]
    fn member(&mut self, member: &Member<'_>) -> PyResult<Bound<'py, PyAny>> {
        match member.value {
            Value::Text(text) => {
                let is_known = text.longest() <= SHORT || member.key == *"$type";
                Ok(self.text(text, is_known).into_any())
            }
            value => self.item(value),
        }
    }

    /// Recurses as deep as the value is nested, which the decoder bounds.
    fn item(&mut self, value: Value<'_>) -> PyResult<Bound<'py, PyAny>> {
        Ok(match value {
            Value::Text(text) => self.text(text, text.longest() <= SHORT).into_any(),
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
            Value::Link(link) => self
                .single(intern!(self.py, "$link"), &link.cid())?
                .into_any(),
            Value::Bytes(bytes) => self
                .single(intern!(self.py, "$bytes"), &bytes.base64())?
                .into_any(),
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

    fn single(&self, key: &Bound<'py, PyString>, text: &str) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(self.py);
        dict.set_item(key, PyString::new(self.py, text))?;
        Ok(dict)
    }

    fn blob(&mut self, blob: Blob<'_>) -> PyResult<Bound<'py, PyDict>> {
        let py = self.py;
        let dict = PyDict::new(py);
        let mime_type = self.text(blob.mime_type(), true);
        if blob.is_typed() {
            dict.set_item(intern!(py, "$type"), intern!(py, "blob"))?;
            let link = self.single(intern!(py, "$link"), &blob.cid())?;
            dict.set_item(intern!(py, "ref"), link)?;
            dict.set_item(intern!(py, "mimeType"), mime_type)?;
            dict.set_item(intern!(py, "size"), self.number(blob.size())?)?;
        } else {
            dict.set_item(intern!(py, "cid"), PyString::new(py, &blob.cid()))?;
            dict.set_item(intern!(py, "mimeType"), mime_type)?;
        }
        Ok(dict)
    }

    /// `is_known`: one of few, as a rule.
    #[inline]
    fn text(&mut self, text: Text<'_>, is_known: bool) -> Bound<'py, PyString> {
        match text.plain() {
            Some(text) if is_known => self.keys.get(text.as_bytes()).clone(),
            Some(text) => PyString::new(self.py, text),
            None => PyString::new(self.py, &text.cleaned()),
        }
    }

    #[inline]
    fn key(&mut self, key: Text<'_>) -> &Bound<'py, PyString> {
        match key.plain() {
            Some(plain) => self.keys.get(plain.as_bytes()),
            None => self.keys.once(key.cleaned().as_bytes()),
        }
    }
}
