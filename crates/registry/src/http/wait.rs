//! How long somebody is told to wait.

use std::fmt;
use std::time::Duration;

/// After a comma, to go on in a message; nothing if it is not known.
pub(crate) struct Wait(pub(crate) Option<Duration>);

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(wait) = self.0 else { return Ok(()) };
        // Rounded up: who waits as long as it says must not be too early.
        let seconds = wait.as_millis().div_ceil(1000);
        match seconds {
            0..=120 => write!(f, ", the limit resets in {seconds} s"),
            121..=7200 => write!(f, ", the limit resets in {} min", seconds.div_ceil(60)),
            _ => write!(f, ", the limit resets in {} h", seconds.div_ceil(3600)),
        }
    }
}
