//! Sizes in bytes as people write them: `5GiB`, `500MiB`, `10GB`, `1024`.
//!
//! A whole number with a unit of the powers of 1024 (`KiB`, `MiB`, `GiB`,
//! `TiB`) or of 1000 (`kB`, `MB`, `GB`, `TB`); without a unit it is bytes.
//!
//! Deliberately absent: `G`, `gb` and the like, of which docker means the one
//! and Kubernetes the other.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What the JSON Schema says of a size that is written as text.
pub(crate) const PATTERN: &str = "^[0-9]+([kMGT]B|[KMGT]iB|B)?$";

/// The units, from the largest, with their bytes.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("kB", 1_000),
    ("B", 1),
];

/// The most that is read: 1024 TiB. More is a slip.
const LARGEST: u64 = 1 << 50;

/// A size in bytes. In JSON it is the number.
///
/// Displayed in the largest unit in which it is a whole number, which is read
/// back as the same size; [`rounded`](Self::rounded) is for people.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct ByteSize(u64);

impl ByteSize {
    /// A size of so many bytes, also of none.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// The size for people, in binary units and with one decimal at most:
    /// `5 GiB`, `112.4 MiB`, `512 B`.
    #[must_use]
    pub fn rounded(self) -> String {
        let binary = UNITS.iter().filter(|(unit, _)| unit.ends_with("iB")).rev();
        let in_unit = |(unit, factor): &(&'static str, u64)| {
            let factor = u128::from(*factor);
            let tenths = (u128::from(self.0) * 10 + factor / 2) / factor;
            (tenths, *unit)
        };
        // What rounds to 1024 of a unit is one of the next.
        let fits = |(tenths, unit): &(u128, &str)| *tenths < 10_240 || *unit == "TiB";
        match binary.map(in_unit).find(fits) {
            Some((tenths, unit)) if self.0 >= 1024 => match tenths % 10 {
                0 => format!("{} {unit}", tenths / 10),
                tenth => format!("{}.{tenth} {unit}", tenths / 10),
            },
            _ => format!("{} B", self.0),
        }
    }
}

/// Why a text is not a size.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SizeError {
    /// Less than nothing.
    #[error("a size cannot be negative")]
    Negative,
    /// Nothing, which a spec never means.
    #[error("a size cannot be zero")]
    Zero,
    /// More than there is.
    #[error("a size cannot be larger than 1024TiB")]
    TooLarge,
    /// Everything else.
    #[error(
        "a size is a whole number with a unit: `KiB`, `MiB`, `GiB`, `TiB`, `kB`, `MB`, `GB` or `TB`"
    )]
    Form,
}

impl SizeError {
    /// What a label says of it.
    pub(crate) fn label(&self) -> &'static str {
        match self {
            Self::Negative | Self::Zero => "too small",
            Self::TooLarge => "too large",
            Self::Form => "not a size",
        }
    }

    /// What would be right, instead of the text given.
    pub(crate) fn remedy(&self, text: &str) -> String {
        match (self, near(text)) {
            (Self::Form, Some(near)) => format!("did you mean `{near}`?"),
            _ => "write a size such as `5GiB` or `500MiB`".to_owned(),
        }
    }
}

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        if text.starts_with('-') {
            return Err(SizeError::Negative);
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let factor = match UNITS.iter().find(|(name, _)| *name == unit) {
            _ if number.is_empty() => return Err(SizeError::Form),
            Some((_, factor)) => *factor,
            None if unit.is_empty() => 1,
            None => return Err(SizeError::Form),
        };
        // Only an overflow is left that could fail here.
        let number: u64 = number.parse().map_err(|_| SizeError::TooLarge)?;
        match number.checked_mul(factor) {
            Some(0) => Err(SizeError::Zero),
            Some(bytes) if bytes <= LARGEST => Ok(Self(bytes)),
            _ => Err(SizeError::TooLarge),
        }
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS
            .iter()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor));
        match whole {
            Some((unit, factor)) => write!(f, "{}{unit}", self.0 / factor),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// `5 gigs` as `5GiB`, and `1.5GiB` as `1536MiB`: what a person may have meant
/// by what is no size.
fn near(text: &str) -> Option<String> {
    const LONGEST: usize = 40;
    const DECIMAL: [&str; 4] = ["kB", "MB", "GB", "TB"];
    const BINARY: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if text.len() > LONGEST {
        return None;
    }
    let text = text.to_ascii_lowercase().replace([' ', '_', '+'], "");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, unit) = text.split_at(end);
    let letter = unit.chars().next()?;
    let power = ["k", "m", "g", "t"]
        .iter()
        .position(|it| it.starts_with(letter))?;
    let (units, step) = match &unit[1..] {
        "b" | "ilobyte" | "ilobytes" | "egabyte" | "egabytes" | "igabyte" | "igabytes"
        | "erabyte" | "erabytes" => (DECIMAL, 1000.0),
        "" | "i" | "ib" | "ig" | "igs" | "eg" | "egs" => (BINARY, 1024.0),
        _ => return None,
    };
    let guess = match number.parse::<f64>() {
        // A fraction is a whole number of the unit below.
        Ok(fraction) if number.contains('.') => {
            let below = units[power.checked_sub(1)?];
            format!("{}{below}", (fraction * step).round())
        }
        _ => format!("{number}{}", units[power]),
    };
    guess.parse::<ByteSize>().is_ok().then_some(guess)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        use SizeError::{Form, Negative, TooLarge, Zero};
        let cases = [
            ("1", Ok(1)),
            ("1024", Ok(1024)),
            ("7B", Ok(7)),
            ("5GiB", Ok(5 << 30)),
            ("500MiB", Ok(500 << 20)),
            ("3KiB", Ok(3 << 10)),
            ("2TiB", Ok(2 << 40)),
            ("10GB", Ok(10_000_000_000)),
            ("1kB", Ok(1000)),
            ("1MB", Ok(1_000_000)),
            ("1TB", Ok(1_000_000_000_000)),
            ("007GiB", Ok(7 << 30)),
            ("1024TiB", Ok(1 << 50)),
            ("1025TiB", Err(TooLarge)),
            ("16777216TiB", Err(TooLarge)),
            ("99999999999999999999", Err(TooLarge)),
            ("99999999999999999999GiB", Err(TooLarge)),
            ("0", Err(Zero)),
            ("0GiB", Err(Zero)),
            ("-1GiB", Err(Negative)),
            ("-", Err(Negative)),
            ("", Err(Form)),
            ("GiB", Err(Form)),
            ("5 gigs", Err(Form)),
            ("5 GiB", Err(Form)),
            ("5G", Err(Form)),
            ("5Gi", Err(Form)),
            ("5gb", Err(Form)),
            ("5KB", Err(Form)),
            ("5kiB", Err(Form)),
            ("5PiB", Err(Form)),
            ("1.5GiB", Err(Form)),
            ("1e9", Err(Form)),
            ("+5GiB", Err(Form)),
            ("5GiB5MiB", Err(Form)),
            ("٣GiB", Err(Form)),
        ];
        let schema = regex::Regex::new(PATTERN).unwrap();
        for (text, expected) in cases {
            // An editor sees the form; that a number is too great it leaves to us.
            let formed = matches!(expected, Ok(_) | Err(Zero | TooLarge));
            assert_eq!(schema.is_match(text), formed, "{text}");
            let size = text.parse::<ByteSize>();
            assert_eq!(size.clone().map(ByteSize::bytes), expected, "{text}");
            if let Ok(size) = size {
                assert_eq!(size.to_string().parse(), Ok(size), "{text}");
            }
        }
    }

    #[test]
    fn a_size_has_one_exact_form_and_one_for_people() {
        let mib = |tenths: u64| (tenths << 20) / 10;
        let cases = [
            (0, "0B", "0 B"),
            (1, "1B", "1 B"),
            (1023, "1023B", "1023 B"),
            (1024, "1KiB", "1 KiB"),
            (1500, "1500B", "1.5 KiB"),
            (2000, "2kB", "2 KiB"),
            (mib(1124), "117859942B", "112.4 MiB"),
            (500 << 20, "500MiB", "500 MiB"),
            (1536 << 20, "1536MiB", "1.5 GiB"),
            (5 << 30, "5GiB", "5 GiB"),
            (10_000_000_000, "10GB", "9.3 GiB"),
            // Not 1024 KiB, nor 1024.0 MiB.
            ((1 << 20) - 1, "1048575B", "1 MiB"),
            ((1 << 30) - 1, "1073741823B", "1 GiB"),
            (1 << 50, "1024TiB", "1024 TiB"),
            (u64::MAX, "18446744073709551615B", "16777216 TiB"),
        ];
        for (bytes, exact, rounded) in cases {
            let size = ByteSize::new(bytes);
            assert_eq!(size.to_string(), exact);
            assert_eq!(size.rounded(), rounded, "{exact}");
        }
    }

    #[test]
    fn what_was_meant() {
        let cases = [
            ("5 gigs", Some("5GiB")),
            ("5G", Some("5GiB")),
            ("5Gi", Some("5GiB")),
            ("5 GiB", Some("5GiB")),
            ("5gb", Some("5GB")),
            ("5KB", Some("5kB")),
            ("500 megabytes", Some("500MB")),
            ("1.5GiB", Some("1536MiB")),
            ("0.5 TB", Some("500GB")),
            ("1.2.3GiB", None),
            (".GiB", None),
            ("1.5k", None),
            ("5 apples", None),
            ("5é", None),
            ("lots", None),
            ("", None),
        ];
        for (text, meant) in cases {
            assert_eq!(near(text).as_deref(), meant, "{text}");
        }
    }

    #[test]
    fn in_json_a_size_is_a_number() {
        let size = ByteSize::new(5 << 30);
        assert_eq!(serde_json::to_string(&size).unwrap(), "5368709120");
        assert_eq!(
            serde_json::from_str::<ByteSize>("5368709120").unwrap(),
            size
        );
    }
}
