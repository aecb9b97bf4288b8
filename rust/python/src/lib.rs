//! The module `indexer._native`: batches of bytes in, batches of values out. Its contract is `_native.pyi`.

mod batch;
mod car;
mod classes;
mod copy;
mod dag_cbor;
mod dag_cbor_encode;
mod faults;
mod frames;
mod identifiers;
mod keys;
mod objects;
mod text_array;
mod values;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
#[expect(
    clippy::needless_pass_by_value,
    reason = "PyO3 extracts arguments as owned values"
)]
mod _native {
    use indexer_core::fault::FaultKind;
    use indexer_core::{Arena, COLLECTIONS, Decoder, Ignored, Reason};
    use pyo3::exceptions::{PyTypeError, PyValueError};
    use pyo3::prelude::*;
    use pyo3::types::{PyBytes, PyList, PyString, PyTuple};

    use crate::batch::{bytes_of, number, portions, slices};
    #[pymodule_export]
    use crate::car::{CarReader, CarRecord, Commit};
    #[pymodule_export]
    use crate::classes::{Event, Ignored as PyIgnored, Record, Reject};
    use crate::copy::{self, Column};
    #[pymodule_export]
    use crate::dag_cbor::{dag_cbor_to_json, decode_dag_cbor};
    #[pymodule_export]
    use crate::dag_cbor_encode::encode_dag_cbor;
    #[pymodule_export]
    use crate::faults::PyFault;
    #[pymodule_export]
    use crate::frames::{Frame, decode_frames};
    #[pymodule_export]
    use crate::identifiers::{AtUri, Cid, Tid};
    use crate::objects::Builder;
    use crate::text_array;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        let reasons = Reason::ALL.map(Reason::as_str);
        module.add("REJECT_REASONS", PyTuple::new(py, reasons)?)?;
        let reasons = Ignored::ALL.map(Ignored::as_str);
        module.add("IGNORED_REASONS", PyTuple::new(py, reasons)?)?;
        let kinds = FaultKind::ALL.iter().map(|kind| kind.as_str());
        module.add("FAULT_KINDS", PyTuple::new(py, kinds)?)?;
        module.add("COLLECTIONS", PyTuple::new(py, COLLECTIONS)?)?;
        module.add("DEBUG_BUILD", cfg!(debug_assertions))?;
        module.add("VERSION", env!("CARGO_PKG_VERSION"))?;
        let commit = option_env!("INDEXER_COMMIT").filter(|it| !it.is_empty());
        module.add("COMMIT", commit.unwrap_or("unknown"))?;
        module.add("TARGET", env!("INDEXER_TARGET"))?;
        module.add("RUST", env!("INDEXER_RUST"))
    }

    /// A portion of a batch, decoded without the GIL.
    fn decoded<'a, T: Sync, R: Send>(
        py: Python<'_>,
        arena: &'a mut Arena,
        portion: &[T],
        decode: impl Fn(&mut Decoder<'a>, &T) -> R + Send,
    ) -> Vec<R> {
        py.detach(move || {
            let mut decoder = Decoder::new(arena);
            let decode = |item| decode(&mut decoder, item);
            portion.iter().map(decode).collect()
        })
    }

    #[pyfunction]
    #[pyo3(signature = (payloads, clocks_ms, /))]
    fn decode_events<'py>(
        py: Python<'py>,
        payloads: &Bound<'py, PyAny>,
        #[pyo3(from_py_with = number)] clocks_ms: Vec<i64>,
    ) -> PyResult<Bound<'py, PyList>> {
        let payloads = bytes_of(payloads)?;
        if payloads.len() != clocks_ms.len() {
            let (payloads, clocks) = (payloads.len(), clocks_ms.len());
            let message = format!("{payloads} payloads, but {clocks} clocks");
            return Err(PyValueError::new_err(message));
        }
        let clocks = clocks_ms
            .iter()
            .map(|clock| u64::try_from(*clock).unwrap_or(0));
        let entries: Vec<(&[u8], u64)> = slices(&payloads).into_iter().zip(clocks).collect();
        let mut arena = Arena::new();
        let mut builder = Builder::new(py);
        let results = PyList::empty(py);
        for portion in portions(&entries, |(payload, _)| payload.len()) {
            let outcomes = decoded(py, &mut arena, portion, |decoder, (payload, clock)| {
                decoder.event(payload, *clock)
            });
            for outcome in &outcomes {
                results.append(builder.outcome(outcome, Builder::event)?)?;
            }
            drop(outcomes);
            arena.reset();
        }
        Ok(results)
    }

    #[pyfunction]
    #[pyo3(signature = (payloads, /))]
    fn decode_labels<'py>(
        py: Python<'py>,
        payloads: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let payloads = bytes_of(payloads)?;
        let mut arena = Arena::new();
        let mut builder = Builder::new(py);
        let results = PyList::empty(py);
        for portion in portions(&slices(&payloads), |payload| payload.len()) {
            let outcomes = decoded(py, &mut arena, portion, |decoder, payload| {
                decoder.labels(payload)
            });
            for outcome in &outcomes {
                results.append(builder.outcome(outcome, Builder::labels)?)?;
            }
            drop(outcomes);
            arena.reset();
        }
        Ok(results)
    }

    #[pyfunction]
    #[pyo3(signature = (items, /))]
    fn decode_records<'py>(
        py: Python<'py>,
        items: Vec<(Bound<'py, PyString>, Bound<'py, PyString>)>,
    ) -> PyResult<Bound<'py, PyList>> {
        // What is no UTF-8 is no stored text either.
        let texts: Vec<Option<(&str, &str)>> = items
            .iter()
            .map(|(collection, json)| Some((collection.to_str().ok()?, json.to_str().ok()?)))
            .collect();
        let mut arena = Arena::new();
        let mut builder = Builder::new(py);
        let results = PyList::empty(py);
        for portion in portions(&texts, |item| item.map_or(0, |(_, json)| json.len())) {
            let bodies = decoded(py, &mut arena, portion, |decoder, item| {
                item.and_then(|(nsid, json)| decoder.record(nsid, json))
            });
            for body in &bodies {
                results.append(builder.record(body.as_ref())?)?;
            }
            drop(bodies);
            arena.reset();
        }
        Ok(results)
    }

    #[pyfunction]
    #[pyo3(signature = (rows, types, /))]
    fn encode_copy<'py>(
        py: Python<'py>,
        rows: Vec<Bound<'py, PyTuple>>,
        types: Vec<String>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let columns: Vec<Column> = types
            .iter()
            .map(|name| Column::named(name))
            .collect::<PyResult<_>>()?;
        Ok(PyBytes::new(py, &copy::encode(&rows, &columns)?))
    }

    #[pyfunction]
    #[pyo3(signature = (texts, /))]
    fn encode_text_array<'py>(texts: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(texts.py(), &text_array::encode(texts)?))
    }

    #[pyfunction]
    #[pyo3(signature = (texts, /))]
    fn normalize_timestamps<'py>(
        py: Python<'py>,
        texts: Vec<Bound<'py, PyString>>,
    ) -> PyResult<Bound<'py, PyList>> {
        let normalized = texts.iter().map(|text| {
            let source = text.to_str().ok()?;
            let normalized = indexer_core::timestamp::normalize_created_at(source)?;
            Some(if normalized == source {
                text.clone()
            } else {
                PyString::new(py, &normalized)
            })
        });
        PyList::new(py, normalized.collect::<Vec<_>>())
    }

    #[pyfunction]
    #[pyo3(signature = (texts, /))]
    fn parse_dates(texts: Vec<Bound<'_, PyString>>) -> Vec<Option<i64>> {
        let parse =
            |text: &Bound<'_, PyString>| indexer_core::timestamp::parse_date(text.to_str().ok()?);
        texts.iter().map(parse).collect()
    }

    #[pyfunction]
    #[pyo3(signature = (text, /))]
    fn sanitize_text<'py>(text: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
        let py = text.py();
        if let Ok(bytes) = text.cast::<PyBytes>() {
            let text = indexer_core::sanitize_bytes(bytes.as_bytes());
            return Ok(PyString::new(py, &text));
        }
        let Ok(text) = text.cast::<PyString>() else {
            return Err(PyTypeError::new_err("text must be str or bytes"));
        };
        let Ok(utf8) = text.to_str() else {
            let encoded = text.call_method1("encode", ("utf-16-le", "surrogatepass"))?;
            let units = encoded.cast::<PyBytes>()?.as_bytes().chunks_exact(2);
            let units = units.map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            return Ok(PyString::new(py, &indexer_core::sanitize_utf16(units)));
        };
        Ok(match indexer_core::sanitize(utf8) {
            std::borrow::Cow::Borrowed(_) => text.clone(),
            std::borrow::Cow::Owned(text) => PyString::new(py, &text),
        })
    }

    #[pyfunction]
    #[pyo3(signature = (format, text, /))]
    fn is_valid(format: &str, text: &Bound<'_, PyString>) -> PyResult<bool> {
        indexer_core::has_format(format, &text.to_string_lossy())
            .ok_or_else(|| PyValueError::new_err(format!("unknown format {format:?}")))
    }
}
