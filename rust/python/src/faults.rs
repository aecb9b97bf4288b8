//! Faults as objects.

use indexer_core::fault::Fault;
use pyo3::prelude::*;

#[pyclass(frozen, get_all, eq, hash, name = "Fault", module = "indexer._native")]
#[derive(PartialEq, Eq, Hash)]
pub(crate) struct PyFault {
    kind: &'static str,
    group: &'static str,
    at: u64,
    place: String,
    detail: String,
}

impl From<&Fault> for PyFault {
    fn from(fault: &Fault) -> Self {
        Self {
            kind: fault.kind.as_str(),
            group: fault.kind.group().as_str(),
            at: fault.at,
            place: fault.place.clone(),
            detail: fault.to_string(),
        }
    }
}

#[pymethods]
impl PyFault {
    fn __str__(&self) -> &str {
        &self.detail
    }

    fn __repr__(&self) -> String {
        format!("Fault({}: {})", self.kind, self.detail)
    }
}

/// A fault as one of the results.
pub(crate) fn object<'py>(py: Python<'py>, fault: &Fault) -> PyResult<Bound<'py, PyAny>> {
    Ok(Bound::new(py, PyFault::from(fault))?.into_any())
}
