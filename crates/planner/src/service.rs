//! What one service needs: nothing, an update, or a word on why neither can
//! be said.

use imgstack_spec::{Address, Image, ImageRef, Pin, Service, ServiceName, Stack};

use crate::failed::{Failures, Memory};
use crate::follow::{self, Followed, Following, Wanted};
use crate::inventory::{ObservedService, ServiceMode, UpdateState};
use crate::major::Guard;
use crate::report::{Code, Finding, Severity};
use crate::running::Running;
use crate::{Change, Inventory, Known, UpdateService, credential, platforms, settings};

/// The label that names the stack a service belongs to.
pub(crate) const STACK_LABEL: &str = "dev.imgstack.stack";
/// The label that names the image of the spec.
const IMAGE_LABEL: &str = "dev.imgstack.image";

/// A service and what is to become of it.
pub(crate) struct Judged<'a> {
    pub(crate) service: &'a Service,
    pub(crate) verdict: Verdict,
    /// The build that it is to run, where that is known.
    pub(crate) wanted: Option<ImageRef>,
    /// What is to be said of its image, where the guard of major versions stops
    /// it.
    pub(crate) major: Option<Box<Finding>>,
}

/// What is to become of a service.
pub(crate) enum Verdict {
    /// Runs the wanted build.
    UpToDate,
    /// Runs the wanted build, and there is something to say about it.
    Noted(Vec<Finding>),
    /// Asks for the wanted build, and not all of its tasks run.
    Stalled(Finding),
    /// Is to be updated, for these reasons.
    Update(Box<UpdateService>, Vec<String>, Vec<Finding>),
    /// Keeps the build that it asks for, and its nodes are to hold that: the
    /// wanted one has failed, or may have.
    Held(Finding),
    /// Cannot be judged, or must not be touched.
    Blocked(Finding),
}

impl Verdict {
    /// What there is to say where nothing is to be done.
    pub(crate) fn into_findings(self) -> Vec<Finding> {
        match self {
            Self::UpToDate => Vec::new(),
            Self::Noted(findings) | Self::Update(_, _, findings) => findings,
            Self::Stalled(finding) | Self::Held(finding) | Self::Blocked(finding) => vec![finding],
        }
    }
}

/// Judges one service of the spec against the inventory.
pub(crate) fn judge<'a>(
    stack: &Stack,
    service: &'a Service,
    inventory: &Inventory,
    following: &Following<'_>,
    failures: &Failures<'_>,
) -> Judged<'a> {
    let address = Address::Service(service.name.clone());
    let judged = |verdict: Verdict, wanted: Option<ImageRef>| Judged {
        service,
        verdict,
        wanted,
        major: None,
    };
    let blocked = |finding: Finding| judged(Verdict::Blocked(finding), None);
    let observed = match find(service, &address, inventory) {
        Ok(observed) => observed,
        Err(finding) => return blocked(*finding),
    };
    let (Some(image), Some(followed)) =
        (stack.image(&service.image), following.get(&service.image))
    else {
        // Reading the spec makes sure of both; a plan file edited by hand may not.
        return blocked(finding(
            Severity::Blocked,
            Code::ImageUnknown,
            &address,
            format!("the image `{}` was not observed", service.image),
        ));
    };
    let Some(wanted) = followed.wanted(image, &address, observed) else {
        return blocked(waits_for_image(&address, image));
    };
    if let Some(finding) = must_not_be_touched(&service.name, observed) {
        return blocked(finding);
    }
    let wanted = match wanted {
        Wanted::Blocked(finding) => return blocked(finding),
        Wanted::Kept(None) => return judged(kept(&address, image, observed), None),
        Wanted::Build(wanted) | Wanted::Kept(Some(wanted)) => wanted,
    };
    let case = Case {
        stack,
        service,
        image,
        followed,
        observed,
        inventory,
        failures,
    };
    match Guard::of(stack, image, &address, observed, &wanted, inventory) {
        Guard::Silent => case.judged(&address, wanted, None),
        Guard::Allowed(finding) => case.judged(&address, wanted, Some(finding)),
        Guard::Stops { service, image } => Judged {
            major: Some(image),
            ..blocked(service)
        },
    }
}

/// A service that is there and may be touched.
struct Case<'a, 's> {
    stack: &'a Stack,
    service: &'s Service,
    image: &'a Image,
    followed: &'a Followed,
    observed: &'a ObservedService,
    inventory: &'a Inventory,
    failures: &'a Failures<'a>,
}

impl<'s> Case<'_, 's> {
    /// `noted` is to be said with an update.
    fn judged(&self, address: &Address, wanted: ImageRef, noted: Option<Finding>) -> Judged<'s> {
        let verdict = self.judge(address, &wanted, noted);
        Judged {
            service: self.service,
            wanted: match verdict {
                Verdict::Held(_) => follow::own(self.observed, self.image),
                _ => Some(wanted),
            },
            verdict,
            major: None,
        }
    }

    fn judge(&self, address: &Address, wanted: &ImageRef, noted: Option<Finding>) -> Verdict {
        let Self {
            service,
            observed,
            inventory,
            ..
        } = self;
        let running = Running::of(observed, wanted, inventory);
        if running.is_wanted_everywhere() {
            return up_to_date(service, address, observed, wanted, &running);
        }
        if let Some(blocked) = stopped_half_way(service, address, observed, &running) {
            return Verdict::Blocked(blocked);
        }
        let noted = match self.memory(wanted, &running) {
            Memory::Silent => noted.into_iter().chain(None),
            Memory::TriedAgain(again) => noted.into_iter().chain(Some(again)),
            Memory::Holds(finding) => return Verdict::Held(finding),
        };
        let mut findings = match platforms::judge(address, observed, wanted, inventory) {
            Ok(findings) => findings,
            Err(blocked) => return Verdict::Blocked(*blocked),
        };
        findings.extend(running.paused(address));
        findings.extend(noted);
        let mut reasons = self.reasons(wanted, &running);
        reasons.extend(same_content(observed, wanted, inventory));
        let update = self.update(wanted, &running);
        Verdict::Update(Box::new(update), reasons, findings)
    }

    /// A service that asks for the build already moves on as it does.
    fn memory(&self, wanted: &ImageRef, running: &Running<'_>) -> Memory {
        match &wanted.digest {
            Some(digest) if !running.spec_is_wanted => self.failures.memory(self.service, digest),
            _ => Memory::Silent,
        }
    }
}

fn find<'a>(
    service: &Service,
    address: &Address,
    inventory: &'a Inventory,
) -> Result<&'a ObservedService, Box<Finding>> {
    match &inventory.services {
        // The trouble itself is one finding on `swarm`; here it only blocks.
        Known::Unknown(_) => Err(Box::new(finding(
            Severity::Blocked,
            Code::SwarmUnknown,
            address,
            "waits for the Swarm, which cannot be read".to_owned(),
        ))),
        Known::Known(services) => services.get(&service.name).ok_or_else(|| {
            let names = inventory.service_names.iter().map(String::as_str);
            let nearest = imgstack_spec::nearest(service.name.as_str(), names);
            let hint = nearest.map_or_else(
                || "deploy the service first, or remove it from the spec".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            Box::new(Finding {
                hint: Some(hint),
                ..finding(
                    Severity::Blocked,
                    Code::ServiceNotFound,
                    address,
                    "there is no such service in the Swarm".to_owned(),
                )
            })
        }),
    }
}

fn waits_for_image(address: &Address, image: &Image) -> Finding {
    finding(
        Severity::Blocked,
        Code::ImageUnknown,
        address,
        format!("waits for image.{}", image.name),
    )
}

pub(crate) fn must_not_be_touched(
    name: &ServiceName,
    observed: &ObservedService,
) -> Option<Finding> {
    let address = &Address::Service(name.clone());
    if observed.mode == ServiceMode::Job {
        return Some(Finding {
            hint: Some("remove it from the spec; recreate the job to run another build".to_owned()),
            ..finding(
                Severity::Blocked,
                Code::ServiceIsJob,
                address,
                "is a job: an update would run it again".to_owned(),
            )
        });
    }
    let status = observed.update_status.as_ref()?;
    let wait = "wait until it has ended: imgstack status";
    let (doing, hint) = match status.state {
        // One whose tasks find no node goes on for ever.
        UpdateState::Updating => (
            "an update is going on",
            format!("{wait}; or go back now: docker service rollback {name}"),
        ),
        UpdateState::RollbackStarted => ("a roll-back is going on", wait.to_owned()),
        UpdateState::Paused
        | UpdateState::Completed
        | UpdateState::RollbackPaused
        | UpdateState::RollbackCompleted
        | UpdateState::Unknown => return None,
    };
    Some(Finding {
        hint: Some(hint),
        ..finding(
            Severity::Blocked,
            Code::UpdateInProgress,
            address,
            format!("{doing}: {}", status.message),
        )
    })
}

/// The engine takes every write for an update, so that it would go on with one
/// that stopped half-way: why nothing is written that could wait, and what to
/// do about it.
pub(crate) fn would_go_on(
    service: &Service,
    observed: &ObservedService,
) -> Option<(&'static str, String)> {
    let state = observed.update_status.as_ref()?.state;
    matches!(state, UpdateState::Paused | UpdateState::RollbackPaused).then(|| {
        let name = &service.name;
        (
            "its last update stopped half-way, and any write would go on with it",
            format!(
                "end it first: docker service rollback {name}, or imgstack apply with a good build"
            ),
        )
    })
}

/// The engine stopped on the way to the wanted build. To go on would change
/// nothing but labels, and an update that leaves the image as it is makes the
/// failing build the one that the engine goes back to.
fn stopped_half_way(
    service: &Service,
    address: &Address,
    observed: &ObservedService,
    running: &Running<'_>,
) -> Option<Finding> {
    let status = observed.update_status.as_ref()?;
    let is_stopped = matches!(
        status.state,
        UpdateState::Paused | UpdateState::RollbackPaused
    );
    let name = &service.name;
    (is_stopped && running.spec_is_wanted).then(|| Finding {
        hint: Some(format!(
            "push a mended build, or hold the last good one: imgstack rollback {name}; or go back now: docker service rollback {name}"
        )),
        ..finding(
            Severity::Blocked,
            Code::StoppedHalfWay,
            address,
            format!(
                "the rollout of the wanted build stopped half-way: {} of {} tasks run another one",
                running.other_tasks,
                running.tasks.len()
            ),
        )
    })
}

fn up_to_date(
    service: &Service,
    address: &Address,
    observed: &ObservedService,
    wanted: &ImageRef,
    running: &Running<'_>,
) -> Verdict {
    if let Some(stalled) = running.not_running(&service.name, observed) {
        return Verdict::Stalled(stalled);
    }
    let other_name = other_name(address, observed, wanted);
    let notes: Vec<Finding> = other_name
        .into_iter()
        .chain(running.paused(address))
        .collect();
    match notes.is_empty() {
        true => Verdict::UpToDate,
        false => Verdict::Noted(notes),
    }
}

/// What it runs is no build that could be looked after.
fn kept(address: &Address, image: &Image, observed: &ObservedService) -> Verdict {
    let written = observed.image.parse::<ImageRef>().ok();
    let Some(bare) = written.filter(|it| it.digest.is_none()) else {
        return Verdict::UpToDate;
    };
    let tag = bare.tag.as_ref().map_or("latest", |tag| tag.as_str());
    Verdict::Noted(vec![Finding {
        hint: Some(format!(
            "to hold a build until then, write `pin:` with its tag or digest for image.{} in the spec",
            image.name
        )),
        ..finding(
            Severity::Attention,
            Code::BareTag,
            address,
            format!("runs a tag without a digest: a restart takes what `{tag}` means then"),
        )
    }])
}

fn other_name(address: &Address, observed: &ObservedService, wanted: &ImageRef) -> Option<Finding> {
    let written: ImageRef = observed.image.parse().ok()?;
    let tag = wanted.tag.as_ref()?;
    (written.tag.as_ref() != Some(tag)).then(|| finding(
        Severity::Note,
        Code::OtherName,
        address,
        format!(
            "runs the wanted build under the name {}; it takes the name `{tag}` with the next build, so that nothing restarts now (0 tasks)",
            observed.image
        ),
    ))
}

impl Case<'_, '_> {
    fn reasons(&self, wanted: &ImageRef, running: &Running<'_>) -> Vec<String> {
        let mut reasons = Vec::new();
        let tag = wanted.tag.as_ref().map_or("", |tag| tag.as_str());
        match &running.spec {
            None => reasons.push(format!(
                "runs `{}`, which names no repository",
                self.observed.image
            )),
            Some(spec) if spec.repository != wanted.repository => {
                reasons.push(format!("runs another repository: {}", spec.repository));
            }
            Some(spec) if spec.digest.is_none() => reasons.push(
                "runs a tag without a digest: which build that is differs from node to node"
                    .to_owned(),
            ),
            Some(_) if running.spec_is_wanted => {}
            Some(_) if self.image.pin.is_some() => {
                reasons.push(format!("the spec pins {}", pin(self.image)));
            }
            Some(spec) if spec.tag != wanted.tag => reasons.push(match &self.followed.why {
                None => format!("the spec asks for the tag `{tag}`"),
                Some(why) => format!(
                    "the policy {} chooses `{tag}`: {why}",
                    follow::policy(self.image)
                ),
            }),
            Some(_) => reasons.push(format!("the tag `{tag}` moved")),
        }
        if running.spec_is_wanted && running.other_tasks > 0 {
            reasons.push(format!(
                "{} of {} tasks run another build than the service asks for",
                running.other_tasks,
                running.tasks.len()
            ));
        }
        reasons
    }

    fn update(&self, wanted: &ImageRef, running: &Running<'_>) -> UpdateService {
        let Self {
            service,
            observed,
            inventory,
            ..
        } = self;
        // The name is left alone where only some tasks have to follow: another
        // name would restart the ones that are right.
        let to = if running.spec_is_wanted {
            observed.image.clone()
        } else {
            wanted.familiar()
        };
        let rollout = settings::wanted(&service.rollout, &observed.update);
        let mut labels = credential::labels(&wanted.repository, observed, inventory);
        labels.insert(STACK_LABEL.to_owned(), Some(self.stack.name.to_string()));
        labels.insert(IMAGE_LABEL.to_owned(), Some(service.image.to_string()));
        UpdateService {
            service: service.name.clone(),
            image: Change {
                from: observed.image.clone(),
                to: to.clone(),
            },
            // Other platforms restart tasks once the credential differs too, so they
            // only ever follow an image, which restarts them anyway.
            platforms: (observed.image != to)
                .then(|| platforms::follow(observed, wanted, inventory))
                .flatten(),
            settings: settings::changes(&service.rollout, &observed.update),
            labels: credential::changes(labels, observed),
            restarts: running.restarts(&to),
            order: rollout.order,
            on_failure: rollout.on_failure,
            monitor_ms: rollout.monitor_ms,
            timeout_seconds: service.timeout.as_secs(),
            probe: service.probe.clone(),
            // Who leads is not a matter of one service.
            leader: None,
        }
    }
}

/// A build that is deployed is known by its digest, so it moves all the same.
fn same_content(
    observed: &ObservedService,
    wanted: &ImageRef,
    inventory: &Inventory,
) -> Option<String> {
    let wanted = inventory.build(wanted.digest.as_ref()?)?;
    let tasks = observed.tasks.iter().map(|task| &task.image);
    let mut images = tasks.chain([&observed.image]);
    let is_same = |image: &String| {
        let digest = image.parse::<ImageRef>().ok()?.digest?;
        Some(crate::same_content(inventory.build(&digest)?, wanted))
    };
    images
        .all(|image| is_same(image) == Some(true))
        .then(|| "rebuilt with the same content: only its digest is new".to_owned())
}

fn pin(image: &Image) -> String {
    match &image.pin {
        Some(Pin::Tag(tag)) => format!("`{tag}`"),
        Some(Pin::Digest(digest)) => digest.to_string(),
        None => String::new(),
    }
}

/// A service as it was observed, if it was.
pub(crate) fn observed<'i>(
    inventory: &'i Inventory,
    name: &ServiceName,
) -> Option<&'i ObservedService> {
    match &inventory.services {
        Known::Known(services) => services.get(name),
        Known::Unknown(_) => None,
    }
}

pub(crate) fn finding(
    severity: Severity,
    code: Code,
    address: &Address,
    message: String,
) -> Finding {
    Finding {
        severity,
        code,
        address: address.clone(),
        message,
        hint: None,
        procedure: Vec::new(),
        blocks: Vec::new(),
    }
}
