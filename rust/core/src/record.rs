//! One record: the text to store, and its declared properties.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use crate::Arena;
use crate::document::Document;
use crate::lexicon::Collection;
use crate::print::{Length, Out, print, print_text};
use crate::reject::{Reason, Reject};
use crate::source::Source;
use crate::text::{Text, kept};
use crate::timestamp::normalize_created_at;
use crate::value::{Fault, Member, Object, Value};

/// A record that its lexicon allows.
#[derive(Clone, Copy, Debug)]
pub struct Body<'a> {
    /// `record.json`, byte for byte what the reference stores (records.md 7).
    pub json: &'a str,
    /// The declared properties, in the order of the record; what lies in them is whole.
    pub properties: &'a [Member<'a>],
    /// `createdAt` normalized to `YYYY-MM-DDTHH:mm:ss.sssZ` (records.md 4.2).
    pub created_at: Option<&'a str>,
    /// `descriptionFacets` as JSON text.
    pub description_facets: Option<&'a str>,
    /// Whether some text of `properties` holds NUL or a lone surrogate.
    pub is_unclean: bool,
}

/// Checks a record of a collection and describes it. `document` is the text that the record was read from.
pub(crate) fn decode<'a>(
    record: Option<Value<'a>>,
    collection: Collection,
    document: &Document<'a>,
    arena: &'a Arena,
    out: &mut String,
) -> Result<Body<'a>, Reject> {
    if document.has_faults {
        refuse_faults(record)?;
    }
    let object = record.and_then(Value::as_object);
    let declared = collection.declared(record);
    collection
        .validate(record, &declared)
        .map_err(|violation| Reject::new(Reason::InvalidRecord, violation.path(), &violation))?;
    let record = record.unwrap_or(Value::Null);
    let properties = declared.iter().map(|(member, _)| *member);
    let properties = arena.alloc_slice_fill_iter(properties);
    let find = |name: &str| properties.iter().find(|member| member.key == *name);
    let created_at = find("createdAt").and_then(|member| member.value.as_text());
    let json = match document.source_of_record {
        Some(source) => source
            .as_is()
            .unwrap_or_else(|| Printed::Source(source).text(document, arena, out)),
        None => Printed::Value(record).text(document, arena, out),
    };
    Ok(Body {
        json,
        properties,
        created_at: created_at.and_then(|text| normalized(text, arena)),
        description_facets: object
            .filter(|_| find("descriptionFacets").is_some())
            .and_then(|object| json.get(place_of("descriptionFacets", object)?)),
        is_unclean: document.has_unclean_text
            && properties.iter().any(|member| is_unclean(member.value)),
    })
}

/// What becomes text.
enum Printed<'a> {
    Value(Value<'a>),
    /// An object, by its source.
    Source(Source<'a>),
}

impl<'a> Printed<'a> {
    /// A text that may be long is measured before it is written, so that it takes no more than its length.
    fn text(self, document: &Document<'_>, arena: &'a Arena, out: &mut String) -> &'a str {
        if document.is_large {
            let mut length = Length::default();
            self.print(&mut length);
            let mut text = String::with_capacity(length.0);
            self.print(&mut text);
            return arena.keep_text(text);
        }
        out.clear();
        self.print(out);
        arena.alloc_str(out)
    }

    fn print(&self, out: &mut impl Out) {
        match self {
            Self::Value(value) => print(*value, out),
            Self::Source(source) => source.print(out),
        }
    }
}

/// Where the value of a key is in the text of its object.
fn place_of(key: &str, object: Object<'_>) -> Option<Range<usize>> {
    let mut at = "{".len();
    for member in object.members() {
        let mut length = Length::default();
        print_text(member.key, &mut length);
        let start = at + length.0 + ":".len();
        print(member.value, &mut length);
        let end = at + length.0 + ":".len();
        if member.key == *key {
            return Some(start..end);
        }
        at = end + ",".len();
    }
    None
}

/// A `createdAt` in the reference's form.
fn normalized<'a>(text: Text<'a>, arena: &'a Arena) -> Option<&'a str> {
    let normalized = match text.decoded() {
        Cow::Borrowed(text) => normalize_created_at(text)?,
        Cow::Owned(text) => Cow::Owned(normalize_created_at(&text)?.into_owned()),
    };
    Some(kept(normalized, arena))
}

/// Fails at the first object that looks like a link, bytes or a blob and is none.
fn refuse_faults(record: Option<Value<'_>>) -> Result<(), Reject> {
    let mut path = Vec::new();
    match record.and_then(|record| find_fault(record, &mut path)) {
        None => Ok(()),
        Some(fault) => {
            let path = Path(path);
            Err(Reject::new(Reason::BadRecord, path, fault.describe()))
        }
    }
}

enum Step<'a> {
    Key(Text<'a>),
    Index(usize),
}

/// The way to a value, from the innermost step outwards.
struct Path<'a>(Vec<Step<'a>>);

impl fmt::Display for Path<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().rev().enumerate() {
            if place > 0 {
                formatter.write_str("/")?;
            }
            match step {
                Step::Key(key) => formatter.write_str(&key.decoded())?,
                Step::Index(index) => write!(formatter, "{index}")?,
            }
        }
        Ok(())
    }
}

/// The first fault in a value; its path is left in `path`, from the innermost outwards.
fn find_fault<'a>(value: Value<'a>, path: &mut Vec<Step<'a>>) -> Option<Fault> {
    match value {
        Value::Faulty(fault) => Some(fault),
        Value::Array(array) => array.items().enumerate().find_map(|(index, item)| {
            let fault = find_fault(item, path)?;
            path.push(Step::Index(index));
            Some(fault)
        }),
        Value::Object(object) => object.members().find_map(|member| {
            let fault = find_fault(member.value, path)?;
            path.push(Step::Key(member.key));
            Some(fault)
        }),
        _ => None,
    }
}

fn is_unclean(value: Value<'_>) -> bool {
    match value {
        Value::Text(text) => !text.is_clean(),
        Value::Array(array) => array.items().any(is_unclean),
        Value::Object(object) => object
            .members()
            .any(|member| !member.key.is_clean() || is_unclean(member.value)),
        Value::Blob(blob) => !blob.mime_type().is_clean(),
        _ => false,
    }
}
