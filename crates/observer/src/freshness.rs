//! How fresh the newest builds are: their age, and whether their base has moved.
//!
//! Asked only of images that the spec names a base or a greatest age for: one
//! HEAD of each base's tag, and what digests name, which is kept; and where a
//! build is overdue, one request for the last run of its workflow. It is worth a
//! word and not the plan, so that it is not waited for longer than a while.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use imgstack_planner::{
    BaseState, Evidence, Freshness, Inventory, Known, LastRun, MovedBase, RunState, Trouble,
    freshest,
};
use imgstack_registry::github::{self, Conclusion, Run};
use imgstack_registry::oci::{self, Client};
use imgstack_spec::{Digest, GitHubWorkflow, Image, ImageName, Stack};
use jiff::{SignedDuration, Timestamp};
use tokio::time::timeout;

use crate::images::{CONCURRENT, trouble};

/// How long an image's registry and its base's are waited for. The latter may be
/// one that nothing else needs.
const PATIENCE: Duration = Duration::from_secs(10);

/// Asks for every image that the spec wants it known of.
pub(crate) async fn freshness(
    stack: &Stack,
    inventory: &Inventory,
    registry: &Client,
) -> BTreeMap<ImageName, Freshness> {
    let asked = stack.images.iter().filter_map(|image| {
        let newest = is_wanted(image).then(|| freshest(stack, image, inventory));
        Some((image, newest??))
    });
    stream::iter(asked)
        .map(|(image, newest)| async move {
            let (created, base) = match &newest {
                Known::Known(newest) => tokio::join!(
                    created(image, newest, registry),
                    base(image, newest, registry)
                ),
                Known::Unknown(trouble) => (
                    Known::Unknown(trouble.clone()),
                    image
                        .base
                        .as_ref()
                        .map(|_| BaseState::Unknown(trouble.clone())),
                ),
            };
            let last_run = match overdue(image, &created, inventory.observed_at) {
                Some(workflow) => Some(last_run(workflow, registry).await),
                None => None,
            };
            let freshness = Freshness {
                created,
                base,
                last_run,
            };
            (image.name.clone(), freshness)
        })
        .buffer_unordered(CONCURRENT)
        .collect()
        .await
}

fn is_wanted(image: &Image) -> bool {
    let greatest = image.build.as_ref().and_then(|build| build.maximum_age);
    image.base.is_some() || greatest.is_some()
}

async fn created(image: &Image, newest: &Digest, registry: &Client) -> Known<Option<Timestamp>> {
    let asked = timeout(PATIENCE, registry.created(&image.repository, newest));
    match asked.await {
        Ok(Ok(created)) => Known::Known(created),
        Ok(Err(error)) => Known::Unknown(trouble(&error)),
        Err(_) => Known::Unknown(no_answer(image.repository.host().as_str())),
    }
}

async fn base(image: &Image, newest: &Digest, registry: &Client) -> Option<BaseState> {
    let base = image.base.as_ref()?;
    let asked = timeout(PATIENCE, registry.base(&image.repository, newest, base));
    Some(match asked.await {
        Ok(state) => known(state),
        Err(_) => BaseState::Unknown(no_answer(base.repository.host().as_str())),
    })
}

/// The workflow that should have made a newer build by now.
fn overdue<'a>(
    image: &'a Image,
    created: &Known<Option<Timestamp>>,
    now: Timestamp,
) -> Option<&'a GitHubWorkflow> {
    let build = image.build.as_ref().filter(|_| image.pin.is_none())?;
    let most = SignedDuration::try_from(build.maximum_age?).ok()?;
    match created {
        Known::Known(Some(created)) if now.duration_since(*created) > most => build.github.as_ref(),
        Known::Known(_) | Known::Unknown(_) => None,
    }
}

async fn last_run(workflow: &GitHubWorkflow, registry: &Client) -> Known<Option<LastRun>> {
    let asked = async {
        let token = registry.workflow_token(workflow).await?;
        let actions = registry.github().actions(workflow, token);
        actions.latest(1).await
    };
    match timeout(PATIENCE, asked).await {
        Ok(Ok(runs)) => Known::Known(runs.into_iter().next().map(became)),
        Ok(Err(error)) => Known::Unknown(of_github(&error)),
        Err(_) => Known::Unknown(no_answer("api.github.com")),
    }
}

fn of_github(error: &github::Error) -> Trouble {
    Trouble {
        why: error.to_string(),
        hint: Some(error.hint()),
    }
}

fn became(run: Run) -> LastRun {
    let ended = run
        .conclusion
        .filter(|_| run.status == github::Status::Completed);
    LastRun {
        at: match ended {
            Some(_) => run.updated_at,
            None => run.created_at,
        },
        state: match ended {
            None => RunState::GoingOn,
            Some(Conclusion::Success) => RunState::Succeeded,
            Some(other) => RunState::Ended(other.to_string()),
        },
        url: run.url,
    }
}

fn no_answer(host: &str) -> Trouble {
    Trouble::new(format!(
        "{host} did not answer within {} s",
        PATIENCE.as_secs()
    ))
}

fn known(state: oci::BaseState) -> BaseState {
    match state {
        oci::BaseState::Current { how } => BaseState::Current(evidence(how)),
        oci::BaseState::Moved {
            how,
            from,
            to,
            made,
        } => BaseState::Moved(MovedBase {
            how: evidence(how),
            from,
            to,
            made,
        }),
        oci::BaseState::Unknown { why, hint } => BaseState::Unknown(Trouble { why, hint }),
    }
}

fn evidence(how: oci::Evidence) -> Evidence {
    match how {
        oci::Evidence::Provenance => Evidence::Provenance,
        oci::Evidence::Annotations => Evidence::Annotations,
        oci::Evidence::Labels => Evidence::Labels,
        oci::Evidence::Layers => Evidence::Layers,
    }
}
