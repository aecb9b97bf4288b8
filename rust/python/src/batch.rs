//! Batches: sequences of bytes in, lists out.

use pyo3::exceptions::{PyOverflowError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

/// So many bytes of results are made without the GIL before they become objects: what is held twice stays small.
pub(crate) const PORTION: usize = 256 << 10;

/// So many small items are a portion, too: each result takes some memory, however small its item is.
const MANY: usize = 1000;

pub(crate) fn bytes_of<'py>(items: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyBytes>>> {
    // Not collected: an iterator is asked for its length by a call of Python code.
    let mut all = Vec::with_capacity(items.cast::<PyList>().map_or(0, PyListMethods::len));
    for item in items.try_iter()? {
        all.push(item?.cast_into()?);
    }
    Ok(all)
}

/// Groups of a batch, in its order: each of up to [`PORTION`] bytes, but for an item that is longer, and [`MANY`] items.
pub(crate) fn portions<T>(items: &[T], length: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |item: &&T| {
            bytes += length(item);
            bytes <= PORTION
        };
        let count = rest.iter().take(MANY).take_while(fits).count();
        let (portion, others) = rest.split_at(count.max(1).min(rest.len()));
        rest = others;
        (!portion.is_empty()).then_some(portion)
    })
}

pub(crate) fn slices<'a>(items: &'a [Bound<'_, PyBytes>]) -> Vec<&'a [u8]> {
    items.iter().map(PyBytesMethods::as_bytes).collect()
}

/// A number that is an argument; `ValueError` for one that its type cannot hold, as for any other wrong value.
pub(crate) fn number<'py, T>(object: &Bound<'py, PyAny>) -> PyResult<T>
where
    T: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    let py = object.py();
    object.extract().map_err(|error: PyErr| {
        if error.is_instance_of::<PyOverflowError>(py) {
            PyValueError::new_err(format!("a number out of range: {}", error.value(py)))
        } else {
            error
        }
    })
}
