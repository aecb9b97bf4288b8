//! Outcomes as objects of the module's classes.

use indexer_core::{Body, COLLECTIONS, Event, Kind, Label, Outcome, RecordEvent};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyString};

use crate::classes;
use crate::values::Values;

static NAMES: PyOnceLock<Names> = PyOnceLock::new();

/// Names that come again and again.
struct Names {
    kinds: Vec<(Kind, Py<PyString>)>,
    collections: Vec<Py<PyString>>,
}

impl Names {
    fn new(py: Python<'_>) -> Self {
        let intern = |text| PyString::intern(py, text).unbind();
        Self {
            kinds: Kind::ALL.map(|kind| (kind, intern(kind.as_str()))).into(),
            collections: COLLECTIONS.map(intern).into(),
        }
    }
}

/// Builds the results of a call.
pub(crate) struct Builder<'py> {
    py: Python<'py>,
    values: Values<'py>,
    names: &'py Names,
}

impl<'py> Builder<'py> {
    pub(crate) fn new(py: Python<'py>) -> Self {
        Self {
            py,
            values: Values::new(py),
            names: NAMES.get_or_init(py, || Names::new(py)),
        }
    }

    pub(crate) fn outcome<T>(
        &mut self,
        outcome: &Outcome<T>,
        build: impl FnOnce(&mut Self, &T) -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Ok(match outcome {
            Outcome::Event(event) => build(self, event)?,
            Outcome::Reject(reject) => {
                let reject = classes::Reject {
                    reason: self.text(reject.reason.as_str()),
                    cause: self.text(&reject.cause()),
                    detail: self.text(&reject.detail),
                };
                Bound::new(self.py, reject)?.into_any()
            }
            Outcome::Ignored(reason) => {
                let ignored = classes::Ignored {
                    reason: self.text(reason.as_str()),
                };
                Bound::new(self.py, ignored)?.into_any()
            }
        })
    }

    /// A stored record; None where the text was none.
    pub(crate) fn record(&mut self, body: Option<&Body<'_>>) -> PyResult<Bound<'py, PyAny>> {
        let Some(body) = body else {
            return Ok(self.py.None().into_bound(self.py));
        };
        let (value, created_at) = self.values.record(body.properties, body.created_at)?;
        let record = classes::Record {
            value: value.unbind(),
            created_at: created_at.map(Bound::unbind),
            description_facets: self.optional(body.description_facets),
        };
        Ok(Bound::new(self.py, record)?.into_any())
    }

    /// The labels of an entry: a tuple for each, in the order of the columns.
    pub(crate) fn labels(&mut self, labels: &Vec<Label<'_>>) -> PyResult<Bound<'py, PyAny>> {
        let rows = labels
            .iter()
            .map(|it| (it.src, it.uri, it.cid, it.val, it.neg, it.cts, it.exp));
        Ok(PyList::new(self.py, rows)?.into_any())
    }

    pub(crate) fn event(&mut self, event: &Event<'_>) -> PyResult<Bound<'py, PyAny>> {
        let mut built = classes::Event {
            kind: self.kind(event.kind),
            did: self.text(event.did),
            time: self.text(event.time),
            backfill: event.backfill,
            rev: self.optional(event.rev),
            commit: self.optional(event.commit),
            uri: None,
            creator: None,
            collection: None,
            rkey: None,
            cid: None,
            json: None,
            value: None,
            created_at: None,
            description_facets: None,
            cleaned: event.is_unclean,
            active: event.active,
            status: self.optional(event.status),
        };
        if let Some(record) = &event.record {
            self.set_record(&mut built, event.did, record)?;
        }
        Ok(Bound::new(self.py, built)?.into_any())
    }

    fn set_record(
        &mut self,
        built: &mut classes::Event,
        did: &str,
        record: &RecordEvent<'_>,
    ) -> PyResult<()> {
        let uri = &record.uri;
        let creator = uri.authority();
        built.uri = Some(self.text(&uri.text));
        built.creator = Some(if creator == did {
            built.did.clone_ref(self.py)
        } else {
            self.text(creator)
        });
        built.collection = Some(self.collection(uri.collection()));
        built.rkey = Some(self.text(uri.rkey()));
        if let Some((cid, body)) = &record.body {
            built.cid = Some(self.text(cid));
            built.json = Some(self.text(body.json));
            let (value, created_at) = self.values.record(body.properties, body.created_at)?;
            built.value = Some(value.unbind());
            built.created_at = created_at.map(Bound::unbind);
            built.description_facets = self.optional(body.description_facets);
            built.cleaned |= body.is_unclean;
        }
        Ok(())
    }

    fn kind(&self, kind: Kind) -> Py<PyString> {
        let known = self.names.kinds.iter().find(|(known, _)| *known == kind);
        known.map_or_else(
            || self.text(kind.as_str()),
            |(_, name)| name.clone_ref(self.py),
        )
    }

    fn collection(&self, nsid: &str) -> Py<PyString> {
        match COLLECTIONS.iter().position(|known| *known == nsid) {
            Some(place) => self.names.collections[place].clone_ref(self.py),
            None => self.text(nsid),
        }
    }

    fn optional(&self, text: Option<&str>) -> Option<Py<PyString>> {
        text.map(|text| self.text(text))
    }

    fn text(&self, text: &str) -> Py<PyString> {
        PyString::new(self.py, text).unbind()
    }
}
