//! Frames of subscriptions.

use indexer_core::dag_cbor::Integer;
use indexer_core::fault::Fault;
use indexer_core::frame::{self, Events, FrameDecoder};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyString};

use crate::batch::{self, PORTION};
use crate::faults;

#[pyclass(frozen, get_all, module = "indexer._native")]
pub(crate) struct Frame {
    kind: Py<PyString>,
    seq: Option<i128>,
    events: Py<PyList>,
    skipped: usize,
    name: Option<Py<PyString>>,
    message: Option<Py<PyString>>,
}

#[pymethods]
impl Frame {
    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let (kind, count) = (self.kind.bind(py), self.events.bind(py).len());
        let seq = self
            .seq
            .map_or_else(|| "None".to_owned(), |seq| seq.to_string());
        Ok(format!(
            "Frame({}, seq={seq}, {count} events)",
            kind.to_str()?
        ))
    }
}

#[pyfunction]
#[pyo3(signature = (frames, /, *, max_bytes = 16_777_216, max_depth = 1000))]
pub(crate) fn decode_frames<'py>(
    py: Python<'py>,
    frames: &Bound<'py, PyAny>,
    #[pyo3(from_py_with = batch::number)] max_bytes: usize,
    #[pyo3(from_py_with = batch::number)] max_depth: usize,
) -> PyResult<Bound<'py, PyList>> {
    let frames = batch::bytes_of(frames)?;
    let mut frames = batch::slices(&frames).into_iter();
    let results = PyList::empty(py);
    let mut decoder = FrameDecoder::new(max_bytes, max_depth);
    let mut events = Events::default();
    loop {
        let portion = py.detach(|| {
            events.clear();
            let mut portion: Vec<(Result<frame::Frame<'_>, Fault>, usize)> = Vec::new();
            while events.size() < PORTION
                && let Some(frame) = frames.next()
            {
                let result = decoder.decode(frame, &mut events);
                portion.push((result, events.count()));
            }
            portion
        });
        if portion.is_empty() {
            return Ok(results);
        }
        let mut start = 0;
        for (decoded, end) in &portion {
            match decoded {
                Ok(frame) => results.append(object(py, frame, &events, start..*end)?)?,
                Err(fault) => results.append(faults::object(py, fault)?)?,
            }
            start = *end;
        }
    }
}

fn object<'py>(
    py: Python<'py>,
    frame: &frame::Frame<'_>,
    events: &Events,
    places: std::ops::Range<usize>,
) -> PyResult<Bound<'py, Frame>> {
    let texts = places.map(|place| PyBytes::new(py, events.get(place)));
    let text = |text: &Option<std::borrow::Cow<'_, str>>| {
        text.as_ref().map(|text| PyString::new(py, text).unbind())
    };
    let frame = Frame {
        kind: PyString::intern(py, &frame.kind).unbind(),
        seq: frame.seq.map(Integer::value),
        events: PyList::new(py, texts.collect::<Vec<_>>())?.unbind(),
        skipped: frame.skipped,
        name: text(&frame.name),
        message: text(&frame.message),
    };
    Bound::new(py, frame)
}
