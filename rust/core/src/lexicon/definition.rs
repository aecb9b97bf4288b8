//! Reading the members of a lexicon definition.

use std::fmt;

use super::types::Range;
use crate::value::{Member, Value, get};

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
pub(super) fn only(definition: &[Member<'_>], rules: &[&str]) -> Result<()> {
    for member in definition {
        let rule = member.key.as_str();
        if !rules.contains(&rule) && rule != "type" && rule != "description" {
            return fault(format!("unknown rule {rule}"));
        }
    }
    Ok(())
}

pub(super) fn require<'a>(definition: &[Member<'a>], key: &str) -> Result<Value<'a>> {
    get(definition, key).map_or_else(|| fault(format!("{key} is missing")), Ok)
}

pub(super) fn members(value: Value<'_>) -> Result<&[Member<'_>]> {
    value.as_object().map_or_else(|| fault("not an object"), Ok)
}

pub(super) fn text<'a>(definition: &[Member<'a>], key: &str) -> Result<&'a str> {
    match require(definition, key)?.as_text() {
        Some(text) => Ok(text.as_str()),
        None => fault(format!("{key} is not a string")),
    }
}

pub(super) fn texts<'a>(definition: &[Member<'a>], key: &str) -> Result<Vec<&'a str>> {
    let Some(Value::Array(items)) = get(definition, key) else {
        return Ok(Vec::new());
    };
    items
        .iter()
        .map(|item| match item.as_text() {
            Some(text) => Ok(text.as_str()),
            None => fault(format!("{key} holds something else than strings")),
        })
        .collect()
}

pub(super) fn number(definition: &[Member<'_>], key: &str) -> Result<Option<f64>> {
    match get(definition, key) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number)),
        Some(_) => fault(format!("{key} is not a number")),
    }
}

pub(super) fn whole(definition: &[Member<'_>], key: &str) -> Result<Option<usize>> {
    match number(definition, key)? {
        None => Ok(None),
        Some(number) => match number.to_string().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => fault(format!("{key} is not a whole number")),
        },
    }
}

pub(super) fn length(definition: &[Member<'_>]) -> Result<Range<usize>> {
    Ok(Range {
        min: whole(definition, "minLength")?,
        max: whole(definition, "maxLength")?,
    })
}
