//! Values against lexicon types, as the reference's validator does it (records.md 3.1).

use std::fmt;

use super::Collection;
use super::types::{Property, Range, Registry, TextRules, Type, TypeId, UnionMember};
use crate::graphemes::grapheme_count_at_most;
use crate::text::Text;
use crate::value::{Array, Object, Value};

/// A rule that a record breaks, and where.
#[derive(Debug)]
pub(crate) struct Violation {
    /// From the innermost outwards.
    steps: Vec<Step>,
    rule: String,
}

#[derive(Debug)]
enum Step {
    Key(String),
    Index(usize),
}

impl Violation {
    /// `rule` completes "must be".
    pub(super) fn new(rule: impl Into<String>) -> Self {
        Self {
            steps: Vec::new(),
            rule: rule.into(),
        }
    }

    fn at(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Keys and indexes with slashes between them; empty for the record itself.
    pub(crate) fn path(&self) -> String {
        let steps = self.steps.iter().rev().map(|step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(index) => index.to_string(),
        });
        steps.collect::<Vec<_>>().join("/")
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path();
        let place = if path.is_empty() { "the record" } else { &path };
        write!(formatter, "{place} must be {}", self.rule)
    }
}

type Verdict = Result<(), Violation>;

/// `rule` completes "must be".
fn ensure<R: Into<String>>(is_kept: bool, rule: impl FnOnce() -> R) -> Verdict {
    if is_kept {
        Ok(())
    } else {
        Err(Violation::new(rule()))
    }
}

/// Checks a record of a collection.
pub(super) fn record(registry: &Registry, collection: Collection, record: Value<'_>) -> Verdict {
    let Value::Object(found) = record else {
        return Err(Violation::new("an object"));
    };
    let is_own_type = found.text("$type").is_some_and(|text| {
        let text = text.decoded();
        text.strip_prefix("lex:").unwrap_or(&text) == collection.nsid()
    });
    ensure(is_own_type, || collection.nsid())
        .map_err(|violation| violation.at(Step::Key("$type".to_owned())))?;
    object(registry, registry.record(collection.index()), found)
}

pub(super) fn object(registry: &Registry, properties: &[Property], found: Object<'_>) -> Verdict {
    for property in properties {
        let verdict = match found.get(&property.name) {
            None if property.is_required => Err(Violation::new("present")),
            None => Ok(()),
            Some(Value::Null) if property.is_nullable => Ok(()),
            Some(value) => check(registry, property.id, value),
        };
        verdict.map_err(|violation| violation.at(Step::Key(property.name.clone())))?;
    }
    Ok(())
}

fn check(registry: &Registry, id: TypeId, value: Value<'_>) -> Verdict {
    match (registry.get(id), value) {
        (Type::Text(rules), Value::Text(value)) => text(rules, value),
        (Type::Object(properties), Value::Object(found)) => object(registry, properties, found),
        (Type::Union { members, is_closed }, value) => union(registry, members, *is_closed, value),
        (Type::Array { items, length }, Value::Array(values)) => {
            array(registry, *items, *length, values)
        }
        (Type::Integer { range, choices }, Value::Number(number)) if number.fract() == 0.0 => {
            in_range(*range, &number, "")?;
            one_of(choices.as_deref(), &number)
        }
        (Type::Bytes(range), Value::Bytes(base64)) => {
            in_range(*range, &(base64.base64().len() * 3 / 4), " bytes long")
        }
        (Type::Boolean, Value::Bool(_))
        | (Type::Link, Value::Link(_))
        | (Type::Blob, Value::Blob(_))
        | (
            Type::Unknown,
            Value::Object(_) | Value::Array(_) | Value::Link(_) | Value::Bytes(_) | Value::Blob(_),
        ) => Ok(()),
        (other, _) => Err(Violation::new(match other {
            Type::Unfinished => "nothing",
            Type::Boolean => "true or false",
            Type::Integer { .. } => "an integer",
            Type::Text(_) => "a string",
            Type::Bytes(_) => "bytes ($bytes)",
            Type::Link => "a link ($link)",
            Type::Blob => "a blob with exactly the keys $type, ref, mimeType, size",
            Type::Array { .. } => "an array",
            Type::Object(_) | Type::Unknown | Type::Union { .. } => "an object",
        })),
    }
}

fn array(registry: &Registry, items: TypeId, length: Range<usize>, values: Array<'_>) -> Verdict {
    in_range(length, &values.len(), " items long")?;
    for (index, value) in values.items().enumerate() {
        check(registry, items, value).map_err(|violation| violation.at(Step::Index(index)))?;
    }
    Ok(())
}

fn union(
    registry: &Registry,
    members: &[UnionMember],
    is_closed: bool,
    value: Value<'_>,
) -> Verdict {
    let type_name = value.as_object().and_then(|object| object.text("$type"));
    let Some(type_name) = type_name else {
        return Err(Violation::new("an object with a $type"));
    };
    let type_name = type_name.decoded();
    let name = type_name.strip_prefix("lex:").unwrap_or(&type_name);
    let name = name.strip_suffix("#main").unwrap_or(name);
    if let Some(member) = members.iter().find(|member| member.name == name) {
        return check(registry, member.id, value);
    }
    // The reference resolves the name before it looks for it; these fail there.
    let is_resolvable = !type_name.starts_with('#') && type_name.matches('#').count() < 2;
    ensure(is_resolvable, || "an object whose $type names a definition")?;
    ensure(!is_closed, || "of one of the types of a closed union")
}

fn text(rules: &TextRules, value: Text<'_>) -> Verdict {
    if rules.take_any_of(value.longest()) {
        return Ok(());
    }
    let text = &*value.decoded();
    in_range(rules.length, &text.len(), " bytes long")?;
    if let Some(max) = rules.graphemes.max {
        ensure(grapheme_count_at_most(text, max), || {
            format!("at most {max} graphemes long")
        })?;
    }
    if let Some(min) = rules.graphemes.min {
        let is_short = min > 0 && grapheme_count_at_most(text, min - 1);
        ensure(!is_short, || format!("at least {min} graphemes long"))?;
    }
    if let Some(format) = &rules.format {
        ensure((format.accepts)(text), || {
            format!("of the format {}", format.name)
        })?;
    }
    match &rules.choices {
        None => Ok(()),
        Some(choices) => one_of(Some(choices), text),
    }
}

fn one_of<T: PartialEq<V> + fmt::Debug, V: ?Sized>(choices: Option<&[T]>, value: &V) -> Verdict {
    match choices {
        Some(choices) => ensure(choices.iter().any(|choice| choice == value), || {
            format!("one of {choices:?}")
        }),
        None => Ok(()),
    }
}

fn in_range<T: PartialOrd + fmt::Display>(range: Range<T>, value: &T, unit: &str) -> Verdict {
    if let Some(min) = range.min {
        ensure(*value >= min, || format!("at least {min}{unit}"))?;
    }
    if let Some(max) = range.max {
        ensure(*value <= max, || format!("at most {max}{unit}"))?;
    }
    Ok(())
}
