//! Takes a lock; waits for it; takes one over whose holder is gone.

use std::time::Duration;

use imgstack_spec::StackName;
use imgstack_swarm::{Config, ConfigId, Error, Manager, NewConfig};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::standing::{DATA, Standing, config_name, labels, standing};
use super::watch::{Pulse, Watch};
use super::{Claim, Lock, LockError, Pace};
use crate::event::Event;
use crate::send::SILENCE;

/// Pauses before a removal is sent again.
const AGAIN: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

/// Takes the lock of a stack, if need be after waiting up to `wait`. Even
/// without a wait, a lock that is in the way is watched until it shows whether
/// its holder lives: that takes a heartbeat; one whose holder is gone is taken
/// over once it has not moved for [`super::STALE`].
///
/// To be stopped with `cancel`, not to be dropped: what was taken by then would
/// stay until it is taken over.
///
/// # Errors
/// [`LockError::Held`] when its holder lives and the wait is over.
pub async fn acquire(
    manager: &Manager,
    stack: &StackName,
    claim: &Claim,
    wait: Duration,
    pace: Pace,
    cancel: &CancellationToken,
    tell: &(dyn Fn(Event) + Sync),
) -> Result<Lock, LockError> {
    let taking = Taking {
        manager,
        stack,
        claim,
        pace,
        tell,
        token: format!("{:032x}", fastrand::u128(..)),
    };
    let id = taking.take(wait, cancel).await?;
    Ok(Lock::hold(
        manager.clone(),
        stack.clone(),
        id,
        taking.token,
        pace,
    ))
}

struct Taking<'a> {
    manager: &'a Manager,
    stack: &'a StackName,
    claim: &'a Claim,
    pace: Pace,
    tell: &'a (dyn Fn(Event) + Sync),
    token: String,
}

impl Taking<'_> {
    async fn take(
        &self,
        wait: Duration,
        cancel: &CancellationToken,
    ) -> Result<ConfigId, LockError> {
        let began = Instant::now();
        let (mut watch, mut told) = (Watch::default(), String::new());
        let mut answered = began;
        // Created at once: that nobody has it is the rule.
        let mut free = true;
        loop {
            if cancel.is_cancelled() {
                return Err(LockError::Interrupted);
            }
            let looked = match free {
                true => self.create().await,
                false => self.look().await,
            };
            match looked {
                Ok(Looked::Ours(id)) => return Ok(id),
                Ok(Looked::Free) => {
                    free = true;
                    continue;
                }
                Ok(Looked::Held(standing)) => {
                    (free, answered) = (false, Instant::now());
                    match watch.look(&standing, &self.pace) {
                        Pulse::Gone => {
                            self.take_over(&standing).await?;
                            continue;
                        }
                        Pulse::Alive if began.elapsed() >= wait => {
                            return Err(self.held(*standing));
                        }
                        Pulse::Alive | Pulse::Unknown => {
                            self.tell_waiting(&standing, &mut told, began);
                        }
                    }
                }
                Err(error) => {
                    watch.forget();
                    let may_pass = error.is_retryable() || is_lost(&error);
                    if !may_pass || answered.elapsed() >= SILENCE {
                        return Err(LockError::engine(self.stack, error));
                    }
                    // Whether it is free is to be seen anew.
                    free = false;
                }
            }
            tokio::select! {
                () = sleep(self.pace.look) => {}
                () = cancel.cancelled() => return Err(LockError::Interrupted),
            }
        }
    }

    fn tell_waiting(&self, standing: &Standing, told: &mut String, began: Instant) {
        // Who is only looked at for a moment is not yet waited for.
        if *told != standing.token && began.elapsed() >= self.pace.look {
            told.clone_from(&standing.token);
            (self.tell)(Event::LockWaited {
                stack: self.stack.clone(),
                holder: Box::new(standing.holder.clone()),
            });
        }
    }

    async fn create(&self) -> Result<Looked, Error> {
        let name = config_name(self.stack);
        let labels = labels(self.stack, self.claim, &self.token, Timestamp::now());
        let config = NewConfig {
            name: &name,
            labels: &labels,
            data: DATA,
        };
        match self.manager.create_config(&config).await {
            Ok(id) => Ok(Looked::Ours(id)),
            Err(error) if error.is_conflict() => self.look().await,
            // After a lost answer it may be there all the same.
            Err(error) if is_lost(&error) => match self.look().await? {
                Looked::Free => Err(error),
                looked => Ok(looked),
            },
            Err(error) => Err(error),
        }
    }

    async fn look(&self) -> Result<Looked, Error> {
        let Some(standing) = standing(self.manager, self.stack).await? else {
            return Ok(Looked::Free);
        };
        if standing.is_condemned() {
            remove(self.manager, &standing.config).await?;
            return Ok(Looked::Free);
        }
        if standing.token == self.token {
            return Ok(Looked::Ours(standing.config.id));
        }
        Ok(Looked::Held(Box::new(standing)))
    }

    /// Whether or not this one gets through, the lock is to be looked at anew.
    async fn take_over(&self, standing: &Standing) -> Result<(), LockError> {
        let condemned = condemn(self.manager, standing, &self.token).await;
        if condemned.map_err(|error| LockError::engine(self.stack, error))? {
            (self.tell)(Event::LockTakenOver {
                stack: self.stack.clone(),
                holder: Box::new(standing.holder.clone()),
            });
        }
        Ok(())
    }

    fn held(&self, standing: Standing) -> LockError {
        LockError::Held {
            stack: self.stack.clone(),
            holder: Box::new(standing.holder),
        }
    }
}

enum Looked {
    Ours(ConfigId),
    Free,
    Held(Box<Standing>),
}

/// Says that a lock is nobody's any more, if it has not moved since it was
/// read. False: it has, or is gone, or whether it was done is not known.
pub(super) async fn condemn(
    manager: &Manager,
    standing: &Standing,
    by: &str,
) -> Result<bool, Error> {
    let labels = standing.condemned(by);
    match manager.label_config(&standing.config, &labels).await {
        Ok(()) => Ok(true),
        Err(Error::OutOfSequence { .. } | Error::AnswerLost { .. }) => Ok(false),
        Err(error) if error.is_not_found() || error.is_retryable() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a lock for good. That it is not there any more is as good.
pub(super) async fn remove(manager: &Manager, config: &Config) -> Result<(), Error> {
    remove_by_id(manager, &config.id).await
}

/// As [`remove`].
pub(super) async fn remove_by_id(manager: &Manager, id: &ConfigId) -> Result<(), Error> {
    let mut pauses = AGAIN.iter();
    loop {
        let error = match manager.remove_config(id).await {
            Ok(()) => return Ok(()),
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) => error,
        };
        let may_pass = error.is_retryable() || is_lost(&error);
        match pauses.next() {
            Some(pause) if may_pass => sleep(*pause).await,
            _ => return Err(error),
        }
    }
}

fn is_lost(error: &Error) -> bool {
    matches!(error, Error::AnswerLost { .. })
}
