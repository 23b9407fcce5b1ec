//! An image built anew by its workflow: started, followed, held against what
//! the tag meant before.
//!
//! What happens is told as events; the forms of the output are made of those.
//! Once GitHub was asked to start something, the run goes on whatever becomes
//! of this program, and every way out says where it is to be seen.

mod error;
mod event;

use imgstack_registry::github::{Actions, Dispatch, Glance, Job, Run, RunLink, Status, page_of};
use imgstack_registry::oci::{Client, Endpoints};
use imgstack_spec::{Digest, GitHubWorkflow, Image, ImageRef, Stack};
use tokio_util::sync::CancellationToken;

pub(crate) use error::RebuildError;
pub(crate) use event::{Event, FailedJob, Outcome, Report, RunReport};
use event::{changes, seconds};

use crate::world;

/// Jobs whose last words are shown, and how many.
const JOBS: usize = 3;
const WORDS: usize = 12;

/// What is to be built, by which workflow, in whose name.
pub(crate) struct Rebuild<'s> {
    stack: &'s Stack,
    image: &'s Image,
    workflow: &'s GitHubWorkflow,
    endpoints: Endpoints,
    actions: Actions,
    before: Result<Option<Digest>, String>,
}

/// How far a run was followed.
enum Followed {
    Ended(Run, Vec<Job>),
    Interrupted,
}

impl<'s> Rebuild<'s> {
    /// Finds the token, and what the tag means until now.
    pub(crate) async fn prepare(stack: &'s Stack, image: &'s Image) -> Result<Self, RebuildError> {
        let workflow = image.build.as_ref().and_then(|build| build.github.as_ref());
        let workflow = workflow.ok_or_else(|| RebuildError::NoWorkflow {
            image: image.name.clone(),
            has_build: image.build.is_some(),
        })?;
        let endpoints = world::endpoints()?;
        let registry = world::registry(stack, &endpoints);
        let (token, before) =
            tokio::join!(registry.workflow_token(workflow), current(&registry, image));
        let actions = registry.github().actions(workflow, token?);
        Ok(Self {
            stack,
            image,
            workflow,
            endpoints,
            actions,
            before,
        })
    }

    /// Starts the workflow and, if `follow`, stays until its run has ended.
    /// The call that starts it is always waited for.
    pub(crate) async fn run(
        self,
        follow: bool,
        cancel: &CancellationToken,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Report, RebuildError> {
        tell(Event::Starting {
            workflow: self.workflow.clone(),
            credential: self.actions.token().origin().to_owned(),
        });
        let link = match self.actions.dispatch().await? {
            Dispatch::Run(link) => link,
            Dispatch::Unseen(start) => {
                let certain = start.is_certain();
                tell(Event::Looking { certain });
                let found = unless(cancel, self.actions.find(&start)).await;
                match found {
                    Some(found) => found?.link(),
                    None => return Ok(self.report(Outcome::Interrupted { certain }, None)),
                }
            }
        };
        tell(Event::Started { run: link.clone() });
        if !follow {
            return Ok(self.report(Outcome::Started, Some(RunReport::begun(&link))));
        }
        match self.follow(&link, cancel, tell).await? {
            Followed::Ended(run, jobs) => Ok(self.ended(&run, &jobs).await),
            Followed::Interrupted => {
                let outcome = Outcome::Interrupted { certain: true };
                Ok(self.report(outcome, Some(RunReport::begun(&link))))
            }
        }
    }

    async fn follow(
        &self,
        link: &RunLink,
        cancel: &CancellationToken,
        tell: &(dyn Fn(Event) + Sync),
    ) -> Result<Followed, RebuildError> {
        let mut follow = self.actions.follow(link.id);
        let (mut known, mut waits) = (Vec::new(), None);
        loop {
            let glance = match unless(cancel, follow.next()).await {
                None => return Ok(Followed::Interrupted),
                Some(glance) => glance.map_err(|cause| RebuildError::OutOfSight {
                    url: link.url.clone(),
                    cause: Box::new(cause),
                })?,
            };
            let (run, jobs) = match glance {
                Glance::Seen { run, jobs } => (run, jobs),
                Glance::Trouble(error) => {
                    let why = error.to_string();
                    tell(Event::Trouble { why });
                    continue;
                }
            };
            if waits != Some(run.status) && run.status != Status::Completed {
                waits = Some(run.status);
                let status = run.status;
                tell(Event::RunIs { status });
            }
            changes(&known, &jobs).into_iter().for_each(tell);
            known = jobs;
            if run.status == Status::Completed {
                return Ok(Followed::Ended(run, known));
            }
        }
    }

    async fn ended(&self, run: &Run, jobs: &[Job]) -> Report {
        let summary = Some(RunReport::ended(run));
        if !run.has_succeeded() {
            let failed = self.failed(jobs).await;
            return self.report(Outcome::Failed { jobs: failed }, summary);
        }
        let Some(tag) = self.image.tag() else {
            return self.report(Outcome::Succeeded, summary);
        };
        // A client of its own: the other one keeps what the tag meant before.
        let registry = world::registry(self.stack, &self.endpoints);
        let outcome = match current(&registry, self.image).await {
            Ok(Some(digest)) => led(&self.before, digest),
            Ok(None) => Outcome::Unread {
                why: format!("there is no tag `{tag}`"),
            },
            Err(why) => Outcome::Unread { why },
        };
        self.report(outcome, summary)
    }

    async fn failed(&self, jobs: &[Job]) -> Vec<FailedJob> {
        let mut failed = Vec::new();
        for job in jobs.iter().filter(|job| job.has_failed()).take(JOBS) {
            let (log, no_log) = match self.actions.last_words(job, WORDS).await {
                Ok(log) => (log, None),
                Err(error) => (Vec::new(), Some(error.to_string())),
            };
            failed.push(FailedJob {
                job: job.name.clone(),
                step: job.failed_step().map(|step| step.name.clone()),
                conclusion: job.conclusion,
                url: job.url.clone(),
                log,
                no_log,
            });
        }
        failed
    }

    fn report(&self, outcome: Outcome, run: Option<RunReport>) -> Report {
        Report {
            image: self.image.name.clone(),
            reference: followed(self.image),
            pinned: self.image.pin.is_some(),
            workflow: self.workflow.clone(),
            page: page_of(self.workflow),
            before: self.before.clone().ok().flatten(),
            run,
            outcome,
        }
    }
}

impl RunReport {
    fn begun(link: &RunLink) -> Self {
        Self {
            id: link.id,
            url: link.url.clone(),
            number: None,
            conclusion: None,
            seconds: None,
        }
    }

    fn ended(run: &Run) -> Self {
        Self {
            id: run.id,
            url: run.url.clone(),
            number: Some(run.number),
            conclusion: run.conclusion,
            seconds: seconds(Some(run.created_at), Some(run.updated_at)),
        }
    }
}

/// What it means that the tag leads to a build now.
fn led(before: &Result<Option<Digest>, String>, digest: Digest) -> Outcome {
    match before {
        Ok(Some(before)) if *before == digest => Outcome::Unchanged { digest },
        Ok(Some(_) | None) => Outcome::Built { digest },
        Err(why) => Outcome::Doubtful {
            digest,
            why: why.clone(),
        },
    }
}

/// The tag that is followed, whatever is pinned; alone the repository where a
/// policy chooses.
fn followed(image: &Image) -> ImageRef {
    match image.tag() {
        Some(tag) => image.tagged(tag),
        None => image.anywhere(),
    }
}

/// What the tag leads to; None: there is none. The error in words: it stops
/// no build.
async fn current(registry: &Client, image: &Image) -> Result<Option<Digest>, String> {
    use imgstack_registry::oci::Error;
    if image.tag().is_none() {
        return Ok(None);
    }
    match registry.resolve(&followed(image)).await {
        Ok(resolved) => Ok(Some(resolved.digest)),
        Err(Error::TagNotFound { .. }) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// None: it was interrupted.
async fn unless<T>(cancel: &CancellationToken, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => None,
        done = work => Some(done),
    }
}
