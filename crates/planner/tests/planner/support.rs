//! A small world to plan against, spelled in a few words.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use imgstack_planner::{
    Acceptance, Availability, Build, Disk, History, Inventory, Known, Observed, ObservedCredential,
    ObservedEngine, ObservedImage, ObservedNode, ObservedService, ObservedTags, ObservedTask, Only,
    Options, PullSize, Seen, ServiceMode, StackPlan, StoredBuild, Trouble, UpdateSettings,
    UpdateState, UpdateStatus, choice, plan, undated, unled,
};
use imgstack_spec::policy::{Choice, Policy, TagList};
use imgstack_spec::{
    DEFAULT_TIMEOUT, Digest, FailureAction, Follow, Image, ImageRef, MajorUpgrade, Pin, Platform,
    Repository, RolloutSettings, Service, Stack, Tag, UpdateOrder,
};

pub const REPOSITORY: &str = "ghcr.io/acme/pg";

/// A digest made of one hexadecimal digit.
pub fn digest(digit: char) -> Digest {
    let hex: String = std::iter::repeat_n(digit, 64).collect();
    format!("sha256:{hex}").parse().unwrap()
}

/// `REPOSITORY:tag@digest`
pub fn image(tag: &str, digit: char) -> String {
    format!("{REPOSITORY}:{tag}@{}", digest(digit))
}

pub fn platform(text: &str) -> Platform {
    let mut parts = text.split('/').map(str::to_owned);
    Platform {
        os: parts.next().unwrap(),
        architecture: parts.next().unwrap(),
        variant: parts.next(),
    }
}

/// A stack with one image `pg` that follows the tag `16`, and its inventory.
pub struct World {
    pub stack: Stack,
    pub inventory: Inventory,
}

impl World {
    /// The tag `16` means the build `digit`.
    pub fn new(digit: char) -> Self {
        let repository: Repository = REPOSITORY.parse().unwrap();
        let name: imgstack_spec::ImageName = "pg".parse().unwrap();
        let image = Image {
            name: name.clone(),
            purpose: None,
            repository: repository.clone(),
            follow: Follow::Tag("16".parse().unwrap()),
            minimum_age: None,
            pin: None,
            base: None,
            build: None,
            major_upgrade: MajorUpgrade::default(),
            keep: None,
        };
        let asked = ObservedImage {
            reference: image.reference().unwrap(),
            digest: Observed::Present(digest(digit)),
            tags: None,
        };
        let mut world = Self {
            stack: Stack {
                name: "db".parse().unwrap(),
                endpoint: None,
                registries: Vec::new(),
                images: vec![image],
                nodes: Vec::new(),
                services: Vec::new(),
            },
            inventory: Inventory {
                observed_at: "2026-02-09T06:00:00Z".parse().unwrap(),
                cluster: Known::Known("c1".to_owned()),
                endpoint: "unix:///var/run/docker.sock".to_owned(),
                images: BTreeMap::from([(name, asked)]),
                builds: BTreeMap::new(),
                freshness: BTreeMap::new(),
                services: Known::Known(BTreeMap::new()),
                service_names: Vec::new(),
                nodes: Known::Known(BTreeMap::new()),
                references: BTreeMap::new(),
                observer: "ann@host".to_owned(),
                leftovers: BTreeMap::new(),
                wanted_elsewhere: BTreeMap::new(),
                credentials: BTreeMap::new(),
                warnings: Vec::new(),
                stack_files: BTreeMap::new(),
                leaders: BTreeMap::new(),
                history: Known::Known(History::default()),
            },
        };
        for host in ["n1", "n2", "n3"] {
            world.node(host, "linux/amd64");
        }
        world.build(digit, &["linux/amd64"]);
        world
    }

    pub fn node(&mut self, host: &str, on: &str) {
        let Known::Known(nodes) = &mut self.inventory.nodes else {
            panic!("the nodes are unknown")
        };
        let node = ObservedNode {
            id: format!("id-{host}"),
            platform: platform(on),
            ready: true,
            availability: Availability::Active,
            engine: None,
            minimum_free_disk: None,
        };
        nodes.insert(host.parse().unwrap(), node);
    }

    pub fn observed_node(&mut self, host: &str) -> &mut ObservedNode {
        match &mut self.inventory.nodes {
            Known::Known(nodes) => nodes.get_mut(&host.parse().unwrap()).unwrap(),
            Known::Unknown(_) => panic!("the nodes are unknown"),
        }
    }

    /// The node's own engine answers, and holds these builds: a digit, and how
    /// many days ago it was built.
    pub fn holds(&mut self, host: &str, builds: &[(char, i64)]) -> &mut ObservedEngine {
        let now = self.inventory.observed_at;
        let stored = builds.iter().map(|(digit, days)| StoredBuild {
            digest: digest(*digit),
            tags: Vec::new(),
            bytes: 300 << 20,
            created: Some(now - jiff::SignedDuration::from_hours(24 * days)),
            in_use: false,
        });
        let engine = ObservedEngine {
            endpoint: format!("ssh://root@{host}").parse().unwrap(),
            images: BTreeMap::from([(REPOSITORY.parse().unwrap(), stored.collect())]),
            disk: Known::Known(Disk {
                free: 10 << 30,
                total: 20 << 30,
            }),
            logins: BTreeMap::new(),
        };
        let node = self.observed_node(host);
        node.engine = Some(Known::Known(engine));
        match &mut node.engine {
            Some(Known::Known(engine)) => engine,
            _ => unreachable!(),
        }
    }

    /// The nodes that a service may run on.
    pub fn allows(&mut self, service: &str, hosts: &[&str]) {
        let hosts = hosts.iter().map(|host| host.parse().unwrap());
        self.service(service).allowed_nodes = hosts.collect();
    }

    /// What a pull of the build fetches, in MiB.
    pub fn size(&mut self, digit: char, mib: u64) {
        let Some(Known::Known(build)) = self.inventory.builds.get_mut(&digest(digit)) else {
            panic!("nothing is known of the build {digit}")
        };
        build.sizes = vec![PullSize {
            platform: platform("linux/amd64"),
            bytes: mib << 20,
        }];
    }

    /// A credential of the spec that the registry accepts.
    pub fn credential(&mut self, fingerprint: &str) -> &mut ObservedCredential {
        let repository: Repository = REPOSITORY.parse().unwrap();
        let credential = ObservedCredential {
            username: Some("robot".to_owned()),
            source: "GHCR_PAT in the environment".to_owned(),
            named_by_spec: true,
            fingerprint: fingerprint.to_owned(),
            kind: Some("classic token".to_owned()),
            expires: Known::Known(None),
            scopes: Some(vec!["read:packages".to_owned()]),
            concerns: Vec::new(),
            accepted: BTreeMap::from([(repository.clone(), Acceptance::Accepted)]),
        };
        let host = repository.host().clone();
        self.inventory.credentials.insert(host.clone(), credential);
        self.inventory.credentials.get_mut(&host).unwrap()
    }

    pub fn label(&mut self, service: &str, key: &str, value: &str) {
        let labels = &mut self.service(service).labels;
        labels.insert(format!("dev.imgstack.{key}"), value.to_owned());
    }

    pub fn planned(&self) -> StackPlan {
        plan(&self.stack, &self.inventory, &Options::default())
    }

    pub fn planned_with(&self, targets: &[&str], only: Only) -> StackPlan {
        let targets = targets.iter().map(|target| target.parse().unwrap());
        let options = Options {
            targets: targets.collect(),
            only,
            ..Options::default()
        };
        plan(&self.stack, &self.inventory, &options)
    }

    pub fn set_active(&mut self, host: &str, active: bool) {
        if let Known::Known(nodes) = &mut self.inventory.nodes {
            let node = nodes.get_mut(&host.parse().unwrap()).unwrap();
            node.availability = match active {
                true => Availability::Active,
                false => Availability::Drain,
            };
        }
    }

    pub fn build(&mut self, digit: char, platforms: &[&str]) {
        let build = Build {
            platforms: platforms.iter().map(|p| platform(p)).collect(),
            ..Build::default()
        };
        self.inventory
            .builds
            .insert(digest(digit), Known::Known(build));
    }

    /// A service of the spec.
    pub fn wants(&mut self, name: &str, after: &[&str]) -> &mut Self {
        self.stack.services.push(Service {
            name: name.parse().unwrap(),
            image: "pg".parse().unwrap(),
            after: after.iter().map(|name| name.parse().unwrap()).collect(),
            rollout: RolloutSettings::default(),
            timeout: DEFAULT_TIMEOUT,
            probe: None,
            last_if: None,
            stack_file: None,
        });
        self
    }

    /// A service of the cluster: its spec's image, and (node, image) of its tasks.
    pub fn runs(&mut self, name: &str, image: &str, tasks: &[(&str, &str)]) -> &mut Self {
        let service = ObservedService {
            seen: Seen {
                service_id: format!("id-{name}"),
                version: 7,
                spec_digest: format!("digest of {name} {image}"),
                fields: BTreeMap::from([("image".to_owned(), image.into())]),
            },
            image: image.to_owned(),
            platforms: Vec::new(),
            labels: BTreeMap::new(),
            mode: ServiceMode::Replicated(tasks.len() as u64),
            update: UpdateSettings {
                parallelism: 1,
                order: UpdateOrder::StopFirst,
                monitor_ms: 5000,
                on_failure: FailureAction::Rollback,
            },
            update_status: None,
            tasks: tasks
                .iter()
                .enumerate()
                .map(|(slot, (node, image))| ObservedTask {
                    id: format!("task-{name}-{slot}"),
                    node: Some(node.parse().unwrap()),
                    image: (*image).to_owned(),
                    state: "running".to_owned(),
                    running: true,
                    error: None,
                    as_asked: true,
                })
                .collect(),
            desired: tasks.len() as u64,
            failure: None,
            // Where it may run is of no matter but to what nodes must hold.
            allowed_nodes: BTreeSet::new(),
        };
        self.inventory.service_names.push(name.to_owned());
        self.services().insert(name.parse().unwrap(), service);
        self
    }

    /// A service of both, with one task on `n1`.
    pub fn both(&mut self, name: &str, after: &[&str], image: &str) -> &mut Self {
        self.wants(name, after).runs(name, image, &[("n1", image)])
    }

    pub fn services(&mut self) -> &mut BTreeMap<imgstack_spec::ServiceName, ObservedService> {
        match &mut self.inventory.services {
            Known::Known(services) => services,
            Known::Unknown(_) => panic!("the services are unknown"),
        }
    }

    pub fn service(&mut self, name: &str) -> &mut ObservedService {
        let name: imgstack_spec::ServiceName = name.parse().unwrap();
        self.services().get_mut(&name).unwrap()
    }

    pub fn status(&mut self, name: &str, state: UpdateState) {
        let message = format!("{state:?}");
        self.service(name).update_status = Some(UpdateStatus { state, message });
    }

    pub fn registry(&mut self, answer: Observed<Digest>) {
        let pg = self.inventory.images.values_mut().next().unwrap();
        pg.digest = answer;
    }

    /// The image follows a policy.
    pub fn follows(&mut self, policy: Policy, allow_downgrade: bool) {
        self.stack.images[0].follow = Follow::Policy {
            policy,
            allow_downgrade,
        };
    }

    pub fn minimum_age(&mut self, hours: u64) {
        self.stack.images[0].minimum_age = Some(Duration::from_secs(hours * 3600));
    }

    /// When a build was built, in hours before now.
    pub fn built(&mut self, digit: char, hours: i64) {
        let created = self.inventory.observed_at - jiff::SignedDuration::from_hours(hours);
        let build = Build {
            platforms: vec![platform("linux/amd64")],
            created: Some(created),
            ..Build::default()
        };
        self.inventory
            .builds
            .insert(digest(digit), Known::Known(build));
    }

    /// The repository has these tags, and an observer has asked for what the
    /// policy needs.
    pub fn tags(&mut self, tags: &[(&str, char)]) {
        let list = tags.iter().map(|(tag, _)| tag.parse().unwrap());
        self.list(TagList::Complete(list.collect()));
        let leads = |wanted: &Tag| {
            let (_, digit) = tags
                .iter()
                .find(|(tag, _)| *tag == wanted.as_str())
                .unwrap();
            Observed::Present(digest(*digit))
        };
        loop {
            let image = &self.stack.images[0];
            let dated = undated(&self.stack, image, &self.inventory);
            let named = unled(&self.stack, image, &self.inventory);
            if dated.is_empty() && named.is_empty() {
                break;
            }
            for tag in named {
                let digest = leads(&tag);
                let pg = self.inventory.images.values_mut().next().unwrap();
                pg.tags.as_mut().unwrap().digests.insert(tag, digest);
            }
            for tag in dated {
                let digest = leads(&tag);
                let known = digest.present().unwrap();
                assert!(
                    self.inventory.builds.contains_key(known),
                    "no date of {tag}"
                );
                let pg = self.inventory.images.values_mut().next().unwrap();
                pg.tags.as_mut().unwrap().digests.insert(tag, digest);
            }
        }
        let image = &self.stack.images[0];
        if let Some(Choice::Chosen { tag, .. }) = choice(&self.stack, image, &self.inventory) {
            let reference = image.tagged(&tag);
            let pg = self.inventory.images.values_mut().next().unwrap();
            pg.reference = reference;
            pg.digest = leads(&tag);
        }
    }

    /// What came of the list of tags, with nothing asked for yet.
    pub fn list(&mut self, list: TagList) {
        let reference = self.stack.images[0].anywhere();
        let pg = self.inventory.images.values_mut().next().unwrap();
        *pg = ObservedImage {
            reference,
            digest: Observed::Unknown(trouble("no tag is chosen")),
            tags: Some(ObservedTags {
                list,
                hint: Some("try again".to_owned()),
                digests: BTreeMap::new(),
            }),
        };
    }

    pub fn pin(&mut self, pin: Pin) {
        self.stack.images[0].pin = Some(pin);
        let reference: ImageRef = self.stack.images[0].reference().unwrap();
        let pg = self.inventory.images.values_mut().next().unwrap();
        pg.reference = reference;
        pg.tags = None;
    }
}

pub fn trouble(why: &str) -> Trouble {
    Trouble::new(why)
}

/// The steps as their IDs.
pub fn ids(plan: &StackPlan) -> Vec<String> {
    plan.steps.iter().map(|step| step.id.to_string()).collect()
}

/// The findings as "severity address: message".
pub fn said(plan: &StackPlan) -> Vec<String> {
    let findings = plan.report.findings.iter();
    findings
        .map(|it| {
            let severity = serde_json::to_value(it.severity).unwrap();
            format!(
                "{} {}: {}",
                severity.as_str().unwrap(),
                it.address,
                it.message
            )
        })
        .collect()
}
