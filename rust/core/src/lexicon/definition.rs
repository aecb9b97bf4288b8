//! Reading the members of a lexicon definition.

use std::fmt;

use super::types::Range;
use crate::value::{Object, Value};

/// What is wrong with the documents.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LexiconFault(String);

impl fmt::Display for LexiconFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

pub(super) type Result<T> = std::result::Result<T, LexiconFault>;

pub(super) fn fault<T>(text: impl Into<String>) -> Result<T> {
    Err(LexiconFault(text.into()))
}

/// Fails if there are other rules than these.
pub(super) fn only(definition: Object<'_>, rules: &[&str]) -> Result<()> {
    for member in definition.members() {
        let rule = &*member.key.decoded();
        if !rules.contains(&rule) && rule != "type" && rule != "description" {
            return fault(format!("unknown rule {rule}"));
        }
    }
    Ok(())
}

pub(super) fn require<'a>(definition: Object<'a>, key: &str) -> Result<Value<'a>> {
    definition
        .get(key)
        .map_or_else(|| fault(format!("{key} is missing")), Ok)
}

pub(super) fn object(value: Value<'_>) -> Result<Object<'_>> {
    value.as_object().map_or_else(|| fault("not an object"), Ok)
}

/// No text that the documents need has escapes.
pub(super) fn plain(value: Value<'_>) -> Option<&str> {
    match value {
        Value::Text(text) => text.plain(),
        _ => None,
    }
}

pub(super) fn text<'a>(definition: Object<'a>, key: &str) -> Result<&'a str> {
    match plain(require(definition, key)?) {
        Some(text) => Ok(text),
        None => fault(format!("{key} is not a string")),
    }
}

pub(super) fn texts<'a>(definition: Object<'a>, key: &str) -> Result<Vec<&'a str>> {
    let Some(Value::Array(array)) = definition.get(key) else {
        return Ok(Vec::new());
    };
    array
        .items()
        .map(|item| match plain(item) {
            Some(text) => Ok(text),
            None => fault(format!("{key} holds something else than strings")),
        })
        .collect()
}

pub(super) fn number(definition: Object<'_>, key: &str) -> Result<Option<f64>> {
    match definition.get(key) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number)),
        Some(_) => fault(format!("{key} is not a number")),
    }
}

pub(super) fn whole(definition: Object<'_>, key: &str) -> Result<Option<usize>> {
    match number(definition, key)? {
        None => Ok(None),
        Some(number) => match number.to_string().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => fault(format!("{key} is not a whole number")),
        },
    }
}

pub(super) fn length(definition: Object<'_>) -> Result<Range<usize>> {
    Ok(Range {
        min: whole(definition, "minLength")?,
        max: whole(definition, "maxLength")?,
    })
}
