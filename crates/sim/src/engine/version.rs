//! Which API versions an engine of some version speaks.
//!
//! Read from moby's sources at the release tags: `DefaultVersion` or
//! `MaxAPIVersion`, and the oldest version that is taken by default. Answers
//! are not shaped by the version that a client asked for: they are those of
//! the engine's own newest API, and clients ignore what they do not know.

use std::fmt;
use std::str::FromStr;

use crate::swarm::ApiError;

/// `1.41`
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ApiVersion {
    major: u32,
    minor: u32,
}

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for ApiVersion {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
        Ok(Self {
            major: major.parse()?,
            minor: minor.parse()?,
        })
    }
}

/// That of Engine 23: log answers say that they are framed, pings tell of the
/// Swarm and of BuildKit.
pub(super) const OF_23: ApiVersion = ApiVersion {
    major: 1,
    minor: 42,
};

/// That of Engine 29: events have lost the fields of old.
pub(super) const OF_29: ApiVersion = ApiVersion {
    major: 1,
    minor: 52,
};

/// The oldest and the newest API that an engine speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spoken {
    pub(super) oldest: ApiVersion,
    pub(super) newest: ApiVersion,
}

/// Engines from this version on: the minor of the newest API, of the oldest.
const SPOKEN: [((u32, u32), u32, u32); 16] = [
    ((29, 6), 55, 40),
    ((29, 3), 54, 40),
    ((29, 2), 53, 44),
    ((29, 0), 52, 44),
    ((28, 3), 51, 24),
    ((28, 2), 50, 24),
    ((28, 1), 49, 24),
    ((28, 0), 48, 24),
    ((27, 2), 47, 24),
    ((27, 0), 46, 24),
    ((26, 0), 45, 24),
    ((25, 0), 44, 24),
    ((24, 0), 43, 12),
    ((23, 0), 42, 12),
    ((20, 10), 41, 12),
    ((19, 3), 40, 12),
];

impl Spoken {
    /// What the engine of this version (`20.10.24`) speaks.
    pub(super) fn by(engine: &str) -> Self {
        let mut numbers = engine.split('.').map(|part| part.parse().unwrap_or(0));
        let engine = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let row = SPOKEN.iter().find(|(from, _, _)| engine >= *from);
        let (newest, oldest) = row.map_or((39, 12), |(_, newest, oldest)| (*newest, *oldest));
        let version = |minor| ApiVersion { major: 1, minor };
        Self {
            oldest: version(oldest),
            newest: version(newest),
        }
    }

    /// The version of a request; without one, the newest.
    pub(super) fn of_request(self, asked: Option<ApiVersion>) -> Result<ApiVersion, ApiError> {
        let version = asked.unwrap_or(self.newest);
        let message = if version > self.newest {
            let newest = self.newest;
            format!(
                "client version {version} is too new. Maximum supported API version is {newest}"
            )
        } else if version < self.oldest {
            format!(
                "client version {version} is too old. Minimum supported API version is {}, please upgrade your client to a newer version",
                self.oldest
            )
        } else {
            return Ok(version);
        };
        Err(ApiError {
            status: 400,
            message,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_speak_what_their_releases_spoke() {
        let table = [
            ("18.09.1", "1.12", "1.39"),
            ("19.03.8", "1.12", "1.40"),
            ("20.10.24", "1.12", "1.41"),
            ("27.1.2", "1.24", "1.46"),
            ("28.2.2", "1.24", "1.50"),
            ("29.0.0", "1.44", "1.52"),
            ("29.2.1", "1.44", "1.53"),
            ("29.3.0", "1.40", "1.54"),
            ("29.10.0-rc.1", "1.40", "1.55"),
        ];
        for (engine, oldest, newest) in table {
            let spoken = Spoken::by(engine);
            assert_eq!(spoken.oldest.to_string(), oldest, "{engine}");
            assert_eq!(spoken.newest.to_string(), newest, "{engine}");
        }
    }

    #[test]
    fn versions_outside_are_refused_in_dockers_words() {
        let version = |text: &str| text.parse().ok();
        let refusal = |engine, asked| {
            let refused = Spoken::by(engine).of_request(version(asked)).unwrap_err();
            assert_eq!(refused.status, 400);
            refused.message
        };
        assert_eq!(
            refusal("20.10.24", "1.99"),
            "client version 1.99 is too new. Maximum supported API version is 1.41"
        );
        assert!(refusal("29.1.0", "1.43").contains("Minimum supported API version is 1.44,"));
        let spoken = Spoken::by("20.10.24");
        assert_eq!(spoken.of_request(None).ok(), version("1.41"));
        assert_eq!(spoken.of_request(version("1.30")).ok(), version("1.30"));
    }
}
