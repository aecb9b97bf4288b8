//! CIDs, TIDs and AT-URIs as values.

use indexer_core::at_uri;
use indexer_core::car::BlockCid;
use indexer_core::cid;
use indexer_core::tid::{parse_tid, tid_text};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::batch::number;

#[pyclass(frozen, eq, ord, hash, module = "indexer._native")]
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Cid {
    bytes: Box<[u8]>,
}

impl Cid {
    /// Of bytes that are known to be a CID.
    pub(crate) fn known(bytes: &[u8]) -> Self {
        let bytes = bytes.into();
        Self { bytes }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn parsed(&self) -> PyResult<cid::Cid> {
        cid::Cid::from_bytes(&self.bytes).map_err(|error| PyValueError::new_err(error.to_string()))
    }
}

#[pymethods]
impl Cid {
    #[new]
    #[pyo3(signature = (text, /))]
    fn new(text: &str) -> PyResult<Self> {
        match cid::Cid::parse(text) {
            Ok(cid) => Ok(Self::known(cid.bytes())),
            Err(error) => Err(PyValueError::new_err(format!("{error}: {text:.100}"))),
        }
    }

    #[staticmethod]
    #[pyo3(signature = (data, /))]
    fn from_bytes(data: &[u8]) -> PyResult<Self> {
        match indexer_core::dag_cbor::Link::strict(data) {
            Some(link) => Ok(Self::known(link.bytes())),
            None => Err(PyValueError::new_err(
                "not a CID in its shortest binary form",
            )),
        }
    }

    #[staticmethod]
    #[pyo3(signature = (block, /))]
    fn of_dag_cbor(block: &[u8]) -> Self {
        Self::known(&BlockCid::of_dag_cbor(block).bytes())
    }

    #[staticmethod]
    #[pyo3(signature = (block, /))]
    fn of_raw(block: &[u8]) -> Self {
        Self::known(&BlockCid::of_raw(block).bytes())
    }

    #[getter]
    fn version(&self) -> PyResult<u8> {
        Ok(self.parsed()?.version())
    }

    #[getter]
    fn codec(&self) -> PyResult<u64> {
        Ok(self.parsed()?.codec())
    }

    #[getter]
    fn hash_code(&self) -> PyResult<u64> {
        Ok(self.parsed()?.hash_code())
    }

    #[getter]
    fn digest<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.parsed()?.digest()))
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    fn __str__(&self) -> PyResult<String> {
        Ok(self.parsed()?.to_canonical_text())
    }

    fn __repr__(&self) -> PyResult<String> {
        Ok(format!("Cid('{}')", self.__str__()?))
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyAny>, (String,))> {
        Ok((slf.get_type().into_any(), (slf.get().__str__()?,)))
    }
}

#[pyclass(frozen, eq, ord, hash, module = "indexer._native")]
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Tid {
    value: u64,
}

#[pymethods]
impl Tid {
    #[new]
    #[pyo3(signature = (text, /))]
    fn new(text: &str) -> PyResult<Self> {
        match parse_tid(text) {
            Some(value) => Ok(Self { value }),
            None => Err(PyValueError::new_err(format!("not a TID: {text:.100}"))),
        }
    }

    #[staticmethod]
    #[pyo3(signature = (microseconds, clock_id = 0))]
    fn from_microseconds(
        #[pyo3(from_py_with = number)] microseconds: u64,
        #[pyo3(from_py_with = number)] clock_id: u16,
    ) -> PyResult<Self> {
        if microseconds >> 53 != 0 || clock_id >> 10 != 0 {
            let message = "microseconds must have at most 53 bits, the clock id 10";
            return Err(PyValueError::new_err(message));
        }
        let value = microseconds << 10 | u64::from(clock_id);
        Ok(Self { value })
    }

    #[getter]
    fn microseconds(&self) -> u64 {
        self.value >> 10
    }

    #[getter]
    fn clock_id(&self) -> u64 {
        self.value & 0x3ff
    }

    fn __int__(&self) -> u64 {
        self.value
    }

    fn __str__(&self) -> String {
        String::from_utf8_lossy(&tid_text(self.value)).into_owned()
    }

    fn __repr__(&self) -> String {
        format!("Tid('{}')", self.__str__())
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (String,)) {
        (slf.get_type().into_any(), (slf.get().__str__(),))
    }
}

#[pyclass(frozen, eq, ord, hash, module = "indexer._native")]
#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct AtUri {
    text: String,
    authority: String,
    collection: Option<String>,
    rkey: Option<String>,
}

#[pymethods]
impl AtUri {
    #[new]
    #[pyo3(signature = (text, /))]
    fn new(text: &str) -> PyResult<Self> {
        let Ok(uri) = at_uri::AtUri::parse(text) else {
            return Err(PyValueError::new_err(format!("not an AT-URI: {text:.100}")));
        };
        let part = |part: &str| (!part.is_empty()).then(|| part.to_owned());
        Ok(Self {
            authority: uri.authority().to_owned(),
            collection: part(uri.collection()),
            rkey: part(uri.rkey()),
            text: uri.text,
        })
    }

    #[getter]
    fn authority(&self) -> &str {
        &self.authority
    }

    #[getter]
    fn collection(&self) -> Option<&str> {
        self.collection.as_deref()
    }

    #[getter]
    fn rkey(&self) -> Option<&str> {
        self.rkey.as_deref()
    }

    fn __str__(&self) -> &str {
        &self.text
    }

    fn __repr__(&self) -> String {
        format!(
            "AtUri('{}')",
            self.text.replace('\\', "\\\\").replace('\'', "\\'")
        )
    }

    fn __reduce__<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, (String,)) {
        (slf.get_type().into_any(), (slf.get().text.clone(),))
    }
}
