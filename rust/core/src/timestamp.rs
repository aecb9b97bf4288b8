//! `createdAt`: which texts pass as a date and time, and the text that is stored for them (records.md 4).
//!
//! The reference leaves the second part to JavaScript's `Date`. Where that reads a date out of a text that is none (cut
//! off at a NUL, or with a part in parentheses), ours is the epoch as for any such text; so it is for a text without zone
//! at the start of the year 0010, which the reference reads in the time of its server.

mod javascript;
mod loose;

use std::borrow::Cow;

pub use javascript::parse_date;

/// What is stored for a text that passes but denotes no instant, or one outside the years 0010 to 9999.
const EPOCH: &str = "1970-01-01T00:00:00.000Z";

/// The lexicon format `datetime`, as loose as the reference's validator (records.md 4.1).
pub fn is_datetime(text: &str) -> bool {
    Instant::read(text).is_some() || loose::is_datetime(text)
}

/// The text that is stored for a `createdAt`: `YYYY-MM-DDTHH:mm:ss.sssZ`, truncated to milliseconds (records.md 4.2).
///
/// None if the text does not pass [`is_datetime`]. A result given again comes back as it is.
pub fn normalize_created_at(text: &str) -> Option<Cow<'_, str>> {
    match Instant::read(text) {
        Some(instant) if text.len() == EPOCH.len() && text.ends_with('Z') && instant.is_plain() => {
            Some(Cow::Borrowed(text))
        }
        Some(instant) => Some(instant.spell()),
        None => loose::is_datetime(text).then_some(Cow::Borrowed(EPOCH)),
    }
}

/// Where the digits and the separators are.
const SHAPE: &[u8; 19] = b"0000-00-00T00:00:00";

/// A text of the shape `YYYY-MM-DDTHH:MM:SS[.digits][Z | ±HH:MM | ±HHMM]` with every number in its range.
struct Instant {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
    millisecond: u32,
    /// Local time minus UTC.
    offset_minutes: i32,
}

impl Instant {
    fn read(text: &str) -> Option<Self> {
        let (head, rest) = text.as_bytes().split_first_chunk::<19>()?;
        if !head
            .iter()
            .zip(SHAPE)
            .all(|(byte, shape)| *shape == b'0' || byte == shape)
        {
            return None;
        }
        let (fraction, zone) = match rest {
            [b'.', rest @ ..] => {
                rest.split_at(rest.iter().take_while(|byte| byte.is_ascii_digit()).count())
            }
            _ => (&b"0"[..], rest),
        };
        let instant = Self {
            year: number(&head[0..4])?,
            month: number(&head[5..7])?,
            day: number(&head[8..10])?,
            hour: number(&head[11..13])?,
            minute: number(&head[14..16])?,
            second: number(&head[17..19])?,
            millisecond: first_three_digits(fraction),
            offset_minutes: offset_minutes(zone)?,
        };
        let is_time = instant.minute < 60 && instant.second < 60 && instant.hour < 24;
        // 24:00:00 is the midnight that ends the day, if nothing follows but zeros.
        let is_midnight = (instant.hour, instant.minute, instant.second) == (24, 0, 0)
            && fraction.iter().all(|digit| *digit == b'0');
        ((1..=9).contains(&fraction.len())
            && is_date(instant.year, instant.month, instant.day)
            && (is_time || is_midnight))
            .then_some(instant)
    }

    /// Whether the numbers of the text are those of the result, if the text is in UTC.
    fn is_plain(&self) -> bool {
        self.hour < 24 && self.year >= 10
    }

    fn spell(&self) -> Cow<'static, str> {
        let minutes = days_from_date(
            i64::from(self.year),
            i64::from(self.month),
            i64::from(self.day),
        ) * 1440
            + i64::from(self.hour * 60 + self.minute)
            - i64::from(self.offset_minutes);
        let (year, month, day) = date_from_days(minutes.div_euclid(1440));
        if !(10..=9999).contains(&year) {
            return Cow::Borrowed(EPOCH);
        }
        let minute_of_day = minutes.rem_euclid(1440);
        let mut text = String::with_capacity(EPOCH.len());
        push_number(&mut text, year, 1000);
        for (before, number) in [
            ('-', month),
            ('-', day),
            ('T', minute_of_day / 60),
            (':', minute_of_day % 60),
            (':', i64::from(self.second)),
        ] {
            text.push(before);
            push_number(&mut text, number, 10);
        }
        text.push('.');
        push_number(&mut text, i64::from(self.millisecond), 100);
        text.push('Z');
        Cow::Owned(text)
    }
}

/// Appends the digits of a number from the place of `unit`, a power of ten, on. Quicker than `format!`.
fn push_number(text: &mut String, number: i64, mut unit: i64) {
    while unit > 0 {
        text.push(char::from(
            b'0' + u8::try_from(number / unit % 10).unwrap_or_default(),
        ));
        unit /= 10;
    }
}

fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + u32::from(digit - b'0'))
    })
}

fn first_three_digits(fraction: &[u8]) -> u32 {
    let zeros = std::iter::repeat(&b'0');
    fraction
        .iter()
        .chain(zeros)
        .take(3)
        .fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

/// Minutes of a zone suffix; None if it is not one of those that pass. A missing zone is UTC.
fn offset_minutes(zone: &[u8]) -> Option<i32> {
    let (sign, hour, minute) = match *zone {
        [] | [b'Z'] => return Some(0),
        [sign, h0, h1, b':', m0, m1] | [sign, h0, h1, m0, m1] => {
            (sign, number(&[h0, h1])?, number(&[m0, m1])?)
        }
        _ => return None,
    };
    let is_east = match sign {
        b'+' => true,
        b'-' => false,
        _ => return None,
    };
    if !is_offset_in_use(is_east, hour, minute) {
        return None;
    }
    let minutes = i32::try_from(hour * 60 + minute).ok()?;
    Some(if is_east { minutes } else { -minutes })
}

/// The offsets that the reference's validator knows (records.md 4.1).
fn is_offset_in_use(is_east: bool, hour: u32, minute: u32) -> bool {
    match (is_east, minute) {
        (true, 0) => hour <= 14,
        (true, 30) => matches!(hour, 3..=6 | 9 | 10),
        (true, 45) => matches!(hour, 5 | 8 | 12),
        (false, 0) => (1..=12).contains(&hour),
        (false, 30) => matches!(hour, 3 | 9),
        _ => false,
    }
}

/// Whether the day exists. The reference's validator does not take the year 0 for a leap year.
fn is_date(year: u32, month: u32, day: u32) -> bool {
    let is_leap = year.is_multiple_of(4)
        && (!year.is_multiple_of(100) || (year.is_multiple_of(400) && year != 0));
    let last = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1..=last).contains(&day)
}

/// Days from 1 March of the year 0 to a date. Counted from March, the leap day ends the year and months have a simple sum.
fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
}

/// The inverse of `days_from_date`.
fn date_from_days(days: i64) -> (i64, i64, i64) {
    const DAYS_IN_400_YEARS: i64 = 146_097;
    let day = days.rem_euclid(DAYS_IN_400_YEARS);
    // Takes off the leap days before this day, so that all years are equally long. 1460 days are 4 years without their leap
    // day, 36524 a century without the last one.
    let year = (day - day / 1460 + day / 36_524 - day / (DAYS_IN_400_YEARS - 1)) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let year = year + days.div_euclid(DAYS_IN_400_YEARS) * 400;
    let day = day - (153 * month + 2) / 5 + 1;
    if month < 10 {
        (year, month + 3, day)
    } else {
        (year + 1, month - 9, day)
    }
}

#[cfg(test)]
mod tests;
