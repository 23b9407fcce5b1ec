//! Whether tasks are in place to stay: the same ones, for long enough.

use std::time::Duration;

use imgstack_swarm::TaskId;
use imgstack_swarm::rollout::Assessment;
use tokio::time::Instant;

/// Since when the same tasks have been in place.
#[derive(Debug, Default)]
pub(crate) struct Settled(Option<(Instant, Vec<TaskId>)>);

impl Settled {
    /// Takes in a look; whether the same tasks have been in place for `long`.
    /// `wants_none`: the service asks for no tasks at all.
    pub(crate) fn holds(&mut self, look: &Assessment, wants_none: bool, long: Duration) -> bool {
        if !look.is_in_place() {
            self.0 = None;
            return false;
        }
        // A global service without tasks may be about to get some.
        if look.desired == 0 && wants_none {
            return true;
        }
        match &self.0 {
            Some((since, tasks)) if *tasks == look.running => since.elapsed() >= long,
            _ => {
                self.0 = Some((Instant::now(), look.running.clone()));
                long.is_zero()
            }
        }
    }
}
