//! Begins and ends a page of the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use imgstack_planner::{Action, SettingsChange, StackPlan, Step};
use imgstack_spec::{ServiceName, StackName};
use imgstack_swarm::{Config, ConfigId, Error, Manager, NewConfig, PreviousSpec, spec_digest};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use super::KEPT;
use super::page::{self, ENDING, LOCK, RESULT, config_name};
use super::read::Journal;
use super::release::{
    Begun, Ending, FORMAT_VERSION, ImageChange, LeftOut, Occasion, PlannedStep, ReleaseResult,
};
use crate::lock::Lock;
use crate::send::SILENCE;

/// How often a number may be taken already: under the lock nobody else counts,
/// but that of another imgstack may have been taken over half-way.
const ATTEMPTS: u64 = 10;
/// So many names make a request too long: then all services are asked for.
const MANY: usize = 50;
/// Pause before the manager is asked again.
const PAUSE: Duration = Duration::from_millis(500);

/// Why the journal cannot be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The manager.
    #[error(transparent)]
    Engine(#[from] Error),
    /// A page that is no JSON: a mistake of ours.
    #[error("the page cannot be written: {0}")]
    Form(#[from] serde_json::Error),
    /// Configs have the names of pages and are none of this run.
    #[error("the name {0} and those before it are taken by other configs")]
    Taken(String),
    /// Somebody removed the page.
    #[error("somebody removed the page {0}")]
    Gone(String),
}

/// A page that is begun.
#[derive(Debug)]
pub(crate) struct Page<'a> {
    manager: &'a Manager,
    id: ConfigId,
    name: String,
    number: u64,
    /// Pages for which there will be no room.
    surplus: Vec<ConfigId>,
}

impl<'a> Page<'a> {
    /// Writes what is about to be done, and what the services are that it
    /// changes.
    pub(crate) async fn begin(
        manager: &'a Manager,
        plan: &StackPlan,
        lock: &Lock,
        occasion: &Occasion,
    ) -> Result<Self, WriteError> {
        let stack = &plan.stack.name;
        let journal = Journal::read(manager, stack).await?;
        let previous = previous(manager, &plan.steps).await?;
        let mut begun = begun(plan, lock, occasion, previous)?;
        for number in (journal.next()..).take(usize::try_from(ATTEMPTS).unwrap_or(1)) {
            begun.number = number;
            let name = config_name(stack, number);
            if let Some(id) = create(manager, &name, stack, &begun).await? {
                let pages = journal.pages.iter().skip(KEPT - 1);
                return Ok(Self {
                    manager,
                    id,
                    name,
                    number,
                    surplus: pages.map(|(_, id)| id.clone()).collect(),
                });
            }
        }
        Err(WriteError::Taken(config_name(stack, begun.number)))
    }

    /// The number of the release.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Writes how it ended, and removes the pages that are too many.
    pub(crate) async fn end(self, ending: &Ending) -> Result<(), WriteError> {
        let text = page::ending(ending)?;
        let until = Instant::now() + SILENCE;
        while let Err(error) = self.label(&text, ending.result).await {
            let may_pass = match &error {
                WriteError::Engine(Error::OutOfSequence { .. } | Error::AnswerLost { .. }) => true,
                WriteError::Engine(error) => error.is_retryable(),
                WriteError::Form(_) | WriteError::Taken(_) | WriteError::Gone(_) => false,
            };
            if !may_pass || Instant::now() >= until {
                return Err(error);
            }
            sleep(PAUSE).await;
        }
        for id in &self.surplus {
            // What stays is one too many for the next release, too.
            let _ = self.manager.remove_config(id).await;
        }
        Ok(())
    }

    async fn label(&self, ending: &str, result: ReleaseResult) -> Result<(), WriteError> {
        let read = self.manager.config(self.id.as_str()).await?;
        let read: Config = read.ok_or_else(|| WriteError::Gone(self.name.clone()))?;
        let mut labels = read.labels.clone();
        labels.insert(ENDING.to_owned(), ending.to_owned());
        labels.insert(RESULT.to_owned(), result.word().to_owned());
        Ok(self.manager.label_config(&read, &labels).await?)
    }
}

/// Makes the config. None: the name is taken.
async fn create(
    manager: &Manager,
    name: &str,
    stack: &StackName,
    begun: &Begun,
) -> Result<Option<ConfigId>, WriteError> {
    let config = NewConfig {
        name,
        labels: &page::labels(stack, &begun.lock),
        data: &page::data(begun)?,
    };
    let error = match manager.create_config(&config).await {
        Ok(id) => return Ok(Some(id)),
        Err(error) => error,
    };
    let lost = matches!(error, Error::AnswerLost { .. });
    if !lost && !error.is_conflict() {
        return Err(error.into());
    }
    // After a lost answer it may be there all the same.
    match manager.config(name).await? {
        Some(found) if found.label(LOCK) == Some(&begun.lock) => Ok(Some(found.id)),
        Some(_) => Ok(None),
        None => Err(error.into()),
    }
}

/// The services that steps change, as they are now.
async fn previous(
    manager: &Manager,
    steps: &[Step],
) -> Result<BTreeMap<ServiceName, PreviousSpec>, Error> {
    let names = steps.iter().filter_map(|step| step.action.service());
    let names: Vec<ServiceName> = names.cloned().collect();
    let mut services = match names.len() {
        0..MANY => manager.services_named(&names).await?,
        _ => manager.services().await?,
    };
    let wanted: BTreeSet<&str> = names.iter().map(ServiceName::as_str).collect();
    services.retain(|service| wanted.contains(service.name()));
    let named = services.iter().filter_map(|service| {
        let name = service.name().parse().ok()?;
        Some((name, PreviousSpec::of(service)))
    });
    Ok(named.collect())
}

fn begun(
    plan: &StackPlan,
    lock: &Lock,
    occasion: &Occasion,
    previous: BTreeMap<ServiceName, PreviousSpec>,
) -> Result<Begun, WriteError> {
    let stack = serde_json::to_value(&plan.stack)?;
    let steps = plan.steps.iter().enumerate();
    Ok(Begun {
        format_version: FORMAT_VERSION.to_owned(),
        stack: plan.stack.name.to_string(),
        number: 0,
        started_at: Timestamp::now(),
        occasion: occasion.clone(),
        lock: lock.token().to_owned(),
        spec_digest: spec_digest(&stack),
        plan: plan.hash.clone(),
        step_count: plan.steps.len(),
        steps: steps.map(|(place, step)| planned(place, step)).collect(),
        previous,
        left_out: LeftOut::default(),
    })
}

fn planned(place: usize, step: &Step) -> PlannedStep {
    let image = step.action.update().map(|update| ImageChange {
        service: update.service.clone(),
        from: update.image.from.clone(),
        to: update.image.to.clone(),
    });
    let settings = match &step.action {
        Action::UpdateService(update) => update.settings.clone(),
        Action::AdjustService(adjust) => adjust.settings.clone(),
        Action::RemoveLeftover(_)
        | Action::LogIn(_)
        | Action::PullImage(_)
        | Action::RotateCredential(_)
        | Action::RemoveImage(_) => SettingsChange::default(),
    };
    PlannedStep {
        place,
        id: step.id.clone(),
        address: step.address.clone(),
        action: step.action.verb().to_owned(),
        image,
        settings,
        reasons: step.reasons.clone(),
    }
}
