//! Values against lexicon types, as the reference's validator does it (records.md 3.1).

use std::fmt;

use super::Collection;
use super::types::{
    DeclaredMember, Properties, Property, Range, Registry, TextRules, Type, TypeId, UnionMember,
};
use crate::graphemes::grapheme_count_at_most;
use crate::text::Text;
use crate::value::{Array, Object, Value};

/// A rule that a record breaks, and where. There are few, so they take no room in what is returned where there is none.
#[derive(Debug)]
pub(crate) struct Violation(Box<Broken>);

#[derive(Debug)]
struct Broken {
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
    #[cold]
    pub(super) fn new(rule: impl Into<String>) -> Self {
        Self(Box::new(Broken {
            steps: Vec::new(),
            rule: rule.into(),
        }))
    }

    #[cold]
    fn at(mut self, step: Step) -> Self {
        self.0.steps.push(step);
        self
    }

    /// Keys and indexes with slashes between them; empty for the record itself.
    pub(crate) fn path(&self) -> String {
        let steps = self.0.steps.iter().rev().map(|step| match step {
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
        write!(formatter, "{place} must be {}", self.0.rule)
    }
}

pub(crate) type Verdict = Result<(), Violation>;

/// `rule` completes "must be".
fn ensure<R: Into<String>>(is_kept: bool, rule: impl FnOnce() -> R) -> Verdict {
    if is_kept {
        Ok(())
    } else {
        Err(Violation::new(rule()))
    }
}

/// Checks a record of a collection.
pub(super) fn record(
    registry: &Registry,
    collection: Collection,
    record: Value<'_>,
    declared: &[DeclaredMember<'_>],
) -> Verdict {
    let Value::Object(found) = record else {
        return Err(Violation::new("an object"));
    };
    let is_own_type = found.text("$type").is_some_and(|text| {
        let text = text.decoded();
        text.strip_prefix("lex:").unwrap_or(&text) == collection.nsid()
    });
    ensure(is_own_type, || collection.nsid())
        .map_err(|violation| violation.at(Step::Key("$type".to_owned())))?;
    object(
        registry,
        registry.record(collection.index()),
        found,
        declared,
    )
}

/// Checks an object. Of what is wrong the first in the order of the lexicon counts.
pub(super) fn object(
    registry: &Registry,
    properties: &Properties,
    found: Object<'_>,
    declared: &[DeclaredMember<'_>],
) -> Verdict {
    let check = |order| Check { registry, order };
    let members = declared
        .iter()
        .map(|(member, property)| (*property, member.value));
    check(Order::Members)
        .members(properties, members)
        .or_else(|_| check(Order::Properties).object(properties, found))
}

/// What an object is walked by. Members are fewer, so this is quicker, and says as well whether anything is wrong.
#[derive(Clone, Copy)]
enum Order {
    Members,
    Properties,
}

#[derive(Clone, Copy)]
struct Check<'r> {
    registry: &'r Registry,
    order: Order,
}

impl Check<'_> {
    fn object(self, properties: &Properties, found: Object<'_>) -> Verdict {
        match self.order {
            Order::Members => {
                let members = found.members();
                let declared = members
                    .filter_map(|member| Some((properties.named(member.key)?, member.value)));
                self.members(properties, declared)
            }
            Order::Properties => properties.all.iter().try_for_each(|property| {
                let verdict = match found.get(&property.name) {
                    None => ensure(!property.is_required, || "present"),
                    Some(value) => self.property(property, value),
                };
                verdict.map_err(|violation| violation.at(Step::Key(property.name.clone())))
            }),
        }
    }

    /// Which of several violations it finds, and where, means nothing.
    fn members<'v>(
        self,
        properties: &Properties,
        declared: impl Iterator<Item = (&'v Property, Value<'v>)>,
    ) -> Verdict {
        let mut missing = properties.required;
        for (property, value) in declared {
            self.property(property, value)?;
            missing -= usize::from(property.is_required);
        }
        ensure(missing == 0, || "present")
    }

    fn property(self, property: &Property, value: Value<'_>) -> Verdict {
        match value {
            Value::Null if property.is_nullable => Ok(()),
            _ => self.value(property.id, value),
        }
    }

    fn value(self, id: TypeId, value: Value<'_>) -> Verdict {
        match (self.registry.get(id), value) {
            (Type::Text(rules), Value::Text(value)) => text(rules, value),
            (Type::Object(properties), Value::Object(found)) => self.object(properties, found),
            (Type::Union { members, is_closed }, value) => self.union(members, *is_closed, value),
            (Type::Array { items, length }, Value::Array(values)) => {
                self.array(*items, *length, values)
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
                Value::Object(_)
                | Value::Array(_)
                | Value::Link(_)
                | Value::Bytes(_)
                | Value::Blob(_),
            ) => Ok(()),
            (other, _) => Err(Violation::new(other.description())),
        }
    }

    fn array(self, items: TypeId, length: Range<usize>, values: Array<'_>) -> Verdict {
        in_range(length, &values.len(), " items long")?;
        for (index, value) in values.items().enumerate() {
            self.value(items, value)
                .map_err(|violation| violation.at(Step::Index(index)))?;
        }
        Ok(())
    }

    fn union(self, members: &[UnionMember], is_closed: bool, value: Value<'_>) -> Verdict {
        let type_name = value.as_object().and_then(|object| object.text("$type"));
        let Some(type_name) = type_name else {
            return Err(Violation::new("an object with a $type"));
        };
        let type_name = type_name.decoded();
        let name = type_name.strip_prefix("lex:").unwrap_or(&type_name);
        let name = name.strip_suffix("#main").unwrap_or(name);
        if let Some(member) = members.iter().find(|member| member.name == name) {
            return self.value(member.id, value);
        }
        // The reference resolves the name before it looks for it; these fail there.
        let is_resolvable = !type_name.starts_with('#') && type_name.matches('#').count() < 2;
        ensure(is_resolvable, || "an object whose $type names a definition")?;
        ensure(!is_closed, || "of one of the types of a closed union")
    }
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
