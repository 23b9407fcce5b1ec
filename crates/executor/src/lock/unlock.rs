//! Removes a lock whose holder is gone, or one that a person insists on.

use std::time::Duration;

use imgstack_spec::StackName;
use imgstack_swarm::{Error, Manager};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::acquire::{condemn, remove};
use super::standing::{Standing, standing};
use super::watch::{Pulse, Watch};
use super::{Holder, LockError, Pace};

/// How often a heartbeat may come between before a forced removal is given up.
const ATTEMPTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// What became of a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// There is none.
    NotLocked,
    /// It is gone; whose it was.
    Removed(Box<Holder>),
}

/// Removes the lock of a stack: with `force` at once, else when it has been
/// watched for [`super::STALE`] and did not move. `watching` is told of a lock
/// that is watched.
///
/// What is forced is the lock that was found. One that somebody takes after it
/// is another's, whom nobody meant.
///
/// # Errors
/// [`LockError::Held`] when its holder lives.
pub async fn unlock(
    manager: &Manager,
    stack: &StackName,
    force: bool,
    pace: Pace,
    cancel: &CancellationToken,
    watching: &(dyn Fn(&Holder) + Sync),
) -> Result<Unlocked, LockError> {
    let engine = |error| LockError::engine(stack, error);
    let (mut watch, mut told, mut attempts) = (Watch::default(), false, 0);
    let mut meant = None;
    loop {
        let Some(found) = standing(manager, stack).await.map_err(engine)? else {
            return Ok(Unlocked::NotLocked);
        };
        if found.is_condemned() {
            remove(manager, &found.config).await.map_err(engine)?;
            return Ok(removed(found));
        }
        let is_meant = *meant.get_or_insert_with(|| found.config.id.clone()) == found.config.id;
        let dead = match watch.look(&found, &pace) {
            _ if force && is_meant => true,
            Pulse::Gone => true,
            Pulse::Alive => {
                let holder = Box::new(found.holder);
                let stack = stack.clone();
                return Err(LockError::Held { stack, holder });
            }
            Pulse::Unknown => false,
        };
        if dead {
            if condemn(manager, &found, "imgstack unlock")
                .await
                .map_err(engine)?
            {
                remove(manager, &found.config).await.map_err(engine)?;
                return Ok(removed(found));
            }
            attempts += 1;
            if attempts >= ATTEMPTS {
                return Err(engine(Error::OutOfSequence {
                    message: format!("{attempts} attempts were overtaken by its heartbeat"),
                }));
            }
        } else if !told {
            told = true;
            watching(&found.holder);
        }
        let pause = if dead { PAUSE } else { pace.look };
        tokio::select! {
            () = sleep(pause) => {}
            () = cancel.cancelled() => return Err(LockError::Interrupted),
        }
    }
}

fn removed(standing: Standing) -> Unlocked {
    Unlocked::Removed(Box::new(standing.holder))
}
