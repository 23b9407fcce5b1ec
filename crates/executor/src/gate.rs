//! The gate of a rollout: the probe of its service must hold before the rollout
//! counts as done.
//!
//! A rollout comes to it once it has converged. From then on every running task
//! is asked every so often; the gate opens when all have said yes for as long
//! as they should, without a no in between. What cannot be asked says nothing of
//! the build: it keeps the gate shut, and blames nobody.
//!
//! Deliberately absent: how a task is asked, which is `swarm::probe`.

use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream;
use imgstack_spec::Probe;
use imgstack_swarm::probe::{Answer, Asked, Asker, Unasked};
use imgstack_swarm::{Node, RawService, Task, TaskId, TaskState};
use tokio::time::Instant;

use crate::event::{ProbeProgress, TaskFailure};

/// How many tasks are asked at once.
const AT_ONCE: usize = 16;
/// So many times `every` it takes to shut a gate for good that was open.
const TIMES: u32 = 3;

/// A probe that is being asked.
pub(crate) struct Gate<'a> {
    probe: &'a Probe,
    asker: &'a Asker,
    due: Instant,
    latch: Latch,
    last: Option<Round>,
    /// The tasks that are asked, and since when these.
    tasks: Vec<TaskId>,
    since: Option<Instant>,
}

/// How a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Long enough.
    Yes,
    /// Not yet.
    NotYet,
    /// It was open, and has been shut for so long that it is for good.
    NoMore(Duration),
}

/// What the answers of one round come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Said {
    /// All said yes.
    Yes,
    /// One did not.
    No,
    /// None said no, and one could not be asked.
    Nothing,
}

/// Since when a gate has been open, or shut again.
#[derive(Debug, Default)]
struct Latch {
    /// Since when every answer has been yes.
    open: Option<Instant>,
    was_open: bool,
    /// Since when it has been no, after it was yes.
    shut: Option<Instant>,
}

impl Latch {
    fn take(&mut self, said: Said, now: Instant, probe: &Probe) -> Held {
        match said {
            Said::Yes => {
                self.was_open = true;
                self.shut = None;
                let since = *self.open.get_or_insert(now);
                match now - since >= probe.hold {
                    true => Held::Yes,
                    false => Held::NotYet,
                }
            }
            Said::Nothing => {
                self.open = None;
                Held::NotYet
            }
            Said::No => {
                self.open = None;
                if !self.was_open {
                    return Held::NotYet;
                }
                let long = now - *self.shut.get_or_insert(now);
                match long >= patience(probe) {
                    true => Held::NoMore(long),
                    false => Held::NotYet,
                }
            }
        }
    }
}

/// So long a no has to last.
fn patience(probe: &Probe) -> Duration {
    probe.hold.max(probe.every * TIMES)
}

/// One answer of each task.
pub(crate) struct Round {
    yes: u64,
    asked: u64,
    /// The tasks that did not say yes, and what they said.
    no: Vec<(TaskId, TaskFailure)>,
    /// Why one could not be asked.
    unasked: Option<Unasked>,
}

/// A task of a service that runs, and its node.
#[derive(Clone, Debug)]
pub(crate) struct Running {
    task: Task,
    node: Node,
    name: String,
}

impl<'a> Gate<'a> {
    pub(crate) fn new(probe: &'a Probe, asker: &'a Asker) -> Self {
        Self {
            probe,
            asker,
            due: Instant::now(),
            latch: Latch::default(),
            last: None,
            tasks: Vec::new(),
            since: None,
        }
    }

    /// Whether a question could be put to each of these tasks: to be called
    /// before anything is sent, with the tasks that are there then.
    pub(crate) async fn can_be_asked(&self, tasks: &[Running]) -> Result<(), Unasked> {
        let round = ask(self.asker, self.probe, tasks).await;
        round.unasked.map_or(Ok(()), Err)
    }

    /// What these tasks say that is no yes, asked once; None where all say yes.
    pub(crate) async fn is_shut(&self, tasks: &[Running]) -> Option<String> {
        let round = ask(self.asker, self.probe, tasks).await;
        (round.said() != Said::Yes).then(|| round.words())
    }

    /// Asks, if it is time to. May be dropped half-way: it is asked again then.
    pub(crate) async fn look(&mut self, tasks: &[Running]) -> Held {
        let now = Instant::now();
        if tasks.is_empty() {
            return Held::Yes;
        }
        // Others than were asked have said nothing yet.
        let mut ids: Vec<TaskId> = tasks.iter().map(|at| at.task.id.clone()).collect();
        ids.sort();
        if ids != self.tasks {
            self.start_over();
            self.tasks = ids;
        }
        if now < self.due {
            return Held::NotYet;
        }
        self.since.get_or_insert(now);
        let round = ask(self.asker, self.probe, tasks).await;
        self.due = now + self.probe.every;
        let held = self.latch.take(round.said(), now, self.probe);
        self.last = Some(round);
        held
    }

    /// When it is asked again.
    pub(crate) fn due(&self) -> Instant {
        self.due
    }

    /// The last answers; None before the first.
    pub(crate) fn last(&self) -> Option<&Round> {
        self.last.as_ref()
    }

    /// Tasks have come or gone: what was said before is of no use.
    pub(crate) fn start_over(&mut self) {
        self.latch.open = None;
        self.last = None;
        self.tasks.clear();
        self.since = None;
        self.due = Instant::now();
    }

    /// Nobody could be asked for a while: that they say yes before and after
    /// does not mean that it has held meanwhile.
    pub(crate) fn lose_sight(&mut self) {
        self.latch.open = None;
    }

    /// Whether it has said no for good: it says so now, and was asked for long
    /// enough. One that says yes, or was reached just before the deadline, has
    /// run out of time.
    pub(crate) fn has_refused(&self) -> bool {
        let says_no = self.last.as_ref().map(Round::said) == Some(Said::No);
        let long = self.since.map(|since| since.elapsed());
        says_no && long >= Some(patience(self.probe))
    }

    /// How it stands, for whoever waits.
    pub(crate) fn progress(&self) -> Option<ProbeProgress> {
        self.last.as_ref().map(Round::progress)
    }
}

impl Round {
    fn said(&self) -> Said {
        match (self.no.is_empty(), &self.unasked) {
            (false, _) => Said::No,
            (true, Some(_)) => Said::Nothing,
            (true, None) => Said::Yes,
        }
    }

    /// `1 of 3 say yes; web.2: HTTP 503`
    pub(crate) fn words(&self) -> String {
        self.progress().words()
    }

    fn progress(&self) -> ProbeProgress {
        ProbeProgress {
            yes: self.yes,
            asked: self.asked,
            answer: self.worst(),
        }
    }

    /// A no tells more than what could not be asked.
    fn worst(&self) -> Option<String> {
        let no = self.no.first();
        let no = no.map(|(_, said)| format!("{}: {}", said.task, said.error));
        no.or_else(|| self.unasked.as_ref().map(|unasked| unasked.why.clone()))
    }

    /// The tasks that did not say yes, and what they said.
    pub(crate) fn no(&self) -> &[(TaskId, TaskFailure)] {
        &self.no
    }

    /// Why a task could not be asked, where no task said no.
    pub(crate) fn unasked(&self) -> Option<&Unasked> {
        self.unasked.as_ref().filter(|_| self.no.is_empty())
    }
}

impl Running {
    /// Those of a service, on nodes that the managers hear.
    pub(crate) fn of(service: &RawService, tasks: &[Task], nodes: &[Node]) -> Vec<Self> {
        let id = service.id();
        let tasks = tasks.iter().filter(|task| {
            task.service_id == id && task.is_wanted() && task.state == TaskState::Running
        });
        let running = tasks.filter_map(|task| {
            let node = nodes
                .iter()
                .find(|node| task.node_id.as_ref() == Some(&node.id))?;
            node.is_live().then(|| Self {
                task: task.clone(),
                node: node.clone(),
                name: task.name(service.name()),
            })
        });
        running.collect()
    }

    fn failure(&self, said: String) -> TaskFailure {
        TaskFailure {
            task: self.name.clone(),
            node: Some(self.node.hostname.clone()),
            state: TaskState::Running.word().to_owned(),
            error: said,
            exit_code: None,
            log: Vec::new(),
        }
    }
}

async fn ask(asker: &Asker, probe: &Probe, tasks: &[Running]) -> Round {
    let questions = tasks.iter().map(|at| async move {
        let asked = Asked {
            task: &at.task,
            node: &at.node,
        };
        let answer = asker.ask(&probe.question, probe.timeout, &asked).await;
        (at, answer)
    });
    let answers: Vec<(&Running, Answer)> =
        stream::iter(questions).buffered(AT_ONCE).collect().await;
    let mut round = Round {
        yes: 0,
        asked: tasks.len() as u64,
        no: Vec::new(),
        unasked: None,
    };
    for (at, answer) in answers {
        match answer {
            Answer::Yes => round.yes += 1,
            Answer::No(words) | Answer::Silent(words) => {
                round.no.push((at.task.id.clone(), at.failure(words)));
            }
            Answer::Unknown(unasked) => {
                let why = format!("{}: {}", at.name, unasked.why);
                round.unasked.get_or_insert(Unasked { why, ..unasked });
            }
        }
    }
    round
}

#[cfg(test)]
mod tests {
    use imgstack_spec::Question;

    use super::*;

    /// Answers every second: what they come to, `+` yes, `-` no, `?` nobody
    /// could be asked; and how it stands after each: `.` not yet, `Y` held,
    /// `N` no more.
    #[test]
    fn a_gate_opens_when_it_has_held_and_shuts_when_it_has_failed_as_long() {
        let table = [
            // hold 0: one round is enough.
            (0, 1, "+", "Y"),
            (0, 1, "-+", ".Y"),
            (0, 1, "?+", ".Y"),
            (3, 1, "++++", "...Y"),
            (3, 1, "++-++++", "......Y"),
            (3, 1, "++?++++", "......Y"),
            // Never open: it is the deadline's.
            (3, 1, "---------", "........."),
            (3, 1, "?????????", "........."),
            // Open, and shut for as long as it should have held.
            (3, 1, "+----", "....N"),
            (5, 1, "+------", "......N"),
            (0, 1, "?+", ".Y"),
            // At least three times `every`.
            (1, 2, "+-------", ".......N"),
            // In between it says nothing, or yes again.
            (3, 1, "+--?-", "....N"),
            (3, 1, "+--+---", "......."),
            (3, 1, "+--+----", ".......N"),
        ];
        for (hold, every, said, expected) in table {
            let probe = Probe {
                question: Question::Tcp("db:5432".parse().unwrap()),
                every: Duration::from_secs(every),
                hold: Duration::from_secs(hold),
                timeout: Duration::from_secs(1),
            };
            let mut latch = Latch::default();
            let began = Instant::now();
            let seconds = 0..;
            let held = said.chars().zip(seconds).map(|(said, second)| {
                let said = match said {
                    '+' => Said::Yes,
                    '-' => Said::No,
                    _ => Said::Nothing,
                };
                let now = began + Duration::from_secs(second);
                match latch.take(said, now, &probe) {
                    Held::Yes => 'Y',
                    Held::NotYet => '.',
                    Held::NoMore(_) => 'N',
                }
            });
            let held: String = held.collect();
            assert_eq!(held, expected, "hold {hold}, every {every}: {said}");
        }
    }
}
