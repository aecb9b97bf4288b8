//! `Date.parse` of JavaScript, for the texts that stand in `indexedAt` columns and in `time` fields (actors.md 2.1).
//!
//! Read are the ISO 8601 forms of ECMA-262, with any number of fraction digits as V8 takes them, and PostgreSQL's
//! timestamp text (`2025-10-20 10:00:00.123+00`). Not read are V8's other guesses (`Mon, 20 Oct 2025 …`): no producer
//! writes them. A text without zone is in UTC, the zone of the reference's servers.

use super::{days_from_date, number};

const MS_PER_MINUTE: i64 = 60_000;
/// The last instant that a JavaScript date can be, either way from the epoch.
const LAST_MS: i64 = 8_640_000_000_000_000;

/// Milliseconds since the epoch; None where JavaScript has NaN.
pub fn parse_date(text: &str) -> Option<i64> {
    let mut reader = Reader(text.as_bytes());
    let mut minutes = reader.date()? * 1440;
    let mut ms = 0;
    if !reader.0.is_empty() {
        let is_iso = reader.takes(b"Tt");
        if !is_iso && !reader.takes(b" ") {
            return None;
        }
        let (minute, of_minute) = reader.time()?;
        minutes += minute - reader.zone(is_iso)?;
        ms = of_minute;
    }
    let ms = minutes * MS_PER_MINUTE + ms;
    (reader.0.is_empty() && ms.abs() <= LAST_MS).then_some(ms)
}

/// The bytes not read yet.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    /// Days since the epoch. A day that its month does not have is one of the next month, as in V8.
    fn date(&mut self) -> Option<i64> {
        let year = match self.0.first()? {
            sign @ (b'+' | b'-') => {
                self.0 = &self.0[1..];
                let year = self.digits(6)?;
                match (sign, year) {
                    (b'-', 0) => return None,
                    (b'-', _) => -year,
                    _ => year,
                }
            }
            _ => self.digits(4)?,
        };
        let month = self.optional(b'-', 1..=12)?.unwrap_or(1);
        let day = self.optional(b'-', 1..=31)?.unwrap_or(1);
        Some(days_from_date(year, month, day) - days_from_date(1970, 1, 1))
    }

    /// Minutes of the day, and milliseconds of the minute.
    fn time(&mut self) -> Option<(i64, i64)> {
        let hour = self.digits(2)?;
        let minute = self.optional(b':', 0..=59)??;
        let second = self.optional(b':', 0..=59)?;
        let mut fraction: &[u8] = b"";
        if second.is_some() && self.takes(b".") {
            let length = self
                .0
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            (fraction, self.0) = self.0.split_at(length);
            if fraction.is_empty() {
                return None;
            }
        }
        let second = second.unwrap_or(0);
        let is_midnight = (minute, second) == (0, 0) && fraction.iter().all(|digit| *digit == b'0');
        (hour < 24 || (hour == 24 && is_midnight)).then(|| {
            let ms = i64::from(super::first_three_digits(fraction));
            (hour * 60 + minute, second * 1000 + ms)
        })
    }

    /// Local time minus UTC in minutes. Only PostgreSQL leaves the minutes out.
    fn zone(&mut self, is_iso: bool) -> Option<i64> {
        if self.0.is_empty() || self.takes(b"Zz") {
            return Some(0);
        }
        let is_east = self.takes(b"+");
        if !is_east && !self.takes(b"-") {
            return None;
        }
        let hour = self.digits(2)?;
        let minute = if self.0.is_empty() && !is_iso {
            0
        } else {
            self.takes(b":");
            self.digits(2)?
        };
        let minutes = hour * 60 + minute;
        (hour < 24 && minute < 60).then_some(if is_east { minutes } else { -minutes })
    }

    /// Two digits behind a separator, if that comes next. The outer None: they are no such number.
    fn optional(
        &mut self,
        separator: u8,
        range: std::ops::RangeInclusive<i64>,
    ) -> Option<Option<i64>> {
        if !self.takes(&[separator]) {
            return Some(None);
        }
        let number = self.digits(2)?;
        range.contains(&number).then_some(Some(number))
    }

    fn takes(&mut self, any_of: &[u8]) -> bool {
        match self.0 {
            [first, rest @ ..] if any_of.contains(first) => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn digits(&mut self, length: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        number(digits).map(i64::from)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Node.js 20 (V8) gives with TZ=UTC.
    #[test]
    fn dates_are_those_of_javascript() {
        for (text, ms) in [
            ("2025-10-20T10:00:00.000Z", 1_760_954_400_000),
            ("2025-10-20T10:00:00+00:00", 1_760_954_400_000),
            ("2025-10-20T10:00:00.123456789+00:00", 1_760_954_400_123),
            ("2025-10-20 10:00:00.123456+00", 1_760_954_400_123),
            ("2025-10-20 10:00:00.123456-08", 1_760_983_200_123),
            ("2025-10-20 10:00:00+05:30", 1_760_934_600_000),
            ("2025-10-20 10:00:00.5-0330", 1_760_967_000_500),
            ("2025-10-20 10:00:00", 1_760_954_400_000),
            ("2025-10-20 10:00:00Z", 1_760_954_400_000),
            ("2025-10-20", 1_760_918_400_000),
            ("2025-10", 1_759_276_800_000),
            ("2025", 1_735_689_600_000),
            ("2025-10-20T10:00", 1_760_954_400_000),
            ("2025-10-20T10:00Z", 1_760_954_400_000),
            ("2025-02-30T00:00:00Z", 1_740_873_600_000),
            ("2025-10-20T24:00:00Z", 1_761_004_800_000),
            ("2025-10-20t10:00:00z", 1_760_954_400_000),
            ("2025-10-20T10:00:00+0530", 1_760_934_600_000),
            ("2025-10-20T10:00:00+23:59", 1_760_868_060_000),
            ("2025-10-20T10:00:00-23:59", 1_761_040_740_000),
            ("2025-10-20T10:00:00-00:00", 1_760_954_400_000),
            ("2025-10-20T10:00:00.1Z", 1_760_954_400_100),
            ("+002025-10-20T10:00:00Z", 1_760_954_400_000),
            ("-000001-01-01T00:00:00Z", -62_198_755_200_000),
            ("+275760-09-13T00:00:00.000Z", LAST_MS),
            ("0000-01-01T00:00:00Z", -62_167_219_200_000),
        ] {
            assert_eq!(parse_date(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "garbage",
            "2025-10-20T10",
            "2025-02-32T00:00:00Z",
            "2025-13-01T00:00:00Z",
            "2025-00-20T10:00:00Z",
            "2025-10-00T10:00:00Z",
            "2025-10-20T24:00:01Z",
            "2025-10-20T24:00:00.0000001Z",
            "2025-10-20T10:00:60Z",
            "2025-10-20 10:60:00Z",
            "2025-10-20 25:00:00Z",
            "2025-10-20T10:00:00+00",
            "2025-10-20T10:00:00+24:00",
            "2025-10-20 10:00:00+00:00:00",
            "-000000-01-01T00:00:00Z",
            "+275760-09-13T00:00:00.001Z",
            "2025-10-20T10:00:00.Z",
            "2025-10-20T10:00:00,5Z",
            "2025-10-20T10:00:00Z ",
            "2025-1-2T00:00:00Z",
            "2025-10-20T1:00:00Z",
        ] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_text_is_an_instant_or_none(text in ".{0,40}") {
            prop_assert!(parse_date(&text).is_none_or(|ms| ms.abs() <= LAST_MS));
        }

        #[test]
        fn stored_texts_are_read(ms in -60_000_000_000_000..250_000_000_000_000_i64) {
            let days = ms.div_euclid(86_400_000);
            let (year, month, day) = super::super::date_from_days(days + days_from_date(1970, 1, 1));
            let of_day = ms.rem_euclid(86_400_000);
            let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
            let (second, rest) = (of_day / 1000 % 60, of_day % 1000);
            let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z");
            prop_assert_eq!(parse_date(&text), Some(ms));
        }
    }
}
