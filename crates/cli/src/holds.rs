//! The locks of the stacks that a command works on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use imgstack_executor::Event;
use imgstack_executor::lock::{Claim, Lock, LockError, Pace, acquire};
use imgstack_spec::StackName;
use imgstack_swarm::Manager;
use jiff::Timestamp;
use tokio::time::{Instant, interval_at};

use crate::commands::apply::Doing;
use crate::printer::Printer;
use crate::views::lock;
use crate::views::style::lasting;
use crate::world::{self, Connected};

/// How often it is told that somebody is still waited for.
const BEAT: Duration = Duration::from_secs(10);

/// Locks that are held.
pub(crate) struct Holds {
    locks: BTreeMap<StackName, Lock>,
    /// What happened on the way, for programs that read what comes later.
    told: Vec<Event>,
}

impl Holds {
    /// Takes the lock of every stack whose manager answers; without one nothing
    /// can be changed there either. In the order of their names, so that two who
    /// want the same stacks never wait for each other.
    pub(crate) async fn take(
        connected: &[Connected],
        doing: &Doing<'_>,
    ) -> Result<Self, LockError> {
        let mut holds = Self {
            locks: BTreeMap::new(),
            told: Vec::new(),
        };
        let mut wanted: Vec<(&StackName, &Manager)> = connected
            .iter()
            .filter_map(|it| Some((&it.stack.name, it.manager.as_ref().ok()?)))
            .collect();
        wanted.sort_by_key(|(name, _)| name.as_str().to_lowercase());
        for (stack, manager) in wanted {
            match holds.take_one(stack, manager, doing).await {
                Ok(lock) => {
                    holds.locks.insert(stack.clone(), lock);
                }
                Err(error) => {
                    holds.release(doing.printer).await;
                    return Err(error);
                }
            }
        }
        Ok(holds)
    }

    async fn take_one(
        &mut self,
        stack: &StackName,
        manager: &Manager,
        doing: &Doing<'_>,
    ) -> Result<Lock, LockError> {
        let claim = Claim {
            owner: world::user(),
            host: world::host(),
            process: std::process::id(),
            command: doing.command.to_owned(),
        };
        let told = Mutex::new(Vec::new());
        let tell = |event: Event| {
            if let Some(text) = lock::told(&event, Timestamp::now()) {
                doing.printer.notice(&text);
            }
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.push(event);
        };
        let wait = doing.how.lock_timeout.unwrap_or_default();
        let (pace, cancel) = (Pace::default(), doing.cancel);
        let taken = tokio::select! {
            taken = acquire(manager, stack, &claim, wait, pace, cancel, &tell) => taken,
            () = beat(stack, doing.printer) => Err(LockError::Interrupted),
        };
        let told = told.into_inner().unwrap_or_else(PoisonError::into_inner);
        self.told.extend(told);
        taken
    }

    /// The lock of a stack.
    pub(crate) fn of(&self, stack: &StackName) -> Option<&Lock> {
        self.locks.get(stack)
    }

    /// What happened while they were taken.
    pub(crate) fn told(&self) -> &[Event] {
        &self.told
    }

    /// Lets go of all.
    pub(crate) async fn release(self, printer: Printer) {
        for (stack, held) in self.locks {
            if let Err(error) = held.release().await {
                printer.notice(&lock::left(&stack, &error));
            }
        }
    }
}

/// Never returns: a sign of life for who waits.
async fn beat(stack: &StackName, printer: Printer) {
    let began = Instant::now();
    let mut beats = interval_at(began + BEAT, BEAT);
    loop {
        beats.tick().await;
        let elapsed = lasting(began.elapsed().as_secs());
        printer.notice(&format!(
            "Still waiting for the lock of the stack {stack}... [{elapsed} elapsed]\n"
        ));
    }
}
