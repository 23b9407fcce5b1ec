//! Plans as the planner makes them, of worlds that are spelled in a few words.

use std::collections::BTreeMap;

use imgstack_planner::{
    Acceptance, Availability, Build, Commit, Disk, History, Inventory, Known, Leftover, LoginState,
    Observed, ObservedCredential, ObservedEngine, ObservedImage, ObservedNode, ObservedService,
    ObservedTask, Only, Options, PLAN_FORMAT_VERSION, Plan, PlanHash, PullSize, References, Seen,
    ServiceMode, StackPlan, StoredBuild, Trouble, UpdateSettings, plan,
};
use imgstack_spec::{
    Digest, FailureAction, Image, Input, Platform, Repository, Stack, UpdateOrder, read,
};
use jiff::{SignedDuration, Timestamp};

pub const NOW: &str = "2026-02-09T06:00:00Z";

/// A digest made of one hexadecimal digit.
pub fn digest(digit: char) -> Digest {
    let hex: String = std::iter::repeat_n(digit, 64).collect();
    format!("sha256:{hex}").parse().unwrap()
}

pub struct World {
    pub stack: Stack,
    pub inventory: Inventory,
}

impl World {
    /// The stack of a spec, in a cluster of these nodes, whose engines answer
    /// and hold nothing. Every image is absent.
    pub fn new(spec: &str, nodes: &[&str]) -> Self {
        let header = "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\n";
        let text = format!("{header}{spec}");
        let mut set = read(&[Input::new("imgstack.yaml", text)]).unwrap();
        let stack = set.stacks.remove(0);
        let nodes = nodes.iter().map(|host| {
            let node = ObservedNode {
                id: format!("id-{host}"),
                platform: amd64(),
                ready: true,
                availability: Availability::Active,
                engine: Some(Known::Known(engine(host))),
                minimum_free_disk: None,
            };
            (host.parse().unwrap(), node)
        });
        let inventory = Inventory {
            observed_at: NOW.parse().unwrap(),
            cluster: Known::Known("c1".to_owned()),
            endpoint: "ssh://root@m1, from spec.swarm.endpoint".to_owned(),
            images: BTreeMap::new(),
            builds: BTreeMap::new(),
            freshness: BTreeMap::new(),
            services: Known::Known(BTreeMap::new()),
            service_names: Vec::new(),
            observer: "ann@host".to_owned(),
            leftovers: BTreeMap::new(),
            nodes: Known::Known(nodes.collect()),
            references: BTreeMap::new(),
            wanted_elsewhere: BTreeMap::new(),
            credentials: BTreeMap::new(),
            warnings: Vec::new(),
            stack_files: BTreeMap::new(),
            leaders: BTreeMap::new(),
            history: Known::Known(History::default()),
        };
        Self { stack, inventory }
    }

    fn image(&self, name: &str) -> &Image {
        self.stack.image(&name.parse().unwrap()).unwrap()
    }

    /// What the registry says to the image's tag.
    pub fn wants(&mut self, image: &str, answer: Observed<Digest>) -> &mut Self {
        let image = self.image(image);
        let reference = image.reference().unwrap_or_else(|| image.anywhere());
        let asked = ObservedImage {
            reference,
            digest: answer,
            tags: None,
        };
        self.inventory.images.insert(image.name.clone(), asked);
        self
    }

    /// The image's tag means that build.
    pub fn moved(&mut self, image: &str, digit: char) -> &mut Self {
        self.wants(image, Observed::Present(digest(digit)))
    }

    /// Facts of a build: its version, and how many days ago it was built.
    pub fn built(&mut self, digit: char, version: &str, days: i64) -> &mut Self {
        let build = Build {
            platforms: vec![amd64()],
            sizes: vec![PullSize {
                platform: amd64(),
                bytes: 112 << 20,
            }],
            contents: Vec::new(),
            created: Some(before(days)),
            revision: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
            version: Some(version.to_owned()),
        };
        let builds = &mut self.inventory.builds;
        builds.insert(digest(digit), Known::Known(build));
        self
    }

    /// A service that runs `TAG@digit`, one task on each of these nodes, and
    /// may run on all of them.
    pub fn runs(&mut self, name: &str, tag: &str, digit: char, on: &[&str]) -> &mut Self {
        let service = self.stack.service(&name.parse().unwrap()).unwrap();
        let repository = &self.image(service.image.as_str()).repository;
        let image = format!("{repository}:{tag}@{}", digest(digit));
        let observed = ObservedService {
            seen: Seen {
                service_id: format!("id-{name}"),
                version: 7,
                spec_digest: format!("digest of {name} {image}"),
                fields: BTreeMap::from([("image".to_owned(), image.clone().into())]),
            },
            image: image.clone(),
            platforms: Vec::new(),
            labels: BTreeMap::new(),
            mode: ServiceMode::Replicated(on.len() as u64),
            update: UpdateSettings {
                parallelism: 1,
                order: UpdateOrder::StopFirst,
                monitor_ms: 5000,
                on_failure: FailureAction::Rollback,
            },
            update_status: None,
            tasks: on
                .iter()
                .map(|node| ObservedTask {
                    id: format!("task-{name}-{node}"),
                    node: Some(node.parse().unwrap()),
                    image: image.clone(),
                    state: "running".to_owned(),
                    running: true,
                    error: None,
                    as_asked: true,
                })
                .collect(),
            desired: on.len() as u64,
            failure: None,
            allowed_nodes: on.iter().map(|node| node.parse().unwrap()).collect(),
        };
        let reference = References {
            image,
            previous: None,
        };
        self.inventory.references.insert(name.to_owned(), reference);
        self.inventory.service_names.push(name.to_owned());
        self.services().insert(name.parse().unwrap(), observed);
        self
    }

    pub fn services(&mut self) -> &mut BTreeMap<imgstack_spec::ServiceName, ObservedService> {
        match &mut self.inventory.services {
            Known::Known(services) => services,
            Known::Unknown(_) => panic!("the services are unknown"),
        }
    }

    pub fn service(&mut self, name: &str) -> &mut ObservedService {
        self.services().get_mut(&name.parse().unwrap()).unwrap()
    }

    pub fn history(&mut self) -> &mut History {
        match &mut self.inventory.history {
            Known::Known(history) => history,
            Known::Unknown(_) => panic!("the history is unknown"),
        }
    }

    pub fn node(&mut self, host: &str) -> &mut ObservedNode {
        match &mut self.inventory.nodes {
            Known::Known(nodes) => nodes.get_mut(&host.parse().unwrap()).unwrap(),
            Known::Unknown(_) => panic!("the nodes are unknown"),
        }
    }

    pub fn engine(&mut self, host: &str) -> &mut ObservedEngine {
        match &mut self.node(host).engine {
            Some(Known::Known(engine)) => engine,
            _ => panic!("{host} does not answer"),
        }
    }

    /// The nodes hold these builds: a digit, and how many days old.
    pub fn hold(&mut self, image: &str, hosts: &[&str], builds: &[(char, i64)]) -> &mut Self {
        let repository = self.image(image).repository.clone();
        for host in hosts {
            let stored = builds.iter().map(|(digit, days)| StoredBuild {
                digest: digest(*digit),
                tags: vec![format!("16-{digit}").parse().unwrap()],
                bytes: 300 << 20,
                created: Some(before(*days)),
                in_use: false,
            });
            let stored = stored.collect();
            self.engine(host).images.insert(repository.clone(), stored);
        }
        self
    }

    /// A credential of the spec, which the registry accepts for the image.
    pub fn credential(&mut self, image: &str, fingerprint: &str) -> &mut Self {
        let repository: Repository = self.image(image).repository.clone();
        let host = repository.host().clone();
        let credential = ObservedCredential {
            username: Some("robot".to_owned()),
            source: "GHCR_PAT in the environment".to_owned(),
            named_by_spec: true,
            fingerprint: fingerprint.to_owned(),
            kind: Some("classic token".to_owned()),
            expires: Known::Known(None),
            scopes: Some(vec!["read:packages".to_owned()]),
            concerns: Vec::new(),
            accepted: BTreeMap::from([(repository, Acceptance::Accepted)]),
        };
        self.inventory.credentials.insert(host, credential);
        self
    }

    /// The node's docker client is logged in so.
    pub fn login(&mut self, host: &str, state: LoginState) -> &mut Self {
        let registry = "ghcr.io".parse().unwrap();
        let logins = &mut self.engine(host).logins;
        logins.insert(registry, Known::Known(state));
        self
    }

    /// A service that a killed run left.
    pub fn leftover(&mut self, name: &str) -> &mut Self {
        let left = Leftover {
            service_id: format!("id-{name}"),
            owner: "bob@elsewhere".to_owned(),
            created: "2026-02-08T06:00:00Z".to_owned(),
            busy: false,
        };
        self.inventory.leftovers.insert(name.parse().unwrap(), left);
        self
    }

    pub fn planned(&self, only: Only) -> StackPlan {
        let options = Options {
            targets: Vec::new(),
            only,
            retry_failed: false,
        };
        plan(&self.stack, &self.inventory, &options)
    }
}

/// A whole plan, always made at the same time.
pub fn whole(stacks: Vec<StackPlan>) -> Plan {
    Plan {
        format_version: PLAN_FORMAT_VERSION.to_owned(),
        imgstack_version: "0.1.0".to_owned(),
        created_at: NOW.parse().unwrap(),
        commit: Some(Commit {
            id: "fedcba9876543210fedcba9876543210fedcba98".to_owned(),
            dirty: false,
        }),
        hash: PlanHash::of(&stacks),
        stacks,
    }
}

pub fn trouble(why: &str, hint: &str) -> Trouble {
    Trouble {
        why: why.to_owned(),
        hint: Some(hint.to_owned()),
    }
}

pub fn amd64() -> Platform {
    Platform {
        os: "linux".to_owned(),
        architecture: "amd64".to_owned(),
        variant: None,
    }
}

fn before(days: i64) -> Timestamp {
    let now: Timestamp = NOW.parse().unwrap();
    now - SignedDuration::from_hours(24 * days)
}

fn engine(host: &str) -> ObservedEngine {
    ObservedEngine {
        endpoint: format!("ssh://root@{host}").parse().unwrap(),
        images: BTreeMap::new(),
        disk: Known::Known(Disk {
            free: 10 << 40,
            total: 20 << 40,
        }),
        logins: BTreeMap::new(),
    }
}
