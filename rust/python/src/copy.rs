//! Rows in the binary form of PostgreSQL's COPY (PostgreSQL documentation, COPY, "Binary Format").

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyString, PyTuple};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
/// The only version of the wire form of jsonb: the text follows.
const JSONB_VERSION: u8 = 1;
const NULL: i32 = -1;
const TRAILER: i16 = -1;
/// Most rows are shorter: a record of the network has 600 bytes on average.
const USUAL_ROW: usize = 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    Text,
    Jsonb,
    Boolean,
    /// In the rows, but not in the table.
    Skipped,
}

impl Column {
    pub(crate) fn named(name: &str) -> PyResult<Self> {
        match name {
            "text" => Ok(Self::Text),
            "jsonb" => Ok(Self::Jsonb),
            "boolean" => Ok(Self::Boolean),
            "" => Ok(Self::Skipped),
            _ => Err(PyValueError::new_err(format!("unknown type {name:?}"))),
        }
    }
}

/// All rows in one piece, with header and trailer.
pub(crate) fn encode(rows: &[Bound<'_, PyTuple>], columns: &[Column]) -> PyResult<Vec<u8>> {
    let written = columns.iter().filter(|kind| **kind != Column::Skipped);
    let written =
        i16::try_from(written.count()).map_err(|_| PyValueError::new_err("too many columns"))?;
    let mut out = Vec::with_capacity(64 + rows.len() * USUAL_ROW);
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&[0; 8]); // no flags, no extension
    for row in rows {
        if row.len() != columns.len() {
            let (found, wanted) = (row.len(), columns.len());
            let message = format!("a row has {found} values, not {wanted}");
            return Err(PyValueError::new_err(message));
        }
        out.extend_from_slice(&written.to_be_bytes());
        for (value, kind) in row.iter_borrowed().zip(columns) {
            field(&value, *kind, &mut out)?;
        }
    }
    out.extend_from_slice(&TRAILER.to_be_bytes());
    Ok(out)
}

fn field(value: &Bound<'_, PyAny>, kind: Column, out: &mut Vec<u8>) -> PyResult<()> {
    if kind == Column::Skipped {
        return Ok(());
    }
    if value.is_none() {
        out.extend_from_slice(&NULL.to_be_bytes());
        return Ok(());
    }
    if kind == Column::Boolean {
        let truth = value.cast::<PyBool>()?.is_true();
        return sized(&[u8::from(truth)], &[], out);
    }
    let text = value.cast::<PyString>()?.to_str()?;
    let version: &[u8] = if kind == Column::Jsonb {
        &[JSONB_VERSION]
    } else {
        &[]
    };
    sized(version, text.as_bytes(), out)
}

fn sized(head: &[u8], body: &[u8], out: &mut Vec<u8>) -> PyResult<()> {
    let length = i32::try_from(head.len() + body.len())
        .map_err(|_| PyTypeError::new_err("a value is longer than 2 GiB"))?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(head);
    out.extend_from_slice(body);
    Ok(())
}
