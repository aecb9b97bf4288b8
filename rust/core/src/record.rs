//! One record: the text to store, and its declared properties.

use std::borrow::Cow;

use crate::Arena;
use crate::document::Document;
use crate::lexicon::Collection;
use crate::print::print;
use crate::reject::{Reason, Reject};
use crate::timestamp::normalize_created_at;
use crate::value::{Blob, Fault, Member, Value, get};

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
    collection
        .validate(record)
        .map_err(|violation| Reject::new(Reason::InvalidRecord, &violation.path(), &violation))?;
    let record = record.unwrap_or(Value::Null);
    let properties = declared(collection, record.as_object().unwrap_or_default(), arena);
    let created_at = get(properties, "createdAt").and_then(Value::as_text);
    let facets = get(properties, "descriptionFacets");
    Ok(Body {
        json: match document.source_of_record {
            Some(source) => source.printed(arena, out),
            None => printed(record, arena, out),
        },
        properties,
        created_at: created_at
            .and_then(|text| normalize_created_at(text.as_str()))
            .map(|text| match text {
                Cow::Borrowed(text) => text,
                Cow::Owned(text) => arena.alloc_str(&text),
            }),
        description_facets: facets.map(|facets| printed(facets, arena, out)),
        is_unclean: document.has_unclean_text
            && properties.iter().any(|member| is_unclean(member.value)),
    })
}

fn printed<'a>(value: Value<'_>, arena: &'a Arena, out: &mut String) -> &'a str {
    out.clear();
    print(value, out);
    arena.alloc_str(out)
}

fn declared<'a>(
    collection: Collection,
    members: &[Member<'a>],
    arena: &'a Arena,
) -> &'a [Member<'a>] {
    let names = collection.properties();
    let is_declared =
        |member: &&Member<'_>| names.iter().any(|property| member.key == *property.name);
    let found: Vec<_> = members.iter().filter(is_declared).copied().collect();
    arena.alloc_slice_copy(&found)
}

/// Fails at the first object that looks like a link, bytes or a blob and is none.
fn refuse_faults(record: Option<Value<'_>>) -> Result<(), Reject> {
    let mut path = Vec::new();
    match record.and_then(|record| find_fault(record, &mut path)) {
        None => Ok(()),
        Some(fault) => {
            path.reverse();
            Err(Reject::new(
                Reason::BadRecord,
                &path.join("/"),
                fault.describe(),
            ))
        }
    }
}

/// The first fault in a value; its path is left in `path`, from the innermost outwards.
fn find_fault(value: Value<'_>, path: &mut Vec<String>) -> Option<Fault> {
    match value {
        Value::Faulty(fault) => Some(fault),
        Value::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let fault = find_fault(*item, path)?;
            path.push(index.to_string());
            Some(fault)
        }),
        Value::Object(members) => members.iter().find_map(|member| {
            let fault = find_fault(member.value, path)?;
            path.push(member.key.as_str().to_owned());
            Some(fault)
        }),
        _ => None,
    }
}

fn is_unclean(value: Value<'_>) -> bool {
    match value {
        Value::Text(text) => !text.is_clean(),
        Value::Array(items) => items.iter().any(|item| is_unclean(*item)),
        Value::Object(members) => members
            .iter()
            .any(|member| !member.key.is_clean() || is_unclean(member.value)),
        Value::Blob(Blob::Typed { mime_type, .. } | Blob::Untyped { mime_type, .. }) => {
            !mime_type.is_clean()
        }
        _ => false,
    }
}
