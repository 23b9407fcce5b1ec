//! Whether a lock moves: its holder lives as long as it does.

use std::time::Duration;

use imgstack_swarm::ConfigId;
use tokio::time::Instant;

use super::{Pace, Standing};

/// What watching a lock shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    /// Not watched for long enough to tell.
    Unknown,
    /// It has just moved.
    Alive,
    /// It has not moved for as long as a holder that lives would need.
    Gone,
}

/// A lock that is looked at again and again.
#[derive(Debug, Default)]
pub(super) struct Watch {
    last: Option<Last>,
}

#[derive(Debug)]
struct Last {
    id: ConfigId,
    version: u64,
    /// Since when it has been so, at least.
    since: Instant,
    /// It was seen to become so, by a holder then.
    moved: bool,
}

impl Watch {
    /// Takes a look in.
    pub(super) fn look(&mut self, standing: &Standing, pace: &Pace) -> Pulse {
        let (id, version) = (&standing.config.id, standing.config.version);
        match &self.last {
            Some(last) if last.id == *id && last.version == version => {}
            before => {
                self.last = Some(Last {
                    id: id.clone(),
                    version,
                    since: Instant::now(),
                    moved: before.is_some(),
                });
            }
        }
        self.pulse(pace)
    }

    /// The manager did not answer: the holder may not have been heard either,
    /// so the watch begins again.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    fn pulse(&self, pace: &Pace) -> Pulse {
        let Some(last) = &self.last else {
            return Pulse::Unknown;
        };
        let still: Duration = last.since.elapsed();
        if still >= pace.stale {
            Pulse::Gone
        } else if last.moved && still <= pace.heartbeat * 2 {
            Pulse::Alive
        } else {
            Pulse::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use imgstack_swarm::Config;
    use tokio::time::advance;

    use super::*;

    fn standing(id: &str, version: u64) -> Standing {
        Standing::of(Config {
            id: ConfigId::new(id),
            version,
            name: "imgstack.lock.shop".to_owned(),
            labels: BTreeMap::new(),
            data: Vec::new(),
        })
    }

    /// What is seen (None: no answer), how many seconds later, and what that
    /// shows.
    #[tokio::test(start_paused = true)]
    async fn only_what_was_watched_long_enough_is_judged() {
        use Pulse::{Alive, Gone, Unknown};
        type Look = (Option<(&'static str, u64)>, u64, Pulse);
        let stories: [&[Look]; 6] = [
            // Found dead.
            &[
                (Some(("a", 1)), 0, Unknown),
                (Some(("a", 1)), 59, Unknown),
                (Some(("a", 1)), 1, Gone),
            ],
            // Found alive.
            &[
                (Some(("a", 1)), 0, Unknown),
                (Some(("a", 2)), 5, Alive),
                (Some(("a", 2)), 9, Alive),
                (Some(("a", 3)), 1, Alive),
            ],
            // Dies while it is watched.
            &[
                (Some(("a", 1)), 0, Unknown),
                (Some(("a", 2)), 5, Alive),
                (Some(("a", 2)), 30, Unknown),
                (Some(("a", 2)), 30, Gone),
            ],
            // Somebody else has it: who has just taken it lives.
            &[(Some(("a", 1)), 0, Unknown), (Some(("b", 1)), 50, Alive)],
            // It moves after all.
            &[(Some(("a", 1)), 0, Unknown), (Some(("a", 2)), 59, Alive)],
            // Silence of the manager is no silence of the holder.
            &[
                (Some(("a", 1)), 0, Unknown),
                (None, 30, Unknown),
                (Some(("a", 1)), 40, Unknown),
                (Some(("a", 1)), 59, Unknown),
                (Some(("a", 1)), 1, Gone),
            ],
        ];
        for (number, story) in stories.into_iter().enumerate() {
            let mut watch = Watch::default();
            for (look, later, expected) in story {
                advance(Duration::from_secs(*later)).await;
                let pulse = match look {
                    Some((id, version)) => watch.look(&standing(id, *version), &Pace::default()),
                    None => {
                        watch.forget();
                        Pulse::Unknown
                    }
                };
                assert_eq!(pulse, *expected, "story {number}, {look:?} +{later} s");
            }
        }
    }
}
