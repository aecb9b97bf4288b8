//! The source of a record as its text in the database: most records come as they are printed, or nearly so.

use std::ops::Range;

use crate::Arena;
use crate::print::{Out, print};
use crate::tree::Tree;
use crate::word::Word;

/// With more changes, printing all of it is as quick; so they take no memory to speak of.
const MANY: usize = 100;

/// A part of the source that is printed in another way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The value, or a key.
    pub(crate) word: Word,
}

/// The changes of a text, in its order; none lies in another.
#[derive(Default)]
pub(crate) struct Changes {
    all: Vec<Change>,
    /// Something else is different as well: white space, a member that is left out.
    are_incomplete: bool,
}

impl Changes {
    pub(crate) fn clear(&mut self) {
        self.all.clear();
        self.are_incomplete = false;
    }

    /// Notes that `part`, which ends where the parser is, is printed as `word`.
    pub(crate) fn add(&mut self, part: Range<usize>, word: Word) {
        let is_within = |change: &Change| change.start >= part.start;
        while self.all.pop_if(|change| is_within(change)).is_some() {}
        if self.all.len() >= MANY {
            self.give_up();
        }
        if self.are_incomplete {
            return;
        }
        self.all.push(Change {
            start: part.start,
            end: part.end,
            word,
        });
    }

    pub(crate) fn give_up(&mut self) {
        self.are_incomplete = true;
    }

    /// Becomes what `others` has within `part`.
    pub(crate) fn take(&mut self, others: &Self, part: &Range<usize>) {
        self.all.clear();
        self.are_incomplete = others.are_incomplete;
        if self.are_incomplete {
            return;
        }
        let is_before = |change: &Change| change.start < part.start;
        let first = others.all.partition_point(is_before);
        let rest = others.all.get(first..).unwrap_or_default();
        let within = rest.iter().take_while(|change| change.end <= part.end);
        self.all.extend(within);
    }

    /// What is known of the value at `part`; None where it has to be printed.
    pub(crate) fn of<'a>(
        &self,
        tree: &'a Tree<'a>,
        part: Range<usize>,
        arena: &'a Arena,
    ) -> Option<Source<'a>> {
        if self.are_incomplete {
            return None;
        }
        Some(Source {
            tree,
            text: tree.source.get(part.clone())?,
            start: part.start,
            changes: arena.alloc_slice_copy(&self.all),
        })
    }
}

/// The source of an object, and how it differs from the object's text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    tree: &'a Tree<'a>,
    text: &'a str,
    /// Where it starts in the source of the message, by which the changes count.
    start: usize,
    changes: &'a [Change],
}

impl<'a> Source<'a> {
    /// What [`print()`] makes of the object, if that is a part of the message.
    pub(crate) fn as_is(self) -> Option<&'a str> {
        self.changes.is_empty().then_some(self.text)
    }

    /// What [`print()`] makes of the object.
    pub(crate) fn print(self, out: &mut impl Out) {
        let mut at = 0;
        for change in self.changes {
            out.push_str(&self.text[at..change.start - self.start]);
            print(self.tree.value(change.word), out);
            at = change.end - self.start;
        }
        out.push_str(&self.text[at..]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::json::Parser;

    const CID: &str = "bafkreidmlxqhnweze2fp4uqytsnbcwooj4votcguefexlwot6plzyxoigm";
    const SPELLINGS: &[&str] = &[
        "null",
        "true",
        "0",
        "-0",
        "7",
        "-12",
        "1.0",
        "1e3",
        "0.5",
        "123456789012345",
        "1234567890123456",
        r#""""#,
        r#""a""#,
        r#""\n\t\b\f\r\"\\""#,
        r#""\/""#,
        r#""\u000a""#,
        r#""\u001f""#,
        r#""\u001F""#,
        r#""\u0000""#,
        r#""\u00e9""#,
        r#""\ud83d\ude00""#,
        r#""\ud800""#,
        r#""\uD800""#,
        r#""\udc00\ud800x""#,
        "\"é😀\u{7f}\"",
        "{}",
        "[]",
        r#"{"$bytes":"AQI"}"#,
        r#"{"$bytes":"AQI="}"#,
        r#"{"$bytes":"\/\/8"}"#,
        r#"{"$link":"CID"}"#,
        r#"{"$link":"zb2rhe5P4gXftAwvA4eXQ5HJwsER2owDyS9sKaQRRVQPn93bA"}"#,
        r#"{"$link":"\u0062CID"}"#,
        r#"{"cid":"CID","mimeType":"\/"}"#,
        r#"{"mimeType":"a","cid":"CID"}"#,
        r#"{"$type":"blob","ref":{"$link":"CID"},"mimeType":"a","size":1}"#,
        r#"{"$type":"blob","ref":{"$link":"CID"},"mimeType":"\/","size":1.0}"#,
        r#"{"$type":"blob","ref":"CID","mimeType":"a","size":1}"#,
        r#"{"$type":"blob","ref":"CID","mimeType":"a","size":1,"x":1.0}"#,
        r#"{"size":1,"ref":{"$link":"CID"},"mimeType":"a","$type":"blob"}"#,
        r#"{"$type":"blob"}"#,
    ];
    const KEYS: &[&str] = &[
        "a",
        "b",
        "c",
        "1",
        "0",
        r"\u0061",
        r"\n",
        r"\ud800",
        "$type",
        "ref",
        "record",
        "__proto__",
        "é",
    ];

    fn json() -> impl Strategy<Value = String> {
        let leaf = select(SPELLINGS).prop_map(|text| text.replace("CID", CID));
        leaf.prop_recursive(4, 40, 6, |inner| {
            let items = prop::collection::vec(inner.clone(), 0..6);
            let members = prop::collection::vec((select(KEYS), inner), 0..6);
            // Most without white space, where nothing could be kept.
            let space = select(&["", "", "", "", " "][..]);
            prop_oneof![
                items.prop_map(|items| format!("[{}]", items.join(","))),
                (members, space).prop_map(|(members, space)| {
                    let members = members
                        .into_iter()
                        .map(|(key, value)| format!("\"{key}\":{space}{value}"));
                    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
                }),
            ]
        })
    }

    /// How a record is printed: from its source, and from its value.
    fn both(message: &str) -> Option<(String, String)> {
        let arena = Arena::new();
        let document = Parser::default().parse(message, &arena).unwrap();
        let source = document.source_of_record?;
        let record = document.value.as_object()?.get("record")?;
        let (mut kept, mut printed) = (String::new(), String::new());
        source.print(&mut kept);
        print(record, &mut printed);
        Some((kept, printed))
    }

    proptest! {
        #[test]
        fn the_source_is_printed_as_the_value_is(
            record in json(),
            before in json(),
            after in json(),
            // Some of these change the message around the record, too.
            key in select(&["b", "a", "1", "__proto__", "\\u0062"][..]),
        ) {
            let message = format!(r#"{{"a":{before},"record":{record},"{key}":{after}}}"#);
            if let Some((kept, printed)) = both(&message) {
                prop_assert_eq!(kept, printed);
            }
        }
    }

    #[test]
    fn what_is_printed_as_it_came_is_not_copied() {
        let message = r#"{"record":{"a":[1,"x\n",{"b":null}]},"a":1.0}"#;
        let arena = Arena::new();
        let document = Parser::default().parse(message, &arena).unwrap();
        let source = document.source_of_record.unwrap();
        let kept = source.as_is().unwrap();
        assert_eq!(kept, r#"{"a":[1,"x\n",{"b":null}]}"#);
        assert!(message.as_bytes().as_ptr_range().contains(&kept.as_ptr()));
    }

    #[test]
    fn changes_are_put_in_their_places() {
        let message =
            r#"{"x":"\/","record":{"a":1.0,"b":{"c":"\/","1":2e0,"0":0},"\u0064":-0},"y":1.0}"#;
        let (kept, printed) = both(message).unwrap();
        assert_eq!(kept, r#"{"a":1,"b":{"0":0,"1":2,"c":"/"},"d":0}"#);
        assert_eq!(kept, printed);
    }

    #[test]
    fn changes_of_the_message_leave_those_of_the_record() {
        for after in [r#","a":2"#, r#","1":0"#, r#","__proto__":0"#, " "] {
            let message = format!(r#"{{"a":1,"record":{{"b":1,"b":2,"c":1.0}}{after}}}"#);
            let (kept, printed) = both(&message).unwrap();
            assert_eq!(kept, r#"{"b":2,"c":1}"#);
            assert_eq!(kept, printed);
        }
    }

    #[test]
    fn a_record_with_many_changes_is_printed() {
        let few = format!(r#"{{"record":{{"a":[{}0]}}}}"#, "1.0,".repeat(MANY));
        assert!(both(&few).is_some_and(|(kept, printed)| kept == printed));
        let many = few.replacen("1.0", "1.0,1.0", 1);
        assert!(both(&many).is_none());
    }

    #[test]
    fn the_last_record_counts() {
        let (kept, _) = both(r#"{"record":{"a":1},"record":{"b":2},"x":{}}"#).unwrap();
        assert_eq!(kept, r#"{"b":2}"#);
        assert!(both(r#"{"record":{"a":1},"record":2}"#).is_none());
        let (kept, _) = both(r#"{"record":2,"record":{"a":1}}"#).unwrap();
        assert_eq!(kept, r#"{"a":1}"#);
        let (kept, _) = both(r#"{"x":{"record":{"a":1}},"record":{}}"#).unwrap();
        assert_eq!(kept, "{}");
    }
}
