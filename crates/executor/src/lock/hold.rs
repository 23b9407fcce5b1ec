//! A lock that we have: its heartbeat, whether it is still ours, letting go.

use std::time::Duration;

use imgstack_spec::StackName;
use imgstack_swarm::{ConfigId, Error, Manager};
use jiff::Timestamp;
use thiserror::Error as ThisError;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use super::acquire::remove_by_id;
use super::standing::{Standing, standing};
use super::{Holder, Pace};
use crate::send::SILENCE;

/// Pause before a manager that was silent is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// A lock in our hands. When it is dropped without [`Lock::release`] its
/// heartbeat stops, and somebody will take it over.
#[derive(Debug)]
pub struct Lock {
    manager: Manager,
    stack: StackName,
    id: ConfigId,
    token: String,
    heartbeat: JoinHandle<()>,
}

/// Why a lock is not ours any more.
#[derive(Debug, ThisError)]
pub enum Lost {
    /// Somebody removed it.
    #[error("somebody removed the lock")]
    Removed,
    /// Somebody took it over, or removed it and took it anew.
    #[error("somebody else has taken the lock over")]
    TakenOver(Box<Holder>),
    /// The manager has been silent for as long as it takes to lose it.
    #[error("whether the lock is still held cannot be seen: {0}")]
    Unseen(Box<Error>),
}

impl Lost {
    /// Who has it now, if somebody does.
    #[must_use]
    pub fn into_holder(self) -> Option<Box<Holder>> {
        match self {
            Self::TakenOver(holder) => Some(holder),
            Self::Removed | Self::Unseen(_) => None,
        }
    }
}

impl Lock {
    pub(super) fn hold(
        manager: Manager,
        stack: StackName,
        id: ConfigId,
        token: String,
        pace: Pace,
    ) -> Self {
        let beating = beat(manager.clone(), id.clone(), token.clone(), pace.heartbeat);
        Self {
            heartbeat: tokio::spawn(beating),
            manager,
            stack,
            id,
            token,
        }
    }

    /// The stack that is locked.
    #[must_use]
    pub fn stack(&self) -> &StackName {
        &self.stack
    }

    /// Tells this taking of the lock from all others.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Makes sure that the lock is still ours. A manager that is between two
    /// leaders is asked again for a while.
    ///
    /// # Errors
    /// When it is not, or cannot be seen to be.
    pub async fn check(&self) -> Result<(), Lost> {
        let until = Instant::now() + SILENCE;
        loop {
            let error = match standing(&self.manager, &self.stack).await {
                Ok(Some(standing)) if self.is_ours(&standing) => return Ok(()),
                Ok(Some(standing)) if standing.config.id == self.id => return Err(Lost::Removed),
                Ok(Some(standing)) => return Err(Lost::TakenOver(Box::new(standing.holder))),
                Ok(None) => return Err(Lost::Removed),
                Err(error) => error,
            };
            if !error.is_retryable() || Instant::now() >= until {
                return Err(Lost::Unseen(Box::new(error)));
            }
            sleep(PAUSE).await;
        }
    }

    fn is_ours(&self, standing: &Standing) -> bool {
        standing.config.id == self.id && standing.token == self.token && !standing.is_condemned()
    }

    /// Lets go. That it was lost meanwhile is as good: it is removed by its ID,
    /// so nobody else's goes.
    ///
    /// # Errors
    /// When the manager does not remove it: it is taken over after
    /// [`super::STALE`].
    pub async fn release(self) -> Result<(), Error> {
        self.heartbeat.abort();
        remove_by_id(&self.manager, &self.id).await
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}

/// Gives a sign of life again and again, for as long as the lock is ours.
async fn beat(manager: Manager, id: ConfigId, token: String, every: Duration) {
    let mut ticks = interval_at(Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let read = match manager.config(id.as_str()).await {
            Ok(Some(config)) => Standing::of(config),
            // Whoever holds it finds that out before the next step.
            Ok(None) => return,
            // The next beat may get through.
            Err(_) => continue,
        };
        if read.token != token || read.is_condemned() {
            return;
        }
        let labels = read.with_heartbeat(Timestamp::now());
        // One that was missed is made up for by the next.
        let _ = manager.label_config(&read.config, &labels).await;
    }
}
