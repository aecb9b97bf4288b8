//! The classes of the module. Their fields are built once, when the GIL is held anyway.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

#[pyclass(frozen, get_all, module = "indexer._native")]
pub(crate) struct Event {
    pub(crate) kind: Py<PyString>,
    pub(crate) did: Py<PyString>,
    pub(crate) time: Py<PyString>,
    pub(crate) backfill: Option<bool>,
    pub(crate) rev: Option<Py<PyString>>,
    pub(crate) commit: Option<Py<PyString>>,
    pub(crate) uri: Option<Py<PyString>>,
    pub(crate) creator: Option<Py<PyString>>,
    pub(crate) collection: Option<Py<PyString>>,
    pub(crate) rkey: Option<Py<PyString>>,
    pub(crate) cid: Option<Py<PyString>>,
    pub(crate) json: Option<Py<PyString>>,
    pub(crate) value: Option<Py<PyDict>>,
    pub(crate) created_at: Option<Py<PyString>>,
    pub(crate) description_facets: Option<Py<PyString>>,
    pub(crate) cleaned: bool,
    pub(crate) active: Option<bool>,
    pub(crate) status: Option<Py<PyString>>,
}

#[pyclass(frozen, get_all, module = "indexer._native")]
pub(crate) struct Record {
    pub(crate) value: Py<PyDict>,
    pub(crate) created_at: Option<Py<PyString>>,
    pub(crate) description_facets: Option<Py<PyString>>,
}

#[pyclass(frozen, get_all, module = "indexer._native")]
pub(crate) struct Reject {
    pub(crate) reason: Py<PyString>,
    pub(crate) cause: Py<PyString>,
    pub(crate) detail: Py<PyString>,
}

#[pyclass(frozen, get_all, module = "indexer._native")]
pub(crate) struct Ignored {
    pub(crate) reason: Py<PyString>,
}
