//! Whose manners a registry has, and the numbers that go with them.

use jiff::SignedDuration;

/// Whose manners a registry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// Distribution 2.8 alone: open to all without users, and with users a
    /// Basic login for everything.
    Plain,
    /// Distribution behind a token server. A token is given to whoever is
    /// known, for as much of what was asked as they may have; the registry
    /// then refuses what is not in it.
    Token,
    /// GitHub's. Nobody learns whether a package exists that they may not
    /// read; the user's name counts for nothing, the password for all; errors
    /// are 403 `DENIED`. Access is looked up at each request, not when the
    /// token is given. Manifests and tags cannot be deleted over the protocol.
    Ghcr,
    /// Docker Hub: as with a token server, and GETs of manifests are counted.
    Hub,
}

/// The settings of one registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whose manners it has.
    pub manner: Manner,
    /// How long a token is good for.
    pub token_lifetime: SignedDuration,
    /// The most tags on a page; None: as many as were asked for.
    pub page: Option<usize>,
    /// So many GETs of manifests are allowed to each caller in six hours.
    pub pulls: Option<usize>,
}

impl Settings {
    /// In that manner, with the numbers that are known of it.
    #[must_use]
    pub fn new(manner: Manner) -> Self {
        Self {
            manner,
            token_lifetime: SignedDuration::from_mins(5),
            page: match manner {
                Manner::Plain | Manner::Token => None,
                Manner::Ghcr | Manner::Hub => Some(100),
            },
            pulls: (manner == Manner::Hub).then_some(100),
        }
    }
}
