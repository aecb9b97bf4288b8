//! The grammar of the reference's date validator (iso-datestring-validator 2.2.2), with all it lets through.
//!
//! The validator puts the separator that it finds in the text into a regular expression, without quoting it, and allows
//! any character before a fraction. Hence: a full stop as separator stands for any character, other signs of that
//! language match nothing, a bad second of one or two digits passes as a fraction, and a month can be `0,`.
//!
//! Stricter than the validator: `|` is a separator like any other here. There it splits the expression into parts, and
//! nearly any text that holds it matches one of them.

/// Whether the text passes. Parts behind a second `T` count for nothing.
pub(super) fn is_datetime(text: &str) -> bool {
    let mut parts = text.split('T');
    match (parts.next(), parts.next()) {
        (Some(date), Some(time)) => is_date(date) && is_time(time),
        _ => false,
    }
}

/// Four digits, two digits and two digits with separators or none.
fn is_date(date: &str) -> bool {
    let separator = Separator::of_first_non_digit(date);
    let mut reader = Reader(date);
    let Some((year, month, day)) = read_date(&mut reader, separator) else {
        return false;
    };
    reader.0.is_empty() && super::is_date(year, month, day)
}

fn read_date(reader: &mut Reader, separator: Separator) -> Option<(u32, u32, u32)> {
    let year = reader.two_digits()? * 100 + reader.two_digits()?;
    reader.separator(separator)?;
    let month = match reader.0.strip_prefix("0,") {
        Some(rest) => {
            reader.0 = rest;
            // Passes with up to 31 days, like January.
            1
        }
        None => reader.two_digits()?,
    };
    reader.separator(separator)?;
    Some((year, month, reader.two_digits()?))
}

/// A time of day and its zone: none, `Z`, or `+` or `-` with an offset. What follows a second sign counts for nothing.
fn is_time(time: &str) -> bool {
    let separator = Separator::of_time(time);
    if !time.contains(['Z', '+', '-']) {
        return is_time_of_day(time, separator);
    }
    if let Some(time_of_day) = time.strip_suffix('Z') {
        return !time_of_day.contains('Z') && is_time_of_day(time_of_day, separator);
    }
    let mut parts = time.split(['+', '-']);
    match (parts.next(), parts.next()) {
        // Any plus makes the offset a positive one.
        (Some(time_of_day), Some(offset)) => {
            is_time_of_day(time_of_day, separator) && is_offset(offset, time.contains('+'))
        }
        _ => false,
    }
}

/// Hour and minute, then optionally a second, then optionally any character and 1 to 9 digits.
fn is_time_of_day(time: &str, separator: Separator) -> bool {
    let mut reader = Reader(time);
    let Some((hour, minute)) = read_hour_and_minute(&mut reader, separator) else {
        return false;
    };
    let is_in_day = minute < 60 && (hour < 24 || (hour, minute) == (24, 0));
    is_in_day
        && (is_fraction_or_nothing(reader.0)
            || read_second(&mut reader, separator)
                .is_some_and(|second| second <= 60 && is_fraction_or_nothing(reader.0)))
}

fn read_hour_and_minute(reader: &mut Reader, separator: Separator) -> Option<(u32, u32)> {
    let hour = reader.two_digits()?;
    reader.separator(separator)?;
    Some((hour, reader.two_digits()?))
}

fn read_second(reader: &mut Reader, separator: Separator) -> Option<u32> {
    reader.separator(separator)?;
    reader.two_digits()
}

fn is_fraction_or_nothing(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_none_or(|first| {
        let digits = characters.as_str();
        is_any(first)
            && (1..=9).contains(&digits.len())
            && digits.bytes().all(|digit| digit.is_ascii_digit())
    })
}

fn is_offset(offset: &str, is_east: bool) -> bool {
    let separator = Separator::of_first_non_digit(offset);
    let mut reader = Reader(offset);
    read_hour_and_minute(&mut reader, separator).is_some_and(|(hour, minute)| {
        reader.0.is_empty() && super::is_offset_in_use(is_east, hour, minute)
    })
}

/// What stands between two numbers.
#[derive(Clone, Copy)]
enum Separator {
    Nothing,
    This(char),
    Any,
    /// A sign with a meaning in regular expressions, or a character of two UTF-16 units, of which the validator takes the
    /// first for the separator.
    Never,
}

impl Separator {
    fn of_first_non_digit(text: &str) -> Self {
        text.chars()
            .find(|character| !character.is_ascii_digit())
            .map_or(Self::Nothing, Self::of)
    }

    /// The first character with only digits between it and its next occurrence. `Z` and signs belong to the zone.
    fn of_time(time: &str) -> Self {
        let mut opening = None;
        for (place, character) in time.char_indices() {
            if character.is_ascii_digit() {
                continue;
            }
            match opening {
                Some((start, before))
                    if before == character && place > start + character.len_utf8() =>
                {
                    return Self::of(character);
                }
                _ => {
                    opening = (!matches!(character, 'Z' | '+' | '-')).then_some((place, character));
                }
            }
        }
        Self::Nothing
    }

    fn of(character: char) -> Self {
        match character {
            '.' => Self::Any,
            '$' | '(' | ')' | '*' | '+' | '?' | '[' | '\\' | '^' | '\u{10000}'.. => Self::Never,
            _ => Self::This(character),
        }
    }
}

/// A full stop in a JavaScript regular expression: one UTF-16 unit that does not end a line.
fn is_any(character: char) -> bool {
    character <= '\u{ffff}' && !matches!(character, '\n' | '\r' | '\u{2028}' | '\u{2029}')
}

/// The text not read yet.
struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn two_digits(&mut self) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(2)?;
        self.0 = rest;
        super::number(digits.as_bytes())
    }

    fn separator(&mut self, separator: Separator) -> Option<()> {
        let mut rest = self.0.chars();
        let is_there = match separator {
            Separator::Nothing => return Some(()),
            Separator::This(character) => rest.next()? == character,
            Separator::Any => is_any(rest.next()?),
            Separator::Never => false,
        };
        self.0 = rest.as_str();
        is_there.then_some(())
    }
}
