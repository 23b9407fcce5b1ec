//! The leader goes last, also when it is another one by now.
//!
//! Who leads was asked for the plan; a service of a group is asked again just
//! before its turn. Where the answer is another one, all of the group are
//! asked, and what is left of the order is worked out anew by the planner's own
//! functions, or the apply stops, as the spec says. What is not known stops it,
//! too: nothing is sent then.
//!
//! Before the leader goes, it may be told to hand over; then it goes once it
//! leads no more.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::future::join_all;
use imgstack_planner::{
    Known, Leader, Leadership, StackPlan, Step, StepId, Trouble, UpdateService, arrange, leaders,
    leadership, several,
};
use imgstack_spec::{Address, ImageName, LeaderChange, ServiceName};
use imgstack_swarm::probe::{Asked, RunError, Unasked};
use imgstack_swarm::{Error, Node, ServiceId, Task};
use tokio::time::{Instant, sleep};

use crate::converge::LONGEST;
use crate::event::{Event, Failure, FailureKind, TaskFailure};
use crate::execute::Run;
use crate::steps::End;

/// How often a leader is asked that is handing over.
const BEAT: Duration = Duration::from_secs(2);
/// So many of its last lines tell why a program failed.
const LINES: usize = 20;

/// Who leads, as far as is known by now.
#[derive(Debug, Default)]
pub(crate) struct Leads {
    last: BTreeMap<ImageName, ServiceName>,
    /// How often leadership moved.
    moves: BTreeMap<ImageName, usize>,
}

/// Whether a step may go.
pub(crate) enum Turn {
    /// It may.
    Now,
    /// Others come before it now.
    Later,
    /// It does not go at all.
    Never(Box<Failure>),
}

impl Leads {
    /// As the plan has it.
    pub(crate) fn of(plan: &StackPlan) -> Self {
        Self {
            last: leaders(&plan.stack, updates(plan)),
            moves: BTreeMap::new(),
        }
    }
}

fn updates(plan: &StackPlan) -> impl Iterator<Item = &UpdateService> {
    plan.steps.iter().filter_map(|step| step.action.update())
}

/// Asks again whether a service leads whose turn it is.
pub(crate) async fn before(run: &Run<'_>, step: &Step) -> Turn {
    match Member::of(run, step) {
        // Alone, it is the last in any case.
        Some(member) if member.leader.group.len() > 1 => member.turn().await,
        Some(_) | None => Turn::Now,
    }
}

/// Tells a leader to hand over, and waits until it has, where the spec has a
/// program for that. To be called when nothing else is in the way of its
/// update: a leader that hands over and then does not go has moved for nothing.
/// Whether it was told to.
pub(crate) async fn hand_over(run: &Run<'_>, step: &Step) -> Result<bool, End> {
    let member = Member::of(run, step);
    match member.as_ref().filter(|member| member.may_lead()) {
        Some(member) => member.hand_over().await,
        None => Ok(false),
    }
}

/// A service of a group, whose turn it is.
struct Member<'r> {
    run: &'r Run<'r>,
    step: &'r Step,
    update: &'r UpdateService,
    leader: &'r Leader,
    image: &'r ImageName,
}

impl<'r> Member<'r> {
    fn of(run: &'r Run<'r>, step: &'r Step) -> Option<Self> {
        let update = step.action.update()?;
        Some(Self {
            run,
            step,
            update,
            leader: update.leader.as_ref()?,
            image: &run.plan.stack.service(&update.service)?.image,
        })
    }

    async fn turn(&self) -> Turn {
        let own = &self.update.service;
        let (led, now) = (self.leads(), self.ask(own).await);
        if now == Known::Known(led) {
            return Turn::Now;
        }
        let others = self.leader.group.iter().filter(|name| *name != own);
        let others = others.map(|name| async move { (name, self.ask(name).await) });
        let mut answers: BTreeMap<&ServiceName, Known<bool>> =
            join_all(others).await.into_iter().collect();
        answers.insert(own, now);
        match leadership(answers.iter().map(|(name, answer)| (*name, answer))) {
            // It did not answer, and the leader is the one that it was.
            Leadership::One(leader) if (leader == *own) == led => Turn::Now,
            Leadership::One(leader) => self.moved(&leader),
            Leadership::Several(leaders) => Turn::Never(unclear(&several(&leaders), None)),
            Leadership::Nobody => Turn::Never(unclear(
                "it led when the plan was made, and none of its group answers as the leader now",
                None,
            )),
            Leadership::Unknown(unknown) => {
                let own = unknown.iter().find(|(name, _)| name == own);
                let (name, trouble) = match own.or(unknown.first()) {
                    Some((name, trouble)) => (name, trouble),
                    None => return Turn::Now,
                };
                let why = format!("whether service.{name} leads is not known: {}", trouble.why);
                Turn::Never(unclear(&why, trouble.hint.clone()))
            }
        }
    }

    /// Whether it is the one that goes last, as far as is known.
    fn leads(&self) -> bool {
        self.run.leads().last.get(self.image) == Some(&self.update.service)
    }

    /// Another one leads than did.
    fn moved(&self, leader: &ServiceName) -> Turn {
        let was = self.run.leads().last.get(self.image).cloned();
        if self.leader.last_if.on_change == LeaderChange::Stop {
            return Turn::Never(stopped(leader, was.as_ref()));
        }
        let mut leads = self.run.leads();
        leads.last.insert(self.image.clone(), leader.clone());
        let moves = leads.moves.entry(self.image.clone()).or_default();
        *moves += 1;
        // Each service may lead for a while; more than that goes on for ever.
        if *moves > 2 * self.leader.group.len() {
            return Turn::Never(restless(*moves));
        }
        let moving: BTreeSet<ServiceName> = updates(self.run.plan)
            .map(|update| update.service.clone())
            .collect();
        let places = arrange(&self.run.plan.stack, &leads.last, &moving);
        drop(leads);
        let group: BTreeSet<&ServiceName> = self.leader.group.iter().collect();
        let in_group = places.iter().map(|place| &place.service);
        let in_group: Vec<&ServiceName> = in_group.filter(|it| group.contains(it)).collect();
        let not_ended = self
            .run
            .not_ended(in_group.iter().map(|it| StepId::update(it)));
        self.run.rearrange(&places);
        let left = self.run.not_begun(&not_ended, &self.step.id);
        let address = |name: &ServiceName| Address::Service(name.clone());
        self.run.tell(Event::OrderChanged {
            stack: self.run.plan.stack.name.clone(),
            image: Address::Image(self.image.clone()),
            leader: address(leader),
            was: was.as_ref().map(address),
            left: in_group
                .into_iter()
                .filter(|name| left.contains(&StepId::update(name)))
                .map(address)
                .collect(),
        });
        match not_ended.iter().any(|id| *id != self.step.id) {
            true => {
                self.run.put_back(&self.step.id);
                Turn::Later
            }
            false => Turn::Now,
        }
    }

    /// Whether a service of the group leads.
    async fn ask(&self, service: &ServiceName) -> Known<bool> {
        match self.leading(service).await {
            Ok(task) => Known::Known(task.is_some()),
            Err(unasked) => Known::Unknown(Trouble {
                why: unasked.why,
                hint: unasked.hint,
            }),
        }
    }

    /// The task of a service that says yes, and its node.
    async fn leading(&self, service: &ServiceName) -> Result<Option<(Task, Node)>, Unasked> {
        let stack = &self.run.plan.stack;
        let desired = stack.service(service);
        let Some(last_if) = desired.and_then(|it| it.last_if.as_ref()) else {
            return Ok(None);
        };
        let manager = self.run.world.manager;
        let seen = self.run.plan.seen.get(service);
        let looked = async {
            let id = match seen {
                Some(seen) => ServiceId::new(seen.service_id.clone()),
                // No target of the plan. The engine takes a name as well.
                None => {
                    let name = ServiceId::new(service.to_string());
                    manager.service(&name).await?.id()
                }
            };
            let ids = [id];
            let (tasks, nodes) = tokio::try_join!(manager.tasks(&ids), manager.nodes())?;
            let [id] = ids;
            Ok((id, tasks, nodes))
        };
        let (id, tasks, nodes) = looked.await.map_err(|error: Error| Unasked {
            why: error.to_string(),
            hint: error.hint(),
        })?;
        let tasks: Vec<Task> = tasks.into_iter().filter(|it| it.service_id == id).collect();
        let (question, within) = (&last_if.question, last_if.timeout);
        let leading = self.run.asker.leading(question, within, &tasks, &nodes);
        let found = leading.await?.and_then(|task| {
            let mut nodes = nodes.iter();
            let node = nodes.find(|node| Some(&node.id) == task.node_id.as_ref())?;
            Some((task.clone(), node.clone()))
        });
        Ok(found)
    }

    fn may_lead(&self) -> bool {
        self.leader.last_if.before.is_some() && (self.leader.group.len() == 1 || self.leads())
    }

    async fn hand_over(&self) -> Result<bool, End> {
        let Some(before) = &self.leader.last_if.before else {
            return Ok(false);
        };
        let (task, node) = match self.leading(&self.update.service).await {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(false),
            Err(unasked) => {
                let why = format!("whether it leads is not known: {}", unasked.why);
                return Err(End::Failed(unclear(&why, unasked.hint)));
            }
        };
        let within = Duration::from_secs(self.update.timeout_seconds).min(LONGEST);
        let deadline = Instant::now() + within;
        if !self.run.may_send().await {
            return Err(End::NotBegun);
        }
        let words: Vec<&str> = before.iter().map(|word| word.as_str()).collect();
        let program = words.join(" ");
        let name = task.name(self.update.service.as_str());
        self.run.tell(Event::HandingOver {
            step: self.step.id.clone(),
            address: self.step.address.clone(),
            task: name.clone(),
            program: program.clone(),
        });
        let asked = Asked {
            task: &task,
            node: &node,
        };
        let ran = self.run.asker.run(before, within, &asked).await;
        let ran = ran.map_err(|error| End::Failed(not_run(&program, &name, &error)))?;
        if ran.code != 0 {
            let lines = ran.output.iter().map(|line| line.text.clone());
            let mut log: Vec<String> = lines.collect();
            log.drain(..log.len().saturating_sub(LINES));
            let task = TaskFailure {
                task: name,
                node: Some(node.hostname.clone()),
                state: "failed".to_owned(),
                error: format!("`{program}` ended with {}", ran.code),
                exit_code: Some(ran.code),
                log,
            };
            return Err(End::Failed(refused(task)));
        }
        self.until_it_leads_no_more(deadline, &program).await?;
        Ok(true)
    }

    async fn until_it_leads_no_more(&self, deadline: Instant, program: &str) -> Result<(), End> {
        loop {
            if self.run.cancel.is_cancelled() {
                return Err(End::Stopped);
            }
            let last = match self.leading(&self.update.service).await {
                Ok(None) => return Ok(()),
                Ok(Some(_)) => "it still answers as the leader".to_owned(),
                Err(unasked) => format!("whether it still leads is not known: {}", unasked.why),
            };
            if Instant::now() + BEAT >= deadline {
                return Err(End::Failed(kept(
                    program,
                    self.update.timeout_seconds,
                    &last,
                )));
            }
            tokio::select! {
                () = sleep(BEAT) => {}
                () = self.run.cancel.cancelled() => {}
            }
        }
    }
}

fn failure(kind: FailureKind, why: &str, hint: &str) -> Failure {
    Failure {
        kind,
        message: format!("{why}; nothing was sent"),
        hint: Some(hint.to_owned()),
        ..Failure::empty()
    }
}

/// It is not clear who leads.
fn unclear(why: &str, hint: Option<String>) -> Box<Failure> {
    let again = "wait until one leads, and says so, then: imgstack apply";
    let hint = hint.unwrap_or_else(|| again.to_owned());
    Box::new(failure(FailureKind::LeaderUnknown, why, &hint))
}

fn stopped(leader: &ServiceName, was: Option<&ServiceName>) -> Box<Failure> {
    let was = was.map_or_else(|| "nobody".to_owned(), |was| format!("service.{was}"));
    let why =
        format!("service.{leader} answers as the leader now, and {was} did when the plan was made");
    let hint = "make a new plan: imgstack plan";
    Box::new(failure(FailureKind::LeaderMoved, &why, hint))
}

fn restless(moves: usize) -> Box<Failure> {
    let why = format!("leadership has moved {moves} times since the plan was made");
    let hint = "see why it does not stay with one of them, then: imgstack apply";
    Box::new(failure(FailureKind::LeaderMoved, &why, hint))
}

const WHY: &str = "see why it does not hand over, then: imgstack apply";

fn not_run(program: &str, task: &str, error: &RunError) -> Box<Failure> {
    let why = format!("`{program}` could not be run to its end in {task}: {error}");
    let hint = error.hint().unwrap_or_else(|| WHY.to_owned());
    Box::new(failure(FailureKind::NotHandedOver, &why, &hint))
}

fn refused(task: TaskFailure) -> Box<Failure> {
    Box::new(Failure {
        tasks: vec![task],
        ..failure(
            FailureKind::NotHandedOver,
            "the leader did not hand over",
            WHY,
        )
    })
}

fn kept(program: &str, seconds: u64, last: &str) -> Box<Failure> {
    let why = format!("`{program}` ended well, and {seconds} s after it had begun {last}");
    Box::new(failure(FailureKind::NotHandedOver, &why, WHY))
}
