//! Lexicon documents to a [`Registry`]. A rule that the validator does not know is an error, never left out.

use std::collections::HashMap;

use super::definition::{
    Result, fault, length, number, object, only, plain, require, text, texts, whole,
};
use super::types::{
    Format, Properties, Property, Range, Registry, TextRules, Type, TypeId, UnionMember,
};
use crate::Arena;
use crate::format_names;
use crate::json::Parser;
use crate::value::{Object, Value};

/// Compiles documents; every collection must be the record of one of them.
pub(super) fn registry(documents: &[&str], collections: &[&str]) -> Result<Registry> {
    let arena = Arena::new();
    let mut compiler = Compiler::default();
    let mut definitions = Vec::new();
    for document in documents {
        let document = Parser::default()
            .parse(document, &arena)
            .or_else(|at| fault(format!("a document is no JSON: {at}")))?;
        let document = object(document.value)?;
        let nsid = text(document, "id")?;
        for definition in object(require(document, "defs")?)?.members() {
            let name = full_name(nsid, &format!("#{}", definition.key.decoded()));
            let id = compiler.add(Type::Unfinished);
            compiler.ids.insert(name, id);
            definitions.push((nsid, id, object(definition.value)?));
        }
    }
    for (nsid, id, definition) in definitions {
        // A record's rules are those of its object.
        let definition = match definition.get("record") {
            Some(found) => object(found)?,
            None => definition,
        };
        compiler.types[id.0] = compiler.compile(nsid, definition)?;
    }
    let records = collections
        .iter()
        .map(|nsid| compiler.take_record(nsid))
        .collect::<Result<_>>()?;
    Ok(Registry {
        types: compiler.types,
        records,
    })
}

#[derive(Default)]
struct Compiler {
    types: Vec<Type>,
    /// The named definitions.
    ids: HashMap<String, TypeId>,
}

impl Compiler {
    fn add(&mut self, new: Type) -> TypeId {
        self.types.push(new);
        TypeId(self.types.len() - 1)
    }

    /// The properties of a record. Nothing refers to records, so they may be taken away.
    fn take_record(&mut self, nsid: &str) -> Result<Properties> {
        let Some(id) = self.ids.get(nsid) else {
            return fault(format!("no document defines {nsid}"));
        };
        match std::mem::replace(&mut self.types[id.0], Type::Unfinished) {
            Type::Object(properties) => Ok(properties),
            _ => fault(format!("{nsid} is no record")),
        }
    }

    /// The place of a type that stands within the document `nsid`.
    fn id(&mut self, nsid: &str, definition: Value<'_>) -> Result<TypeId> {
        let definition = object(definition)?;
        if text(definition, "type")? == "ref" {
            only(definition, &["ref"])?;
            return self.named(nsid, text(definition, "ref")?);
        }
        let compiled = self.compile(nsid, definition)?;
        Ok(self.add(compiled))
    }

    fn named(&self, nsid: &str, reference: &str) -> Result<TypeId> {
        let name = full_name(nsid, reference);
        match self.ids.get(&name) {
            Some(id) => Ok(*id),
            None => fault(format!("no document defines {name}")),
        }
    }

    fn compile(&mut self, nsid: &str, definition: Object<'_>) -> Result<Type> {
        match text(definition, "type")? {
            "boolean" => only(definition, &["default"]).map(|()| Type::Boolean),
            "integer" => {
                only(
                    definition,
                    &["minimum", "maximum", "default", "enum", "const"],
                )?;
                Ok(Type::Integer {
                    range: Range {
                        min: number(definition, "minimum")?,
                        max: number(definition, "maximum")?,
                    },
                    choices: choices(definition, |value| match value {
                        Value::Number(number) => Some(number),
                        _ => None,
                    })?,
                })
            }
            "string" => text_rules(definition).map(Type::Text),
            "bytes" => {
                only(definition, &["minLength", "maxLength"])?;
                Ok(Type::Bytes(length(definition)?))
            }
            "cid-link" => only(definition, &[]).map(|()| Type::Link),
            "blob" => only(definition, &["accept", "maxSize"]).map(|()| Type::Blob),
            "unknown" => only(definition, &[]).map(|()| Type::Unknown),
            "array" => {
                only(definition, &["items", "minLength", "maxLength"])?;
                Ok(Type::Array {
                    items: self.id(nsid, require(definition, "items")?)?,
                    length: length(definition)?,
                })
            }
            "object" => self.object(nsid, definition),
            "union" => self.union(nsid, definition),
            // A named token has no values of its own.
            "token" => Ok(Type::Unknown),
            other => fault(format!("{nsid}: unknown type {other}")),
        }
    }

    fn object(&mut self, nsid: &str, definition: Object<'_>) -> Result<Type> {
        only(definition, &["properties", "required", "nullable"])?;
        let required = texts(definition, "required")?;
        let nullable = texts(definition, "nullable")?;
        let declared = definition.get("properties").map(object).transpose()?;
        for name in &required {
            if declared.and_then(|declared| declared.get(name)).is_none() {
                return fault(format!("{nsid}: {name} is required but not defined"));
            }
        }
        let mut properties = Vec::new();
        for property in declared.into_iter().flat_map(Object::members) {
            let name = &*property.key.decoded();
            properties.push(Property {
                name: name.to_owned(),
                id: self.id(nsid, property.value)?,
                is_required: required.contains(&name),
                is_nullable: nullable.contains(&name),
            });
        }
        if properties.len() >= usize::from(u8::MAX) {
            return fault(format!("{nsid}: an object of too many properties"));
        }
        Ok(Type::Object(Properties::new(properties)))
    }

    fn union(&mut self, nsid: &str, definition: Object<'_>) -> Result<Type> {
        only(definition, &["refs", "closed"])?;
        let mut members = Vec::new();
        for reference in texts(definition, "refs")? {
            members.push(UnionMember {
                name: full_name(nsid, reference),
                id: self.named(nsid, reference)?,
            });
        }
        Ok(Type::Union {
            members,
            is_closed: matches!(definition.get("closed"), Some(Value::Bool(true))),
        })
    }
}

fn text_rules(definition: Object<'_>) -> Result<TextRules> {
    only(
        definition,
        &[
            "const",
            "default",
            "enum",
            "format",
            "knownValues",
            "maxGraphemes",
            "maxLength",
            "minGraphemes",
            "minLength",
        ],
    )?;
    let format = match definition.get("format") {
        None => None,
        Some(_) => Some(format_named(text(definition, "format")?)?),
    };
    Ok(TextRules::new(
        length(definition)?,
        Range {
            min: whole(definition, "minGraphemes")?,
            max: whole(definition, "maxGraphemes")?,
        },
        format,
        choices(definition, |value| plain(value).map(str::to_owned))?,
    ))
}

/// The values that `enum` or `const` leaves.
fn choices<T>(
    definition: Object<'_>,
    read: impl Fn(Value<'_>) -> Option<T>,
) -> Result<Option<Vec<T>>> {
    let values = match (definition.get("const"), definition.get("enum")) {
        (None, None) => return Ok(None),
        (Some(value), _) => read(value).map(|value| vec![value]),
        (None, Some(Value::Array(values))) => values.items().map(read).collect(),
        (None, Some(_)) => None,
    };
    values.map_or_else(
        || fault("enum or const of another type"),
        |values| Ok(Some(values)),
    )
}

fn format_named(name: &str) -> Result<Format> {
    match format_names::format_named(name) {
        Some((name, accepts)) => Ok(Format { name, accepts }),
        None => fault(format!("unknown format {name}")),
    }
}

/// NSID and name of the definition that a reference within the document `nsid` means; without the name `main`.
fn full_name(nsid: &str, reference: &str) -> String {
    let name = if reference.starts_with('#') {
        format!("{nsid}{reference}")
    } else {
        reference.to_owned()
    };
    name.strip_suffix("#main")
        .map_or(name.clone(), str::to_owned)
}
