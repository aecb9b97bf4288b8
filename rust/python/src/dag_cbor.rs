//! DAG-CBOR as Python data, and as JSON text.

use indexer_core::dag_cbor::{Bad, Integer, Link, Reader, Visitor, Walker, longest_json, to_json};
use indexer_core::fault::{Fault, shielded};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString};

use crate::batch::{self, PORTION};
use crate::faults;
use crate::identifiers::Cid;
use crate::keys::{self, Keys, SHORT};

#[pyfunction]
#[pyo3(signature = (blocks, /, *, max_depth = 1000))]
pub(crate) fn dag_cbor_to_json<'py>(
    py: Python<'py>,
    blocks: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = batch::number)] max_depth: usize,
) -> PyResult<Bound<'py, PyList>> {
    let blocks = batch::bytes_of(blocks)?;
    let mut blocks = batch::slices(&blocks).into_iter();
    let results = PyList::empty(py);
    let mut text = Vec::new();
    loop {
        let portion = py.detach(|| {
            text.clear();
            let mut walker = Walker::default();
            let mut portion = Vec::new();
            while text.len() < PORTION
                && let Some(block) = blocks.next()
            {
                let start = text.len();
                let written = shielded(|| one(block, &mut walker, max_depth, &mut text));
                if written.is_err() {
                    text.truncate(start);
                }
                portion.push(written.map(|()| text.len()));
            }
            portion
        });
        if portion.is_empty() {
            return Ok(results);
        }
        let mut start = 0;
        for written in &portion {
            match written {
                Ok(end) => {
                    let json = text.get(start..*end).unwrap_or_default();
                    results.append(PyBytes::new(py, json))?;
                    start = *end;
                }
                Err(fault) => results.append(faults::object(py, fault)?)?,
            }
        }
    }
}

fn one<'a>(
    block: &'a [u8],
    walker: &mut Walker<'a>,
    max_depth: usize,
    text: &mut Vec<u8>,
) -> Result<(), Fault> {
    let mut reader = Reader::new(block);
    to_json(
        &mut reader,
        walker,
        max_depth,
        longest_json(block.len()),
        text,
    )?;
    Ok(reader.finish()?)
}

#[pyfunction]
#[pyo3(signature = (blocks, /, *, max_depth = 1000))]
pub(crate) fn decode_dag_cbor<'py>(
    py: Python<'py>,
    blocks: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = batch::number)] max_depth: usize,
) -> PyResult<Bound<'py, PyList>> {
    let blocks = batch::bytes_of(blocks)?;
    let mut walker = Walker::default();
    let mut builder = Builder::new(py);
    let results = PyList::empty(py);
    for block in &blocks {
        let mut reader = Reader::new(block.as_bytes());
        builder.open.clear();
        let result = walker.walk(&mut reader, &mut builder, max_depth);
        let result = result.and_then(|()| Ok(reader.finish()?));
        match (result, builder.done.take()) {
            (Ok(()), Some(value)) => results.append(value)?,
            (Err(Error::Python(error)), _) => return Err(error),
            (Err(Error::Bad(bad)), _) => results.append(faults::object(py, &bad.into())?)?,
            (Ok(()), None) => (),
        }
    }
    Ok(results)
}

enum Error {
    Bad(Bad),
    Python(PyErr),
}

impl From<Bad> for Error {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

impl From<PyErr> for Error {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

enum Container<'py> {
    List(Bound<'py, PyList>),
    Dict(Bound<'py, PyDict>, Option<Bound<'py, PyString>>),
}

/// Builds the objects of items.
struct Builder<'py> {
    py: Python<'py>,
    keys: Keys<'py>,
    /// The last key was `$type`, whose texts come again and again.
    is_type: bool,
    open: Vec<Container<'py>>,
    done: Option<Bound<'py, PyAny>>,
}

impl<'py> Builder<'py> {
    fn new(py: Python<'py>) -> Self {
        Self {
            py,
            keys: Keys::new(py),
            is_type: false,
            open: Vec::new(),
            done: None,
        }
    }

    #[inline]
    fn put(&mut self, value: Bound<'py, PyAny>) -> Result<(), Error> {
        match self.open.last_mut() {
            None => self.done = Some(value),
            Some(Container::List(list)) => list.append(value)?,
            Some(Container::Dict(dict, key)) => {
                if let Some(key) = key.take() {
                    dict.set_item(key, value)?;
                }
            }
        }
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        match self.open.pop() {
            Some(Container::List(list)) => self.put(list.into_any()),
            Some(Container::Dict(dict, _)) => self.put(dict.into_any()),
            None => Ok(()),
        }
    }
}

impl<'a> Visitor<'a> for Builder<'_> {
    type Error = Error;

    fn null(&mut self) -> Result<(), Error> {
        self.put(self.py.None().into_bound(self.py))
    }

    fn boolean(&mut self, truth: bool) -> Result<(), Error> {
        self.put(
            truth
                .into_pyobject(self.py)
                .map_err(PyErr::from)?
                .to_owned()
                .into_any(),
        )
    }

    fn integer(&mut self, integer: Integer) -> Result<(), Error> {
        let object = match i64::try_from(integer.value()) {
            Ok(value) => value.into_pyobject(self.py).map_err(PyErr::from)?,
            Err(_) => integer
                .value()
                .into_pyobject(self.py)
                .map_err(PyErr::from)?,
        };
        self.put(object.into_any())
    }

    fn float(&mut self, float: f64) -> Result<(), Error> {
        self.put(
            float
                .into_pyobject(self.py)
                .map_err(PyErr::from)?
                .into_any(),
        )
    }

    fn text(&mut self, text: &'a [u8]) -> Result<(), Error> {
        let object = if self.is_type || text.len() <= SHORT {
            self.keys.get(text).clone()
        } else {
            keys::text(self.py, text)
        };
        self.put(object.into_any())
    }

    fn bytes(&mut self, bytes: &'a [u8]) -> Result<(), Error> {
        self.put(PyBytes::new(self.py, bytes).into_any())
    }

    fn link(&mut self, link: Link<'a>) -> Result<(), Error> {
        self.put(Bound::new(self.py, Cid::known(link.bytes()))?.into_any())
    }

    fn array_starts(&mut self, _: u64) -> Result<(), Error> {
        self.open.push(Container::List(PyList::empty(self.py)));
        Ok(())
    }

    fn array_ends(&mut self) -> Result<(), Error> {
        self.close()
    }

    fn map_starts(&mut self, _: u64) -> Result<(), Error> {
        self.open.push(Container::Dict(PyDict::new(self.py), None));
        Ok(())
    }

    fn key(&mut self, key: &'a [u8]) -> Result<(), Error> {
        self.is_type = key == b"$type";
        let object = self.keys.get(key).clone();
        if let Some(Container::Dict(_, next)) = self.open.last_mut() {
            *next = Some(object);
        }
        Ok(())
    }

    fn map_ends(&mut self) -> Result<(), Error> {
        self.close()
    }
}
