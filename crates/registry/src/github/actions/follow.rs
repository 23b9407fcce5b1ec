//! Watching a run until it ends, without asking more often than is of use.

use std::time::Duration;

use super::{Actions, Job, Run, RunId};
use crate::github::error::Error;

/// While things happen.
const SHORTEST_PAUSE: Duration = Duration::from_secs(2);
/// While nothing does.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// Looks in a row that may fail: with the retries below them, some minutes.
const TROUBLES: u32 = 8;
/// The longest that a used-up allowance is waited for.
const LONGEST_LIMIT: Duration = Duration::from_secs(3700);

/// What a look at a run shows.
#[derive(Clone, Debug)]
pub enum Glance {
    /// The run and its jobs.
    Seen {
        /// The run.
        run: Run,
        /// Its jobs.
        jobs: Vec<Job>,
    },
    /// GitHub did not answer; it is asked again.
    Trouble(Error),
}

/// A run that is watched.
#[derive(Debug)]
pub struct Follow {
    actions: Actions,
    id: RunId,
    /// Until the next look; None before the first.
    pause: Option<Duration>,
    last: Option<(Run, Vec<Job>)>,
    troubles: u32,
}

impl Actions {
    /// Watches a run.
    #[must_use]
    pub fn follow(&self, id: RunId) -> Follow {
        Follow {
            actions: self.clone(),
            id,
            pause: None,
            last: None,
            troubles: 0,
        }
    }
}

impl Follow {
    /// Looks: at once the first time, later after a pause, which grows while
    /// nothing happens. A run that has ended is looked at in vain.
    ///
    /// # Errors
    /// Any of [`Error`] but those about packages: one that does not pass, or
    /// that has come too often in a row. The run goes on all the same.
    pub async fn next(&mut self) -> Result<Glance, Error> {
        if let Some(pause) = self.pause {
            tokio::time::sleep(pause).await;
        }
        match self.look().await {
            Ok(seen) => {
                self.troubles = 0;
                let changed = self.last.as_ref() != Some(&seen);
                self.pause = Some(match self.pause {
                    Some(pause) if !changed => (pause * 3 / 2).min(LONGEST_PAUSE),
                    Some(_) | None => SHORTEST_PAUSE,
                });
                self.last = Some(seen.clone());
                let (run, jobs) = seen;
                Ok(Glance::Seen { run, jobs })
            }
            Err(error) if error.is_retryable() && self.troubles < TROUBLES => {
                self.troubles += 1;
                self.pause = Some(match &error {
                    Error::RateLimited {
                        resets_in: Some(wait),
                        ..
                    } => (*wait).clamp(SHORTEST_PAUSE, LONGEST_LIMIT),
                    _ => LONGEST_PAUSE,
                });
                Ok(Glance::Trouble(error))
            }
            Err(error) => Err(error),
        }
    }

    async fn look(&self) -> Result<(Run, Vec<Job>), Error> {
        // In this order, so that the jobs of a run that has ended have, too.
        let run = self.actions.run(self.id).await?;
        let jobs = self.actions.jobs(self.id).await?;
        Ok((run, jobs))
    }
}
