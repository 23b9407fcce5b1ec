//! Which nodes must pull what, before any service is touched.
//!
//! A node that may run a service is to hold the build that the service should
//! run: then a restart there needs no registry. What a node holds only its own
//! engine knows. Where the spec names no way to it, a running task tells as
//! much, since no prune takes an image that a container uses; else it is not
//! known, and the node pulls through a manager when a service is updated.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_spec::{Address, Digest, Image, ImageRef, NodeName, Repository, Service, ServiceName};

use crate::disk;
use crate::follow::{Followed, Following};
use crate::inventory::{Availability, ObservedEngine, ObservedNode, ObservedService};
use crate::report::{Code, Finding, Severity};
use crate::service::{Judged, Verdict, finding, observed};
use crate::step::{Action, PullImage, Step, StepId, Via};
use crate::target::Scope;
use crate::{Build, Inventory, Known, Trouble};

/// Why nodes pull.
const FIRST: &str = "gets the build before a service that may run there moves to it";
const LACKS: &str = "does not hold the image; a restart there would fail without the registry";

/// What the nodes have to do, and what they cannot.
#[derive(Default)]
pub(crate) struct Presence<'a> {
    pulls: Vec<Pull<'a>>,
    /// Nodes whose disk has no room for what they would have to pull.
    full: BTreeSet<&'a NodeName>,
    /// Nodes that may lack what they should hold: nobody can tell.
    in_doubt: BTreeSet<&'a NodeName>,
    pub(crate) findings: Vec<Finding>,
}

/// A node that does not hold what it should.
pub(crate) struct Pull<'a> {
    pub(crate) host: &'a NodeName,
    pub(crate) node: &'a ObservedNode,
    /// The image of the spec that the step is named after: a build that several
    /// images mean is pulled once for all.
    pub(crate) image: &'a Image,
    pub(crate) reference: ImageRef,
    /// A service keeps it, while the image follows another build.
    kept: bool,
    /// The services that may run there.
    pub(crate) services: BTreeSet<&'a ServiceName>,
    pub(crate) via: Via,
    pub(crate) bytes: Option<u64>,
    reason: &'static str,
}

/// A build that services should run.
struct Need<'a> {
    image: &'a Image,
    /// `repository:tag@digest`
    reference: ImageRef,
    digest: Digest,
    /// Services keep it, while the image follows another build.
    kept: bool,
    build: Option<&'a Build>,
    services: Vec<Needing<'a>>,
}

struct Needing<'a> {
    service: &'a Service,
    observed: &'a ObservedService,
    /// It is brought to this build by this plan.
    updating: bool,
}

/// Whether a node holds a build.
enum Holding<'a> {
    Yes,
    No(&'a ObservedEngine),
    /// Its engine does not answer.
    Unknown,
    /// The spec names no way to its engine.
    NotAsked,
}

impl<'a> Presence<'a> {
    /// Compares every node with what it should hold.
    pub(crate) fn judge(
        scope: Scope<'a>,
        inventory: &'a Inventory,
        following: &Following<'_>,
        verdicts: &[Judged<'a>],
    ) -> Self {
        let mut presence = Self::default();
        let Known::Known(nodes) = &inventory.nodes else {
            return presence;
        };
        let images = scope.stack.images.iter();
        for need in images.flat_map(|it| Need::of(it, inventory, following, verdicts)) {
            let mut unasked = Vec::new();
            for (host, node) in nodes {
                let services = need.on(host, node, scope);
                if !services.is_empty() {
                    presence.one(&need, host, node, &services, inventory, &mut unasked);
                }
            }
            presence.findings.extend(not_asked(need.image, &unasked));
        }
        presence.tell_silent(nodes, scope);
        presence.judge_disks(nodes, scope);
        presence
    }

    fn one(
        &mut self,
        need: &Need<'a>,
        host: &'a NodeName,
        node: &'a ObservedNode,
        services: &[&Needing<'a>],
        inventory: &'a Inventory,
        unasked: &mut Vec<&'a NodeName>,
    ) {
        let updating = services.iter().any(|it| it.updating);
        if !node.takes_tasks() {
            self.findings
                .extend(out_of_reach(need.image, host, node, updating));
            return;
        }
        let (via, reason) = match holding(need, host, node, inventory) {
            Holding::Yes => return,
            Holding::No(engine) => {
                let reason = match updating && need.runs_from(engine) {
                    true => FIRST,
                    false => LACKS,
                };
                (Via::Engine(engine.endpoint.clone()), reason)
            }
            Holding::NotAsked if !updating => return unasked.push(host),
            Holding::NotAsked => (Via::Manager, FIRST),
            Holding::Unknown if !updating => {
                self.in_doubt.insert(host);
                return;
            }
            Holding::Unknown => (Via::Manager, FIRST),
        };
        let services = services.iter().map(|it| &it.service.name);
        let mut pulls = self.pulls.iter_mut();
        if let Some(pull) = pulls.find(|it| it.host == host && it.brings(&need.reference)) {
            pull.services.extend(services);
            // What one image follows is no build that is only kept.
            pull.kept &= need.kept;
            return;
        }
        self.pulls.push(Pull {
            host,
            node,
            image: need.image,
            reference: need.reference.clone(),
            kept: need.kept,
            services: services.collect(),
            via,
            bytes: need.build.and_then(|build| build.size_for(&node.platform)),
            reason,
        });
    }

    /// Engines that do not answer. What is needed of such a node may be known
    /// all the same, or go through the manager; else that it is not known must
    /// not pass for "there".
    fn tell_silent(&mut self, nodes: &'a BTreeMap<NodeName, ObservedNode>, scope: Scope<'a>) {
        for (host, node) in nodes {
            let Some(Known::Unknown(trouble)) = &node.engine else {
                continue;
            };
            if !self.in_doubt.contains(host) && !scope.has_node(host) {
                continue;
            }
            self.findings
                .push(silent(host, trouble, self.in_doubt.contains(host)));
        }
    }

    fn judge_disks(&mut self, nodes: &'a BTreeMap<NodeName, ObservedNode>, scope: Scope<'a>) {
        for (host, node) in nodes {
            let pulls: Vec<&Pull<'_>> = self.pulls.iter().filter(|it| *it.host == *host).collect();
            // What is not to be looked at is not to be spoken of.
            if pulls.is_empty() && !scope.has_node(host) {
                continue;
            }
            let judged = disk::judge(host, node, &pulls);
            if judged
                .as_ref()
                .is_some_and(|it| it.severity == Severity::Blocked)
            {
                self.full.insert(host);
            }
            self.findings.extend(judged);
        }
    }

    /// The steps: those of nodes with room.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> {
        self.possible().map(|pull| {
            let action = Action::PullImage(pull.action());
            Step::new(action, Vec::new(), vec![pull.reason.to_owned()])
        })
    }

    /// The pulls that must have succeeded before the service is touched.
    pub(crate) fn before(&self, service: &ServiceName) -> Vec<StepId> {
        let needed = self
            .possible()
            .filter(|pull| pull.services.contains(service));
        needed.map(Pull::id).collect()
    }

    /// The builds of the repository that the node gets.
    pub(crate) fn brought(&self, host: &NodeName, repository: &Repository) -> BTreeSet<&Digest> {
        let pulls = self.possible().filter(|pull| pull.host == host);
        let references = pulls.map(|pull| &pull.reference);
        let ours = references.filter(|reference| reference.repository == *repository);
        ours.filter_map(|reference| reference.digest.as_ref())
            .collect()
    }

    /// A node that may run the service and has no room for its image.
    pub(crate) fn in_the_way(&self, service: &ServiceName) -> Option<&'a NodeName> {
        let mut pulls = self
            .pulls
            .iter()
            .filter(|pull| self.full.contains(pull.host));
        let pull = pulls.find(|pull| pull.services.contains(service))?;
        Some(pull.host)
    }

    /// Nodes with pulls that the service may be waiting for.
    pub(crate) fn helps(&self, service: &ServiceName) -> Vec<&'a NodeName> {
        let helping = self
            .possible()
            .filter(|pull| pull.services.contains(service));
        helping.map(|pull| pull.host).collect()
    }

    fn possible(&self) -> impl Iterator<Item = &Pull<'a>> {
        self.pulls
            .iter()
            .filter(|pull| !self.full.contains(pull.host))
    }
}

impl Pull<'_> {
    fn action(&self) -> PullImage {
        PullImage {
            node: self.host.clone(),
            node_id: self.node.id.clone(),
            image: self.image.name.clone(),
            reference: self.reference.clone(),
            kept: self.kept,
            via: self.via.clone(),
            bytes: self.bytes,
        }
    }

    fn id(&self) -> StepId {
        self.action().id()
    }

    /// Whether the node holds that build afterwards: a tag is only a name.
    fn brings(&self, reference: &ImageRef) -> bool {
        self.reference.repository == reference.repository
            && self.reference.digest == reference.digest
    }
}

impl<'a> Need<'a> {
    /// A need for each build: most often one, and several where services keep
    /// what they run.
    fn of(
        image: &'a Image,
        inventory: &'a Inventory,
        following: &Following<'_>,
        verdicts: &[Judged<'a>],
    ) -> Vec<Self> {
        let followed = following.get(&image.name).and_then(Followed::digest);
        let mut needs: BTreeMap<&Digest, Self> = BTreeMap::new();
        for judged in verdicts.iter().filter(|it| it.service.image == image.name) {
            let updating = match judged.verdict {
                Verdict::Update(..) => true,
                Verdict::UpToDate | Verdict::Noted(_) | Verdict::Stalled(_) | Verdict::Held(_) => {
                    false
                }
                Verdict::Blocked(_) => continue,
            };
            let wanted = judged.wanted.as_ref();
            let (Some(reference), Some(observed)) =
                (wanted, observed(inventory, &judged.service.name))
            else {
                continue;
            };
            let Some(digest) = &reference.digest else {
                continue;
            };
            let need = needs.entry(digest).or_insert_with(|| Self {
                image,
                reference: reference.clone(),
                digest: digest.clone(),
                kept: followed != Some(digest),
                build: inventory.build(digest),
                services: Vec::new(),
            });
            need.services.push(Needing {
                service: judged.service,
                observed,
                updating,
            });
        }
        needs.into_values().collect()
    }

    /// Whether the node holds what one of the services asks for now, so that a
    /// restart there is safe as things are.
    fn runs_from(&self, engine: &ObservedEngine) -> bool {
        let stored = engine.images.get(&self.image.repository);
        let stored: Vec<&Digest> = stored.into_iter().flatten().map(|it| &it.digest).collect();
        self.services.iter().any(|it| {
            let now = it.observed.image.parse::<ImageRef>().ok();
            let now = now.and_then(|image| image.digest);
            now.is_some_and(|digest| stored.contains(&&digest))
        })
    }

    /// The services of the scope that may run on that node.
    fn on(&self, host: &NodeName, node: &ObservedNode, scope: Scope<'_>) -> Vec<&Needing<'a>> {
        let has = self.build.map_or(&[][..], |build| &build.platforms);
        if !has.is_empty() && !has.iter().any(|it| it.runs_on(&node.platform)) {
            return Vec::new();
        }
        let services = self.services.iter();
        let services = services.filter(|it| it.observed.allowed_nodes.contains(host));
        services
            .filter(|it| scope.has_service(it.service) || scope.names_node(host))
            .collect()
    }
}

fn holding<'a>(
    need: &Need<'_>,
    host: &NodeName,
    node: &'a ObservedNode,
    inventory: &Inventory,
) -> Holding<'a> {
    match &node.engine {
        Some(Known::Known(engine)) => {
            let stored = engine.images.get(&need.image.repository);
            let mut stored = stored.into_iter().flatten();
            match stored.any(|it| it.digest == need.digest) {
                true => Holding::Yes,
                false => Holding::No(engine),
            }
        }
        _ if runs_there(need, host, inventory) => Holding::Yes,
        Some(Known::Unknown(_)) => Holding::Unknown,
        None => Holding::NotAsked,
    }
}

/// A running container keeps its image on the node.
fn runs_there(need: &Need<'_>, host: &NodeName, inventory: &Inventory) -> bool {
    let Known::Known(services) = &inventory.services else {
        return false;
    };
    let mut tasks = services.values().flat_map(|service| &service.tasks);
    tasks.any(|task| {
        let image = task.image.parse::<ImageRef>();
        task.running
            && task.node.as_ref() == Some(host)
            && image.is_ok_and(|image| {
                image.repository == need.image.repository
                    && image.digest.as_ref() == Some(&need.digest)
            })
    })
}

/// A node that takes no tasks is not waited for. One that is kept from them on
/// purpose is worth a word only where something is pulled elsewhere.
fn out_of_reach(
    image: &Image,
    host: &NodeName,
    node: &ObservedNode,
    updating: bool,
) -> Option<Finding> {
    let (severity, code, state) = match (node.ready, node.availability) {
        (false, _) => (Severity::Attention, Code::NodeDown, "is down"),
        (true, Availability::Active) => return None,
        (true, _) if !updating => return None,
        (true, Availability::Pause) => (Severity::Note, Code::NodeTakesNoTasks, "is paused"),
        (true, Availability::Drain) => (Severity::Note, Code::NodeTakesNoTasks, "is drained"),
    };
    Some(Finding {
        hint: Some("when it is back: imgstack apply".to_owned()),
        ..finding(
            severity,
            code,
            &Address::Node(host.clone()),
            format!(
                "{state}: it is not waited for, and may lack image.{}",
                image.name
            ),
        )
    })
}

fn silent(host: &NodeName, trouble: &Trouble, in_doubt: bool) -> Finding {
    let (severity, what) = match in_doubt {
        true => (Severity::Blocked, "what it holds"),
        false => (
            Severity::Attention,
            "what else it holds, its disk and its logins",
        ),
    };
    let verb = if in_doubt { "is" } else { "are" };
    Finding {
        hint: trouble.hint.clone(),
        ..finding(
            severity,
            Code::NodeUnknown,
            &Address::Node(host.clone()),
            format!("{what} {verb} not known: {}", trouble.why),
        )
    }
}

fn not_asked(image: &Image, hosts: &[&NodeName]) -> Option<Finding> {
    let (first, rest) = hosts.split_first()?;
    let (who, do_) = match rest.len() {
        0 => (first.to_string(), "holds"),
        1 => (format!("{first} and {}", rest[0]), "hold"),
        more => (format!("{first} and {more} other nodes"), "hold"),
    };
    Some(Finding {
        hint: Some(format!(
            "say how to reach its engine, under `nodes:` in the spec: {{name: {first}, engine: \"ssh://root@{{hostname}}\"}}"
        )),
        ..finding(
            Severity::Note,
            Code::PresenceUnknown,
            &Address::Image(image.name.clone()),
            format!("whether {who} {do_} it is not known"),
        )
    })
}
