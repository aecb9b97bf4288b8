//! Python data as DAG-CBOR: without recursion, as decoding.

use indexer_core::dag_cbor::Integer;
use indexer_core::dag_cbor::write::{self, Head};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::batch;
use crate::identifiers::Cid;

#[pyfunction]
#[pyo3(signature = (values, /, *, max_depth = 1000))]
pub(crate) fn encode_dag_cbor<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = batch::number)] max_depth: usize,
) -> PyResult<Bound<'py, PyList>> {
    if values.is_instance_of::<PyDict>() || values.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err("values must be a sequence of values"));
    }
    let results = PyList::empty(py);
    let mut out = Vec::new();
    for value in values.try_iter()? {
        out.clear();
        encode(value?, max_depth, &mut out)?;
        results.append(PyBytes::new(py, &out))?;
    }
    Ok(results)
}

type Entry<'py> = (Bound<'py, PyString>, Bound<'py, PyAny>);

/// A container that was begun, with what is left of it.
enum Open<'py> {
    List(std::vec::IntoIter<Bound<'py, PyAny>>),
    Dict(std::vec::IntoIter<Entry<'py>>),
}

fn encode(value: Bound<'_, PyAny>, max_depth: usize, out: &mut Vec<u8>) -> PyResult<()> {
    let mut open = Vec::new();
    let mut next = Some(value);
    loop {
        if let Some(value) = next.take()
            && let Some(container) = begin(&value, out)?
        {
            if open.len() >= max_depth {
                let message = format!("nested deeper than {max_depth} levels");
                return Err(PyValueError::new_err(message));
            }
            open.push(container);
        }
        next = match open.last_mut() {
            None => return Ok(()),
            Some(Open::List(items)) => items.next(),
            Some(Open::Dict(entries)) => match entries.next() {
                Some((key, value)) => {
                    write::text(key.to_str()?, out);
                    Some(value)
                }
                None => None,
            },
        };
        if next.is_none() {
            open.pop();
        }
    }
}

/// Writes a value, or the head of a container.
fn begin<'py>(value: &Bound<'py, PyAny>, out: &mut Vec<u8>) -> PyResult<Option<Open<'py>>> {
    if let Ok(text) = value.cast::<PyString>() {
        write::text(text.to_str()?, out);
    } else if let Ok(dict) = value.cast::<PyDict>() {
        let entries = sorted(dict)?;
        write::head(Head::Map, entries.len() as u64, out);
        return Ok(Some(Open::Dict(entries.into_iter())));
    } else if let Ok(list) = value.cast::<PyList>() {
        write::head(Head::Array, list.len() as u64, out);
        let items: Vec<_> = list.iter().collect();
        return Ok(Some(Open::List(items.into_iter())));
    } else if value.is_none() {
        write::null(out);
    } else if let Ok(truth) = value.cast::<PyBool>() {
        write::boolean(truth.is_true(), out);
    } else if value.is_instance_of::<PyInt>() {
        write::integer(integer(value)?, out);
    } else if let Ok(cid) = value.cast::<Cid>() {
        write::link(cid.get().bytes(), out);
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        write::bytes(bytes.as_bytes(), out);
    } else if let Ok(float) = value.cast::<PyFloat>() {
        if !float.value().is_finite() {
            return Err(PyValueError::new_err("DAG-CBOR has no NaN and no infinity"));
        }
        write::float(float.value(), out);
    } else if let Ok(tuple) = value.cast::<PyTuple>() {
        write::head(Head::Array, tuple.len() as u64, out);
        let items: Vec<_> = tuple.iter().collect();
        return Ok(Some(Open::List(items.into_iter())));
    } else {
        let name = value.get_type().name()?;
        let message = format!("DAG-CBOR has no {name}");
        return Err(PyTypeError::new_err(message));
    }
    Ok(None)
}

fn integer(value: &Bound<'_, PyAny>) -> PyResult<Integer> {
    let too_large = |_| PyValueError::new_err("an integer of more than 64 bits");
    let value: i128 = match value.extract::<i64>() {
        Ok(value) => value.into(),
        Err(_) => value.extract().map_err(too_large)?,
    };
    let is_negative = value < 0;
    let magnitude = if is_negative { -1 - value } else { value };
    let magnitude = u64::try_from(magnitude);
    Ok(Integer {
        is_negative,
        magnitude: magnitude
            .map_err(|_| PyValueError::new_err("an integer of more than 64 bits"))?,
    })
}

/// The entries in the order of DAG-CBOR: shorter keys first, then by their bytes.
fn sorted<'py>(dict: &Bound<'py, PyDict>) -> PyResult<Vec<Entry<'py>>> {
    let mut entries: Vec<Entry<'py>> = Vec::with_capacity(dict.len());
    let mut is_sorted = true;
    for (key, value) in dict.iter() {
        let Ok(key) = key.cast_into::<PyString>() else {
            return Err(PyTypeError::new_err("keys must be str"));
        };
        let text = key.to_str()?;
        // As it is with what was decoded.
        is_sorted = is_sorted
            && entries
                .last()
                .is_none_or(|(before, _)| order(before) < (text.len(), text));
        entries.push((key, value));
    }
    if !is_sorted {
        entries.sort_by(|(left, _), (right, _)| order(left).cmp(&order(right)));
    }
    Ok(entries)
}

fn order<'a>(key: &'a Bound<'_, PyString>) -> (usize, &'a str) {
    let text = key.to_str().unwrap_or_default();
    (text.len(), text)
}
