//! Labels of both dialects: `{"type":"label","label":{…}}` of the TypeScript producer, one label an entry, and
//! `{"seq":…,"labels":[…]}` of the Rust one, a frame an entry (streams.md 4). The shape tells which.

use crate::Arena;
use crate::envelope::{object, present};
use crate::reject::{Ignored, Reason, Reject, Unusable};
use crate::text::Text;
use crate::value::{Object, Value};

/// A label, as its row has it (actors.md 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    pub src: &'a str,
    pub uri: &'a str,
    /// Empty where the label has none.
    pub cid: &'a str,
    pub val: &'a str,
    pub neg: bool,
    /// Verbatim, but for the Rust producer's spelling of a time.
    pub cts: &'a str,
    pub exp: Option<&'a str>,
}

/// No label in a frame takes fewer bytes.
const SHORTEST: usize = r#"{"src":"a","uri":"a","val":"a","cts":"a"}"#.len();

/// The labels of a parsed entry, in its order. A bad one spoils them all: an entry is applied whole or not at all.
/// `length` is that of the entry.
pub(crate) fn decode<'a>(
    message: Value<'a>,
    length: usize,
    arena: &'a Arena,
) -> Result<Vec<Label<'a>>, Unusable> {
    let Some(message) = object(message)? else {
        return Err(Ignored::UnknownType.into());
    };
    let label = |value, place| Reader::new(value, place, arena)?.label();
    match (message.get("type"), message.get("labels")) {
        (Some(Value::Text(kind)), _) if kind == *"label" => {
            Ok(vec![label(message.get("label"), None)?])
        }
        (None, Some(Value::Array(array))) => {
            let mut labels = Vec::with_capacity(array.len().min(length / SHORTEST));
            for (place, item) in array.items().enumerate() {
                labels.push(label(Some(item), Some(place))?);
            }
            Ok(labels)
        }
        (None, Some(_)) => {
            let detail = "labels is not an array";
            Err(Reject::new(Reason::MissingField, "labels", detail).into())
        }
        _ => Err(Ignored::UnknownType.into()),
    }
}

/// One label of an entry.
struct Reader<'a> {
    object: Object<'a>,
    /// Its place in a frame, from 0.
    place: Option<usize>,
    arena: &'a Arena,
}

impl<'a> Reader<'a> {
    fn new(
        value: Option<Value<'a>>,
        place: Option<usize>,
        arena: &'a Arena,
    ) -> Result<Self, Reject> {
        let Some(object) = value.and_then(Value::as_object) else {
            let path = place.map_or_else(|| "label".to_owned(), |place| format!("labels/{place}"));
            let detail = format!("{path} is not an object");
            return Err(Reject::new(Reason::MissingField, &path, detail));
        };
        Ok(Self {
            object,
            place,
            arena,
        })
    }

    fn label(&self) -> Result<Label<'a>, Reject> {
        let (src, uri) = (self.required("src")?, self.required("uri")?);
        let (val, cts) = (self.required("val")?, self.required("cts")?);
        Ok(Label {
            src: self.clean(src, "src")?,
            uri: self.clean(uri, "uri")?,
            cid: self.optional("cid")?.unwrap_or_default(),
            val: self.clean(val, "val")?,
            neg: self.object.get("neg").is_some_and(Value::is_truthy),
            cts: typescript_spelling(self.clean(cts, "cts")?, self.arena),
            exp: self.optional("exp")?,
        })
    }

    fn required(&self, name: &str) -> Result<Text<'a>, Reject> {
        present(self.object.get(name), name).map_err(|reject| Reject {
            place: self.path(name),
            ..reject
        })
    }

    /// A text, if there is something: what is neither null nor text is not guessed at.
    fn optional(&self, name: &str) -> Result<Option<&'a str>, Reject> {
        match self.object.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Text(text)) => self.clean(text, name).map(Some),
            Some(_) => Err(self.bad(name, "is not a string")),
        }
    }

    /// All texts of a label identify something, so none is mended.
    fn clean(&self, text: Text<'a>, name: &str) -> Result<&'a str, Reject> {
        if text.is_clean() {
            Ok(text.decoded_in(self.arena))
        } else {
            Err(self.bad(name, "holds NUL or a lone surrogate"))
        }
    }

    fn bad(&self, name: &str, what: &str) -> Reject {
        let detail = format!("{name} {what}");
        Reject::new(Reason::BadLabel, self.path(name), detail)
    }

    fn path(&self, name: &str) -> String {
        match self.place {
            None => name.to_owned(),
            Some(place) => format!("labels/{place}/{name}"),
        }
    }
}

/// `YYYY-MM-DD HH:MM:SS[.fraction] UTC` as `YYYY-MM-DDTHH:mm:ss.sssZ`, cut to milliseconds; any other text as it is.
fn typescript_spelling<'a>(cts: &'a str, arena: &'a Arena) -> &'a str {
    let Some((date, time, fraction)) = rust_spelling(cts) else {
        return cts;
    };
    arena.alloc_str(&format!("{date}T{time}.{fraction:0<3.3}Z"))
}

/// Date, time and the digits of the fraction of a time as the Rust producer spells it.
fn rust_spelling(cts: &str) -> Option<(&str, &str, &str)> {
    let (head, fraction) = cts.strip_suffix(" UTC")?.split_at_checked(19)?;
    let fraction = match fraction.strip_prefix('.') {
        Some("") => return None,
        Some(digits) => digits,
        None if fraction.is_empty() => "0",
        None => return None,
    };
    let has_shape = head
        .bytes()
        .zip(*b"0000-00-00 00:00:00")
        .all(|(byte, shape)| {
            if shape == b'0' {
                byte.is_ascii_digit()
            } else {
                byte == shape
            }
        });
    let has_digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    (has_shape && has_digits).then(|| (&head[..10], &head[11..], fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spelled(cts: &str) -> String {
        typescript_spelling(cts, &Arena::new()).to_owned()
    }

    #[test]
    fn the_rust_spelling_of_a_time_becomes_the_typescript_one() {
        for (rust, typescript) in [
            ("2025-10-20 10:11:12 UTC", "2025-10-20T10:11:12.000Z"),
            ("2025-10-20 10:11:12.5 UTC", "2025-10-20T10:11:12.500Z"),
            ("2025-10-20 10:11:12.045 UTC", "2025-10-20T10:11:12.045Z"),
            ("2025-10-20 10:11:12.999999 UTC", "2025-10-20T10:11:12.999Z"),
            (
                "2025-10-20 10:11:12.123456789 UTC",
                "2025-10-20T10:11:12.123Z",
            ),
            ("2016-12-31 23:59:60.25 UTC", "2016-12-31T23:59:60.250Z"),
        ] {
            assert_eq!(spelled(rust), typescript);
        }
    }

    #[test]
    fn any_other_spelling_is_kept() {
        for cts in [
            "zzz",
            " UTC",
            "2025-10-20T10:11:12.123Z",
            "2025-10-20T10:11:12Z",
            "2025-10-20T10:11:12 UTC",
            "2025-10-20 10:11:12",
            "2025-10-20 10:11:12Z",
            "2025-10-20 10:11:12  UTC",
            "2025-10-20 10:11:12. UTC",
            "2025-10-20 10:11:12.1a UTC",
            "2025-10-20 10:11:12,5 UTC",
            "2025-10-20 10:11:12 UTC ",
            "2025-10-20 10:11:12 utc",
            "2025-1-020 10:11:12 UTC",
            "+12025-10-20 10:11:12 UTC",
            "2025-10-20 10:11:1é UTC",
            "２025-10-20 10:11:12 UTC",
        ] {
            assert_eq!(spelled(cts), cts);
        }
    }
}
