//! A list of texts in the binary form of PostgreSQL's `text[]` (`array_send` in its source).

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};

/// Of `text`, in every database (`pg_type.dat`).
const TEXT: i32 = 25;
const NULL: i32 = -1;
const LOWER_BOUND: i32 = 1;
/// AT-URIs are the usual elements.
const USUAL_ELEMENT: usize = 80;

/// One dimension, or none where the list is empty.
pub(crate) fn encode(texts: &Bound<'_, PyList>) -> PyResult<Vec<u8>> {
    let too_large = || PyValueError::new_err("an array for PostgreSQL has less than 2 GiB");
    let number = i32::try_from(texts.len()).map_err(|_| too_large())?;
    let mut out = Vec::with_capacity(20 + texts.len() * USUAL_ELEMENT);
    let mut write = |number: i32| out.extend_from_slice(&number.to_be_bytes());
    write(i32::from(number > 0));
    let nulls = texts.iter().any(|text| text.is_none());
    write(i32::from(nulls));
    write(TEXT);
    if number > 0 {
        write(number);
        write(LOWER_BOUND);
    }
    for text in texts {
        if text.is_none() {
            out.extend_from_slice(&NULL.to_be_bytes());
            continue;
        }
        let text = text.cast::<PyString>()?.to_str()?;
        let length = i32::try_from(text.len()).map_err(|_| too_large())?;
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(text.as_bytes());
    }
    Ok(out)
}
