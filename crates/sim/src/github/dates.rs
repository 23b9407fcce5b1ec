//! Dates as GitHub writes them, and spans of them as it reads them.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// To the second: `2026-02-09T04:00:00Z`.
pub(super) fn written(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// From one time to before another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span(Timestamp, Timestamp);

impl Span {
    /// `>=2026-02-09T04:00:00Z`, `2026-02-01..2026-02-09`, `2026-02-09`.
    pub(super) fn read(text: &str) -> Option<Self> {
        if let Some((from, to)) = text.split_once("..") {
            let from = if from == "*" {
                Timestamp::MIN
            } else {
                moment(from)?.0
            };
            let to = if to == "*" {
                Timestamp::MAX
            } else {
                moment(to)?.1
            };
            return Some(Self(from, to));
        }
        let rest = text.trim_start_matches(['<', '>', '=']);
        let (begin, end) = moment(rest)?;
        Some(match &text[..text.len() - rest.len()] {
            "" => Self(begin, end),
            ">=" => Self(begin, Timestamp::MAX),
            ">" => Self(end, Timestamp::MAX),
            "<=" => Self(Timestamp::MIN, end),
            "<" => Self(Timestamp::MIN, begin),
            _ => return None,
        })
    }

    /// Dates are compared as they are written: to the second.
    pub(super) fn holds(self, at: Timestamp) -> bool {
        let at = Timestamp::from_second(at.as_second()).unwrap_or(at);
        self.0 <= at && at < self.1
    }
}

/// A day or a second: where it begins and ends.
fn moment(text: &str) -> Option<(Timestamp, Timestamp)> {
    let (begin, lasts) = match text.parse::<Date>() {
        Ok(day) if !text.contains(['T', ' ']) => {
            let begin = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
            (begin, SignedDuration::from_hours(24))
        }
        _ => (text.parse().ok()?, SignedDuration::from_secs(1)),
    };
    Some((begin, begin.checked_add(lasts).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_hold_what_they_say() {
        let at: Timestamp = "2026-02-09T04:00:00.5Z".parse().unwrap();
        assert_eq!(written(at), "2026-02-09T04:00:00Z");
        let table = [
            ("2026-02-09", true),
            ("2026-02-08", false),
            (">=2026-02-09", true),
            (">2026-02-09", false),
            ("<2026-02-10", true),
            ("<=2026-02-09", true),
            ("<2026-02-09", false),
            (">=2026-02-09T04:00:00Z", true),
            (">=2026-02-09T06:00:00+02:00", true),
            (">2026-02-09T04:00:00Z", false),
            (">2026-02-09T03:59:59Z", true),
            ("2026-02-01..2026-02-09", true),
            ("2026-02-01..2026-02-08", false),
            ("*..2026-02-09", true),
            ("2026-02-09..*", true),
        ];
        for (text, holds) in table {
            assert_eq!(Span::read(text).unwrap().holds(at), holds, "{text}");
        }
        for text in [
            "",
            ">",
            "yesterday",
            "=>2026-02-09",
            "2026-02-09..",
            "..",
            "2026-13-01",
        ] {
            assert_eq!(Span::read(text), None, "{text}");
        }
    }
}
