//! A request that got no answer which could be read.

use std::time::Duration;

use imgstack_spec::RegistryHost;

use super::fault::TlsFault;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The host that was to be asked.
    pub(crate) host: RegistryHost,
    pub(crate) cause: Cause,
}

/// What stood in the way.
#[derive(Debug)]
pub(crate) enum Cause {
    /// Nothing was sent: the host wants to be left alone for so long.
    Closed(Duration),
    /// No connection, so that nothing was sent either.
    Unreached(String),
    /// A connection that broke, or no answer in time.
    Network(String),
    /// A connection, and no agreement on how to speak.
    Tls(TlsFault, String),
    /// The host breaks the rules.
    Protocol(String),
}

impl Failure {
    /// An answer that cannot be used.
    pub(crate) fn protocol(host: &RegistryHost, cause: impl Into<String>) -> Self {
        Self {
            host: host.clone(),
            cause: Cause::Protocol(cause.into()),
        }
    }

    /// Whether the next attempt may go better.
    pub(crate) fn is_passing(&self) -> bool {
        match self.cause {
            Cause::Closed(_) | Cause::Unreached(_) | Cause::Network(_) => true,
            Cause::Tls(..) | Cause::Protocol(_) => false,
        }
    }
}
