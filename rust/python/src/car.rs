//! CAR files.

use std::io;

use indexer_core::fault::{Fault, FaultKind, shielded};
use indexer_core::repository::{self, Entry, Error, Limits, Receiver, Records};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};
use tempfile::SpooledTempFile;

use crate::batch::{PORTION, number};
use crate::faults;
use crate::identifiers::Cid;

#[pyclass(frozen, get_all, module = "indexer._native")]
pub(crate) struct Commit {
    cid: Py<Cid>,
    did: Py<PyString>,
    rev: Option<Py<PyString>>,
    version: u64,
    data: Py<Cid>,
    sig: Py<PyBytes>,
    unsigned: Py<PyBytes>,
}

#[pyclass(frozen, get_all, module = "indexer._native")]
pub(crate) struct CarRecord {
    collection: Py<PyString>,
    rkey: Py<PyString>,
    cid: Py<Cid>,
    json: Py<PyBytes>,
}

#[pymethods]
impl CarRecord {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (collection, rkey) = (self.collection.bind(py), self.rkey.bind(py));
        let (collection, rkey) = (collection.to_str()?, rkey.to_str()?);
        Ok(format!("CarRecord({collection}/{rkey})"))
    }
}

enum State {
    Receiving(Receiver<SpooledTempFile>),
    Reading(Records<SpooledTempFile>),
    Over,
}

/// See `_native.pyi`.
#[pyclass(module = "indexer._native")]
pub(crate) struct CarReader {
    state: State,
    received: u64,
}

#[pymethods]
impl CarReader {
    #[new]
    #[pyo3(signature = (*, max_bytes, max_blocks, max_section, max_depth, max_path, memory))]
    fn new(
        #[pyo3(from_py_with = number)] max_bytes: u64,
        #[pyo3(from_py_with = number)] max_blocks: usize,
        #[pyo3(from_py_with = number)] max_section: usize,
        #[pyo3(from_py_with = number)] max_depth: usize,
        #[pyo3(from_py_with = number)] max_path: usize,
        #[pyo3(from_py_with = number)] memory: usize,
    ) -> Self {
        let limits = Limits {
            bytes: max_bytes,
            blocks: max_blocks,
            section: max_section,
            depth: max_depth,
            path: max_path,
        };
        let spool = SpooledTempFile::new(memory);
        Self {
            state: State::Receiving(Receiver::new(spool, limits)),
            received: 0,
        }
    }

    #[getter]
    fn received(&self) -> u64 {
        self.received
    }

    #[pyo3(signature = (piece, /))]
    fn feed<'py>(
        &mut self,
        py: Python<'py>,
        piece: &Bound<'py, PyBytes>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let State::Receiving(receiver) = &mut self.state else {
            return Err(PyValueError::new_err("the file has ended already"));
        };
        let bytes = piece.as_bytes();
        let fed = py.detach(|| guarded(|| receiver.feed(bytes)));
        self.received = receiver.received();
        if fed.is_err() {
            self.state = State::Over;
        }
        fed.map(|()| None)
            .or_else(|error| fault(py, error).map(Some))
    }

    #[pyo3(signature = (what, /))]
    fn too_slow<'py>(&mut self, py: Python<'py>, what: &str) -> PyResult<Bound<'py, PyAny>> {
        self.state = State::Over;
        faults::object(py, &Fault::new(FaultKind::TooSlow, self.received, what))
    }

    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let receiver = self.received_all()?;
        match py.detach(|| guarded(|| receiver.finish())) {
            Ok((commit, records)) => {
                self.state = State::Reading(records);
                Ok(Bound::new(py, commit_object(py, &commit)?)?.into_any())
            }
            Err(error) => fault(py, error),
        }
    }

    fn finish_tree<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let receiver = self.received_all()?;
        match py.detach(|| guarded(|| receiver.finish_tree())) {
            Ok(records) => {
                self.state = State::Reading(records);
                Ok(None)
            }
            Err(error) => fault(py, error).map(Some),
        }
    }

    #[pyo3(signature = (count, /))]
    fn records<'py>(&mut self, py: Python<'py>, count: usize) -> PyResult<Bound<'py, PyList>> {
        let results = PyList::empty(py);
        let mut text = Vec::new();
        let found = self.read(py, count, |records, entry| {
            if split(&entry.key).is_none() {
                let key = String::from_utf8_lossy(&entry.key).into_owned();
                return Err(Fault::new(FaultKind::BadTree, 0, key).into());
            }
            records.record(entry, &mut text)?;
            Ok(text.len())
        })?;
        let mut start = 0;
        for item in found {
            match item {
                Ok((entry, end)) => {
                    let json = text.get(start..end).unwrap_or_default();
                    start = end;
                    let (collection, rkey) = split(&entry.key).unwrap_or_default();
                    let record = CarRecord {
                        collection: PyString::intern(py, collection).unbind(),
                        rkey: PyString::new(py, rkey).unbind(),
                        cid: Py::new(py, Cid::known(&entry.cid.bytes()))?,
                        json: PyBytes::new(py, json).unbind(),
                    };
                    results.append(Bound::new(py, record)?)?;
                }
                Err(error) => results.append(fault(py, error)?)?,
            }
        }
        Ok(results)
    }

    #[pyo3(signature = (count, /))]
    fn entries<'py>(&mut self, py: Python<'py>, count: usize) -> PyResult<Bound<'py, PyList>> {
        let results = PyList::empty(py);
        for item in self.read(py, count, |_, _| Ok(0))? {
            match item {
                Ok((entry, _)) => {
                    let key = PyBytes::new(py, &entry.key);
                    let cid = Bound::new(py, Cid::known(&entry.cid.bytes()))?;
                    results.append((key, cid))?;
                }
                Err(error) => results.append(fault(py, error)?)?,
            }
        }
        Ok(results)
    }
}

type Item = Result<(Entry, usize), Error>;

impl CarReader {
    fn received_all(&mut self) -> PyResult<Receiver<SpooledTempFile>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Receiving(receiver) => Ok(receiver),
            state => {
                self.state = state;
                Err(PyValueError::new_err("the file has ended already"))
            }
        }
    }

    /// The next entries, at most `count`, with what `take` makes of them.
    fn read(
        &mut self,
        py: Python<'_>,
        count: usize,
        mut take: impl FnMut(&mut Records<SpooledTempFile>, &Entry) -> Result<usize, Error> + Send,
    ) -> PyResult<Vec<Item>> {
        let State::Reading(records) = &mut self.state else {
            return Err(PyValueError::new_err(
                "there are no records: finish comes first",
            ));
        };
        let (found, is_over) = py.detach(|| {
            let mut found: Vec<Item> = Vec::new();
            let mut size = 0;
            while found.len() < count && size < PORTION {
                let next = guarded(|| {
                    let Some(entry) = records.next_entry()? else {
                        return Ok(None);
                    };
                    let end = take(records, &entry)?;
                    Ok(Some((entry, end)))
                });
                match next {
                    Ok(None) => return (found, false),
                    Ok(Some((entry, end))) => {
                        size = end;
                        found.push(Ok((entry, end)));
                    }
                    Err(error) => {
                        let is_crash = matches!(&error, Error::Fault(fault) if fault.kind == FaultKind::Crashed);
                        found.push(Err(error));
                        if is_crash {
                            return (found, true);
                        }
                    }
                }
            }
            (found, false)
        });
        if is_over {
            self.state = State::Over;
        }
        Ok(found)
    }
}

/// A panic is a fault of the file.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let mut broken: Option<io::Error> = None;
    let done = shielded(|| {
        work().map_err(|error| match error {
            Error::Fault(fault) => fault,
            Error::Io(error) => {
                broken = Some(error);
                Fault::new(FaultKind::Crashed, 0, "")
            }
        })
    });
    done.map_err(|fault| broken.map_or(Error::Fault(fault), Error::Io))
}

/// A fault of the file is a value, one of the disk is raised.
fn fault(py: Python<'_>, error: Error) -> PyResult<Bound<'_, PyAny>> {
    match error {
        Error::Fault(fault) => faults::object(py, &fault),
        Error::Io(error) => Err(error.into()),
    }
}

/// Collection and key: two parts of visible ASCII.
fn split(key: &[u8]) -> Option<(&str, &str)> {
    let key = std::str::from_utf8(key).ok()?;
    let (collection, rkey) = key.split_once('/')?;
    let is_whole = !collection.is_empty() && !rkey.is_empty() && !rkey.contains('/');
    (is_whole && key.bytes().all(|byte| byte.is_ascii_graphic())).then_some((collection, rkey))
}

fn commit_object(py: Python<'_>, commit: &repository::Commit) -> PyResult<Commit> {
    Ok(Commit {
        cid: Py::new(py, Cid::known(&commit.cid.bytes()))?,
        did: PyString::new(py, &commit.did).unbind(),
        rev: commit
            .rev
            .as_ref()
            .map(|rev| PyString::new(py, rev).unbind()),
        version: commit.version,
        data: Py::new(py, Cid::known(&commit.data.bytes()))?,
        sig: PyBytes::new(py, &commit.sig).unbind(),
        unsigned: PyBytes::new(py, &commit.unsigned).unbind(),
    })
}
