//! The properties of an object as JavaScript has them.

use crate::text::Text;
use crate::tree::Tree;
use crate::word::{Tag, Word};

/// Above this many members duplicates are found by sorting instead of comparing each with each.
const FEW: usize = 16;
/// The largest canonical integer key that is an array index (ECMA-262 6.1.7) is one less: keys that are none come last.
const NO_INDEX: u32 = u32::MAX;

/// What the keys of an object say about it, while it is read.
#[derive(Clone, Copy, Default)]
pub(crate) struct Facts {
    /// Of the [marks](mark) of the keys.
    seen: u64,
    /// Where among the words the value of the last `$type` is; 0 if there is none.
    pub(crate) type_at: usize,
    /// It may not be in JavaScript's form: [`settle`] has to look.
    pub(crate) may_be_unsettled: bool,
    /// A key has escapes.
    pub(crate) has_escapes: bool,
    /// It may stand for something else: it has a key that bytes, links and blobs without a type have.
    pub(crate) may_be_other: bool,
}

impl Facts {
    /// Takes a key without escapes, whose value will be at `value_at` among the words.
    #[inline]
    pub(crate) fn add(&mut self, key: &[u8], value_at: usize) {
        let bit = 1 << mark(key);
        let is_number = key.first().is_some_and(u8::is_ascii_digit);
        self.may_be_unsettled |= self.seen & bit != 0 || is_number;
        self.seen |= bit;
        match key {
            b"$type" => self.type_at = value_at,
            b"$link" | b"$bytes" | b"mimeType" => self.may_be_other = true,
            b"__proto__" => self.may_be_unsettled = true,
            _ => (),
        }
    }

    #[cold]
    pub(crate) fn add_escaped(&mut self, key: Text<'_>, value_at: usize) {
        self.has_escapes = true;
        self.may_be_unsettled = true;
        self.may_be_other = true;
        if key == *TYPE {
            self.type_at = value_at;
        }
    }
}

/// The member that says what an object is.
pub(crate) const TYPE: &str = "$type";
/// JavaScript's assignment to it makes no property (records.md 7).
const PROTO: &str = "__proto__";

/// What [`mark`] gives is below.
pub(crate) const MARKS: usize = 64;

/// A number made of first and middle byte and length. With these factors no two keys of an object that our lexicons or messages
/// know have the same.
#[inline]
pub(crate) fn mark(key: &[u8]) -> usize {
    let [first, ..] = key else {
        return 0;
    };
    let [first, middle] = [*first, key[key.len() / 2]].map(usize::from);
    let length = key.len().wrapping_mul(5);
    (16 * first + middle).wrapping_add(length) % MARKS
}

/// A key and its value.
pub(crate) type Pair = [Word; 2];

/// Brings members into JavaScript's form: of equal keys the first keeps its place and takes the last one's value, and keys
/// that are array indexes come first, ascending; `__proto__` is left out. Returns how many there are then, if that changed
/// anything.
pub(crate) fn settle(members: &mut [Pair], tree: &Tree<'_>) -> Option<usize> {
    let all = members.len();
    let members = without_proto(members, tree);
    let may_merge = members.len() > FEW || has_equal_pair(members, tree);
    let count = if may_merge {
        merge(members, tree)
    } else {
        members.len()
    };
    let is_sorted = sort(&mut members[..count], tree);
    (count < all || is_sorted).then_some(count)
}

/// Leaves the others at the front.
fn without_proto<'a>(members: &'a mut [Pair], tree: &Tree<'_>) -> &'a mut [Pair] {
    let mut count = 0;
    for place in 0..members.len() {
        if !tree.is(members[place][0], PROTO) {
            members[count] = members[place];
            count += 1;
        }
    }
    &mut members[..count]
}

/// Compares each key with each.
fn has_equal_pair(members: &[Pair], tree: &Tree<'_>) -> bool {
    members.iter().enumerate().any(|(place, [key, _])| {
        let key = tree.text(*key);
        let earlier = &members[..place];
        earlier
            .iter()
            .any(|[earlier, _]| tree.text(*earlier) == key)
    })
}

/// Leaves one member of each key, at the front; returns how many these are.
fn merge(members: &mut [Pair], tree: &Tree<'_>) -> usize {
    let key = |members: &[Pair], place: u32| tree.text(members[place as usize][0]);
    let mut sorted: Vec<u32> = (0..).take(members.len()).collect();
    sorted.sort_unstable_by(|left, right| {
        let by_key = key(members, *left).order(key(members, *right));
        by_key.then(left.cmp(right))
    });
    let mut rest = sorted.as_slice();
    while let [first, others @ ..] = rest {
        let same = key(members, *first);
        let end = others.partition_point(|other| key(members, *other) == same);
        let (repeated, others) = others.split_at(end);
        if let Some(last) = repeated.last() {
            members[*first as usize][1] = members[*last as usize][1];
        }
        for place in repeated {
            members[*place as usize][0] = DROPPED;
        }
        rest = others;
    }
    let mut count = 0;
    for place in 0..members.len() {
        if members[place][0] != DROPPED {
            members[count] = members[place];
            count += 1;
        }
    }
    count
}

/// Stands for the key of a member that goes: keys are texts.
const DROPPED: Word = Word::plain(Tag::Null);

/// Brings array indexes to the front; returns whether that changed the order.
fn sort(members: &mut [Pair], tree: &Tree<'_>) -> bool {
    let index = |pair: &Pair| index(tree.text(pair[0]));
    if members.is_sorted_by_key(index) {
        return false;
    }
    members.sort_by_cached_key(index);
    true
}

/// The number of a key that is an array index in canonical spelling.
fn index(key: Text<'_>) -> u32 {
    let text = key.decoded();
    let is_canonical = text.len() <= 10
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (*text == *"0" || !text.starts_with('0'));
    if is_canonical {
        // What is empty or above 32 bits is none; the largest number of these is none, too.
        text.parse().unwrap_or(NO_INDEX)
    } else {
        NO_INDEX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The settled keys with the place each value came from.
    fn settled(keys: &[&str]) -> Vec<(String, usize)> {
        let source = keys.concat();
        let tree = Tree {
            source: &source,
            words: &[],
        };
        let mut at = 0;
        let pair = |(place, key): (usize, &&str)| {
            at += key.len();
            let key = Word::span(Tag::Text, at - key.len(), at, 0);
            [key, Word::integer(i64::try_from(place).unwrap())]
        };
        let mut members: Vec<Pair> = keys.iter().enumerate().map(pair).collect();
        let count = settle(&mut members, &tree).unwrap_or(keys.len());
        let found = members.iter().take(count).map(|[key, value]| {
            let text = tree.text(*key).decoded().into_owned();
            (text, usize::try_from(value.as_integer()).unwrap())
        });
        found.collect()
    }

    fn pairs(expected: &[(&str, usize)]) -> Vec<(String, usize)> {
        expected
            .iter()
            .map(|(key, place)| ((*key).to_owned(), *place))
            .collect()
    }

    #[test]
    fn a_repeated_key_keeps_its_first_place_and_takes_the_last_value() {
        assert_eq!(
            settled(&["a", "b", "a", "c", "a", "b"]),
            pairs(&[("a", 4), ("b", 5), ("c", 3)])
        );
    }

    #[test]
    fn many_members_settle_like_few() {
        let keys: Vec<String> = (0..40).map(|number| format!("k{}", number % 30)).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let result = settled(&keys);
        assert_eq!(result.len(), 30);
        assert_eq!(result[3], ("k3".to_owned(), 33));
        assert_eq!(result[12], ("k12".to_owned(), 12));
    }

    #[test]
    fn array_indexes_come_first_in_their_order() {
        assert_eq!(
            settled(&[
                "b",
                "10",
                "2",
                "a",
                "01",
                "-1",
                "4294967294",
                "4294967295",
                "0",
                "1.0"
            ]),
            pairs(&[
                ("0", 8),
                ("2", 2),
                ("10", 1),
                ("4294967294", 6),
                ("b", 0),
                ("a", 3),
                ("01", 4),
                ("-1", 5),
                ("4294967295", 7),
                ("1.0", 9),
            ])
        );
    }
}
