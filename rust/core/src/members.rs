//! The properties of an object as JavaScript has them.

use crate::text::Text;
use crate::value::Member;

/// Above this many members duplicates are found by sorting instead of comparing each with each.
const FEW: usize = 16;
/// The largest canonical integer key that is an array index (ECMA-262 6.1.7): 2^32 - 2.
const MAX_INDEX: u64 = 4_294_967_294;

/// Brings the members from `start` on into JavaScript's form: of equal keys the first keeps its place and takes the last
/// one's value, and keys that are array indexes come first, ascending. Whether that changed anything. Without `may_be_indexes`
/// no key [starts as an index](starts_as_index).
pub(crate) fn settle(members: &mut Vec<Member<'_>>, start: usize, may_be_indexes: bool) -> bool {
    let mut is_changed = false;
    let own = &mut members[start..];
    if may_have_duplicates(own) {
        let has_duplicates = if own.len() <= FEW {
            has_equal_pair(own)
        } else {
            has_equal_neighbours(&sorted(own), own)
        };
        if has_duplicates {
            merge_duplicates(members, start);
            is_changed = true;
        }
    }
    let own = &mut members[start..];
    if may_be_indexes && own.len() > 1 && own.iter().any(|member| index(member).is_some()) {
        own.sort_by_cached_key(|member| index(member).unwrap_or(u64::MAX));
        is_changed = true;
    }
    is_changed
}

/// Whether two keys have the same mark modulo 256: those of most objects have not.
fn may_have_duplicates(members: &[Member<'_>]) -> bool {
    if members.len() < 2 {
        return false;
    }
    let mut seen = [0u64; 4];
    members.iter().any(|member| {
        let mark = mark(member.key.as_str().as_bytes());
        let place = mark.wrapping_mul(0x9e37_79b1) >> 24;
        let bit = 1 << (place & 63);
        let word = &mut seen[(place >> 6) as usize];
        let is_seen = *word & bit != 0;
        *word |= bit;
        is_seen
    })
}

/// Compares each key with each.
fn has_equal_pair(members: &[Member<'_>]) -> bool {
    members.iter().enumerate().any(|(place, member)| {
        members[..place]
            .iter()
            .any(|earlier| earlier.key == member.key)
    })
}

/// What most different keys differ in: first, middle and last byte, and length.
fn mark(key: &[u8]) -> u32 {
    match key {
        [] => 0,
        [first, ..] => u32::from_le_bytes([
            *first,
            key[key.len() / 2],
            key[key.len() - 1],
            key.len().to_le_bytes()[0],
        ]),
    }
}

/// Places of the members ordered by key, equal keys by place.
fn sorted(members: &[Member<'_>]) -> Vec<usize> {
    let mut places: Vec<usize> = (0..members.len()).collect();
    places.sort_by(|left, right| {
        let (left, right) = (members[*left].key, members[*right].key);
        (left.as_str(), left.lone()).cmp(&(right.as_str(), right.lone()))
    });
    places
}

fn has_equal_neighbours(places: &[usize], members: &[Member<'_>]) -> bool {
    places
        .windows(2)
        .any(|pair| members[pair[0]].key == members[pair[1]].key)
}

fn merge_duplicates(members: &mut Vec<Member<'_>>, start: usize) {
    let own = &mut members[start..];
    let mut is_repeated = vec![false; own.len()];
    let places = sorted(own);
    let mut first = 0;
    for pair in places.windows(2) {
        let (earlier, later) = (pair[0], pair[1]);
        if !is_repeated[earlier] {
            first = earlier;
        }
        if own[earlier].key == own[later].key {
            own[first].value = own[later].value;
            is_repeated[later] = true;
        }
    }
    let mut place = 0;
    members.retain(|_| {
        place += 1;
        place <= start || !is_repeated[place - 1 - start]
    });
}

/// Whether a key starts with a digit, as array indexes do.
#[inline]
pub(crate) fn starts_as_index(key: Text<'_>) -> bool {
    key.as_str()
        .as_bytes()
        .first()
        .is_some_and(u8::is_ascii_digit)
}

/// The number of a key that is an array index in canonical spelling.
fn index(member: &Member<'_>) -> Option<u64> {
    let text = member.key.as_str();
    let is_canonical = starts_as_index(member.key)
        && text.len() <= 10
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    is_canonical
        .then(|| text.parse().ok())
        .flatten()
        .filter(|number| *number <= MAX_INDEX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    /// The settled keys with the place each value came from.
    fn settled(keys: &[&str]) -> Vec<(String, usize)> {
        let first = Member {
            key: Text::Plain("before"),
            value: Value::Null,
        };
        let mut members = vec![first];
        let places: Vec<String> = (0..keys.len()).map(|place| place.to_string()).collect();
        for (key, place) in keys.iter().zip(&places) {
            members.push(Member {
                key: Text::Plain(key),
                value: Value::Bytes(place),
            });
        }
        settle(&mut members, 1, true);
        assert!(members[0].key == *"before");
        members[1..]
            .iter()
            .map(|member| {
                let Value::Bytes(place) = member.value else {
                    unreachable!()
                };
                (member.key.as_str().to_owned(), place.parse().unwrap())
            })
            .collect()
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
