//! Durations as people write them: `30s`, `10m`, `24h`, `14d`, `1h30m`.
//!
//! Whole numbers with units, the larger unit first, each at most once. No
//! fractions and nothing below a second: nothing that imgstack waits for is so
//! exact.

use std::time::Duration;

use thiserror::Error;

/// What the JSON Schema says of a duration, beside that it is not empty.
pub(crate) const PATTERN: &str = "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$";

/// The units, from the largest, with their seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// A year; longer is a slip, and far from where clocks overflow.
const LONGEST: u64 = 365 * 86_400;

/// Why a text is not a duration.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum DurationError {
    #[error("a duration cannot be negative")]
    Negative,
    #[error("a duration cannot be zero")]
    Zero,
    #[error("a duration cannot be longer than 365d")]
    TooLong,
    /// With the number.
    #[error("a duration needs a unit")]
    Unit(String),
    /// Everything else.
    #[error(
        "a duration is a number with a unit (`d`, `h`, `m` or `s`), or several from the largest unit to the smallest"
    )]
    Form,
}

impl DurationError {
    /// What a label says of it.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Negative | Self::Zero => "too short",
            Self::TooLong => "too long",
            Self::Unit(_) => "of what?",
            Self::Form => "not a duration",
        }
    }

    /// What would be right, instead of the text given.
    pub(crate) fn remedy(&self, text: &str) -> String {
        match self {
            Self::Form if parse(&abbreviated(text)).is_ok() => {
                format!("did you mean `{}`?", abbreviated(text))
            }
            Self::Unit(number) => {
                format!("write the unit: `{number}s`, `{number}m`, `{number}h` or `{number}d`")
            }
            Self::Negative | Self::Zero | Self::TooLong | Self::Form => {
                "write a duration such as `90s`, `1h30m` or `14d`".to_owned()
            }
        }
    }
}

/// Reads a duration as the spec writes it, such as `90s` or `1h30m`.
///
/// # Errors
/// What is wrong with it and what would be right, in words.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    parse(text).map_err(|error| format!("{error}; {}", error.remedy(text)))
}

/// A duration as the spec writes it, such as `1h30m`. What is left below a
/// second, which no spec has, is told in milliseconds.
#[must_use]
pub fn write_duration(duration: Duration) -> String {
    let mut rest = duration.as_secs();
    let mut text = String::new();
    for (unit, seconds) in UNITS {
        // People write `24h` for an age, and `10d` for what is longer.
        let is_hours = unit == 'd' && rest < 2 * seconds;
        if rest >= seconds && !is_hours {
            text.push_str(&format!("{}{unit}", rest / seconds));
            rest %= seconds;
        }
    }
    match (duration.subsec_millis(), text.as_str()) {
        (0, "") => "0s".to_owned(),
        (0, _) => text,
        (rest, _) => format!("{text}{rest}ms"),
    }
}

/// Reads a duration.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    if text.starts_with('-') {
        return Err(DurationError::Negative);
    }
    // With a unit it would be as wrong.
    if !text.is_empty() && text.bytes().all(|b| b == b'0') {
        return Err(DurationError::Zero);
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(DurationError::Unit(text.to_owned()));
    }
    let mut units = UNITS.iter();
    let mut rest = text;
    let mut total = 0u64;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let mut chars = after.chars();
        let unit = chars.next().filter(|_| digits > 0);
        // Going on in the list of units refuses `1m1h` and `1m1m`.
        let seconds = units
            .find(|(name, _)| Some(*name) == unit)
            .map(|(_, seconds)| *seconds)
            .ok_or(DurationError::Form)?;
        // Only an overflow is left that could fail here.
        let number: u64 = number.parse().map_err(|_| DurationError::TooLong)?;
        total = number
            .checked_mul(seconds)
            .and_then(|part| total.checked_add(part))
            .ok_or(DurationError::TooLong)?;
        rest = chars.as_str();
    }
    match total {
        _ if text.is_empty() => Err(DurationError::Form),
        0 => Err(DurationError::Zero),
        total if total > LONGEST => Err(DurationError::TooLong),
        total => Ok(Duration::from_secs(total)),
    }
}

/// `10 minutes` as `10m`: without blanks, and of each word the first letter.
fn abbreviated(text: &str) -> String {
    const LONGEST: usize = 40;
    const WORDS: [&str; 4] = ["day", "hour", "min", "sec"];
    if text.len() > LONGEST {
        return String::new();
    }
    let mut short = text.to_lowercase().replace([' ', '+'], "");
    for word in WORDS {
        for ending in ["utes", "ute", "onds", "ond", "s", ""] {
            short = short.replace(&format!("{word}{ending}"), &word[..1]);
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_units_are_abbreviated() {
        let cases = [
            ("10 minutes", "10m"),
            ("1 hour 30 min", "1h30m"),
            ("2 Days", "2d"),
            ("90 seconds", "90s"),
            ("10M", "10m"),
        ];
        for (text, short) in cases {
            assert_eq!(abbreviated(text), short);
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        let table = [
            (1, "1s"),
            (90, "1m30s"),
            (600, "10m"),
            (86_400, "24h"),
            (93_784, "26h3m4s"),
            (1_209_600, "14d"),
            (LONGEST, "365d"),
        ];
        for (seconds, text) in table {
            let duration = Duration::from_secs(seconds);
            assert_eq!(write_duration(duration), text);
            assert_eq!(parse(text), Ok(duration));
        }
        assert_eq!(write_duration(Duration::ZERO), "0s");
        assert_eq!(write_duration(Duration::from_millis(61_500)), "1m1s500ms");
    }

    #[test]
    fn durations() {
        use DurationError::{Form, Negative, TooLong, Unit, Zero};
        let unit = |number: &str| Err(Unit(number.to_owned()));
        let cases = [
            ("30s", Ok(30)),
            ("10m", Ok(600)),
            ("24h", Ok(86_400)),
            ("14d", Ok(1_209_600)),
            ("1h30m", Ok(5_400)),
            ("1d2h3m4s", Ok(93_784)),
            ("90m", Ok(5_400)),
            ("007s", Ok(7)),
            ("0h5s", Ok(5)),
            ("365d", Ok(LONGEST)),
            ("365d1s", Err(TooLong)),
            ("99999999999999999999s", Err(TooLong)),
            ("9999999999999999999d", Err(TooLong)),
            ("18446744073709551615s1s", Err(Form)),
            ("0s", Err(Zero)),
            ("0", Err(Zero)),
            ("00", Err(Zero)),
            ("600", unit("600")),
            ("-5m", Err(Negative)),
            ("", Err(Form)),
            ("m", Err(Form)),
            ("10", unit("10")),
            ("10 m", Err(Form)),
            ("1.5h", Err(Form)),
            ("10min", Err(Form)),
            ("10M", Err(Form)),
            ("500ms", Err(Form)),
            ("30m1h", Err(Form)),
            ("1h1h", Err(Form)),
            ("1h30", Err(Form)),
            ("PT10M", Err(Form)),
            ("5µ", Err(Form)),
            ("٣s", Err(Form)),
        ];
        let schema = regex::Regex::new(PATTERN).unwrap();
        for (text, expected) in cases {
            // An editor sees the form; that a number is too great it leaves to us.
            let has_unit = text.ends_with(char::is_alphabetic);
            let formed = has_unit && matches!(expected, Ok(_) | Err(Zero | TooLong));
            assert_eq!(text.len() >= 2 && schema.is_match(text), formed, "{text}");
            assert_eq!(parse(text).map(|d| d.as_secs()), expected, "{text}");
        }
    }
}
