//! A node's own engine, on real ones: images, pulls, removals, disk, logins.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "in a test, and in what it looks with"
)]

mod ground;

use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE, Engine as _};
use ground::{
    ANONYMOUS, Built, PRIVATE, Swept, build, build_in, docker, engine, host, lab, local, password,
    socket, target,
};
use imgstack_spec::{Digest, RegistryHost, Repository};
use imgstack_swarm::engine::{
    DiskUnknown, Login, LoginError, LoginFailure, LoginState, PullError, PullProgress, Removal,
};
use imgstack_swarm::{NodeEngine, PullFailureKind, RegistryAuth};

const PATIENCE: Duration = Duration::from_secs(60);

async fn pull(engine: &NodeEngine, built: &Built) -> Result<Vec<PullProgress>, PullError> {
    pull_with(engine, &built.repository, &built.digest, None).await
}

async fn pull_with(
    engine: &NodeEngine,
    repository: &Repository,
    digest: &Digest,
    auth: Option<&RegistryAuth>,
) -> Result<Vec<PullProgress>, PullError> {
    let told = Mutex::new(Vec::new());
    let tell = |progress| told.lock().unwrap().push(progress);
    let done = engine.pull(repository, digest, auth, PATIENCE, &tell).await;
    done.map(|()| told.into_inner().unwrap())
}

/// The credential of a user as a pull carries it.
fn auth(user: &str, password: &str) -> RegistryAuth {
    let json = serde_json::json!({
        "username": user, "password": password, "serveraddress": PRIVATE,
    });
    RegistryAuth::encoded(&BASE64_URL_SAFE.encode(json.to_string()).into()).unwrap()
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn every_way_leads_to_the_node_that_it_says() {
    let nodes = host(&local()).await.unwrap().nodes().await.unwrap();
    let id = |hostname: &str| {
        let found = nodes.iter().find(|node| node.hostname == hostname);
        found.unwrap().id.clone()
    };
    let certificates = lab().join("tls").display().to_string();
    let (one, two) = (socket(1), socket(2));
    let table: &[(&[(&str, &str)], &str)] = &[
        (&[("DOCKER_HOST", &one)], "docker-infra-1"),
        (&[("DOCKER_HOST", &two)], "docker-infra-2"),
        (
            &[("DOCKER_HOST", "ssh://root@docker-infra-2")],
            "docker-infra-2",
        ),
        // Forbids stream forwarding.
        (&[("DOCKER_HOST", "ssh://docker-infra-3")], "docker-infra-3"),
        (
            &[
                ("DOCKER_HOST", "tcp://10.77.0.11:2376"),
                ("DOCKER_TLS_VERIFY", "1"),
                ("DOCKER_CERT_PATH", &certificates),
            ],
            "docker-infra-1",
        ),
    ];
    for (variables, hostname) in table {
        let engine = NodeEngine::connect(&target(variables)).await.unwrap();
        assert_eq!(engine.hostname(), *hostname, "{variables:?}");
        assert_eq!(engine.node_id(), Some(&id(hostname)), "{variables:?}");
        assert_eq!(engine.root_dir(), Path::new("/var/lib/docker"));
        let node = nodes
            .iter()
            .find(|node| node.hostname == *hostname)
            .unwrap();
        assert_eq!(engine.version(), node.engine_version);
        assert_eq!(engine.platform(), &node.platform);
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn an_image_comes_is_seen_and_goes() {
    let path = "enginecrate/comes";
    let (old, new) = (build(path, "aa11", &[]), build(path, "bb22", &[]));
    for (node, address) in [(2, socket(2)), (3, "ssh://root@docker-infra-3".to_owned())] {
        let _swept = Swept::new(node, &old.repository);
        let engine = engine(&address).await;
        let repositories = [old.repository.clone()];
        assert_eq!(engine.images(&repositories).await.unwrap(), []);

        let told = pull(&engine, &old).await.unwrap();
        assert_progress(&told);
        pull(&engine, &new).await.unwrap();
        // What is there is not pulled again.
        let told = pull(&engine, &new).await.unwrap();
        assert!(told.iter().all(|it| it.bytes == 0), "{told:?}");

        let images = engine.images(&repositories).await.unwrap();
        assert_eq!(images.len(), 2, "{images:?}");
        for built in [&old, &new] {
            let image = images
                .iter()
                .find(|image| image.is(&built.repository, &built.digest))
                .unwrap();
            assert!(image.size > 0 && image.created.is_some(), "{image:?}");
            assert!(image.tags.is_empty() && image.users.is_empty(), "{image:?}");
        }

        let removed = engine.remove_image(&old.repository, &old.digest).await;
        let Removal::Removed {
            untagged,
            deleted: true,
            freed: Some(freed),
        } = removed.unwrap()
        else {
            panic!("the old build is not gone");
        };
        assert_eq!(untagged, [format!("{}@{}", old.repository, old.digest)]);
        // The layer below is the new build's, too.
        let size = images[0].size;
        assert!(freed > 0 && freed < size, "{freed} of {size}");
        let again = engine.remove_image(&old.repository, &old.digest).await;
        assert_eq!(again.unwrap(), Removal::AlreadyGone);
        let left = engine.images(&repositories).await.unwrap();
        assert!(left.len() == 1 && left[0].is(&new.repository, &new.digest));
    }
}

fn assert_progress(told: &[PullProgress]) {
    let last = told.last().unwrap();
    assert!(last.total > 0 && last.bytes == last.total, "{last:?}");
    assert!(last.layers > 0 && last.done == last.layers, "{last:?}");
    for pair in told.windows(2) {
        let (one, next) = (pair[0], pair[1]);
        assert!(one.done <= next.done && one.total <= next.total, "{pair:?}");
        assert!(next.bytes <= next.total && one != next, "{pair:?}");
    }
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn names_of_others_and_their_image_stay() {
    let own = build("enginecrate/own", "cc33", &[]);
    let other = build("enginecrate/other", "cc33", &[]);
    assert_eq!(own.digest, other.digest, "the same build twice");
    let _swept = [&own, &other].map(|it| Swept::new(2, &it.repository));
    let engine = engine(&socket(2)).await;
    for built in [&own, &other] {
        pull(&engine, built).await.unwrap();
    }
    let id = format!("{}@{}", own.repository, own.digest);
    for name in [own.repository.to_string(), other.repository.to_string()] {
        for tag in ["16", "keep"] {
            docker(2, &["tag", &id, &format!("{name}:{tag}")]).unwrap();
        }
    }
    let repositories = [own.repository.clone(), other.repository.clone()];
    let [image] = engine
        .images(&repositories)
        .await
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!((image.digests.len(), image.tags.len()), (2, 4), "{image:?}");

    let removed = engine
        .remove_image(&own.repository, &own.digest)
        .await
        .unwrap();
    let Removal::Removed {
        untagged,
        deleted: false,
        freed: Some(0),
    } = removed
    else {
        panic!("{removed:?}");
    };
    assert_eq!(untagged.len(), 3, "{untagged:?}");
    let [left] = engine
        .images(&repositories)
        .await
        .unwrap()
        .try_into()
        .unwrap();
    assert!(left.is(&other.repository, &other.digest) && left.tags.len() == 2);
    assert!(!left.is_of(&own.repository), "{left:?}");

    // With its own tags the last names go, and with them the image.
    let removed = engine.remove_image(&other.repository, &other.digest).await;
    assert!(
        matches!(removed, Ok(Removal::Removed { deleted: true, .. })),
        "{removed:?}"
    );
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn what_a_container_is_made_of_stays() {
    let built = build("enginecrate/used", "dd44", &[]);
    let _swept = Swept::new(2, &built.repository);
    let engine = engine(&socket(2)).await;
    pull(&engine, &built).await.unwrap();
    let name = format!("{}@{}", built.repository, built.digest);
    // Two tags: with them, the engine itself would let one name go.
    for tag in ["a", "b"] {
        docker(2, &["tag", &name, &format!("{}:{tag}", built.repository)]).unwrap();
    }
    docker(2, &["create", "--name", "enginecrate-used", &name]).unwrap();
    let removal = engine.remove_image(&built.repository, &built.digest).await;
    let images = engine.images(std::slice::from_ref(&built.repository)).await;
    docker(2, &["rm", "enginecrate-used"]).unwrap();
    let Removal::InUse { users, .. } = removal.unwrap() else {
        panic!("a container uses it");
    };
    assert_eq!(users.len(), 1);
    assert_eq!(users[0].name, "enginecrate-used");
    assert_eq!(
        (users[0].state.as_str(), &users[0].service),
        ("created", &None)
    );
    let images = images.unwrap();
    assert_eq!(images[0].users, users);
    assert_eq!(images[0].tags.len(), 2, "nothing went");
    let removal = engine.remove_image(&built.repository, &built.digest).await;
    assert!(matches!(
        removal,
        Ok(Removal::Removed { deleted: true, .. })
    ));
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn why_a_pull_fails() {
    use PullFailureKind as K;
    let there = build("enginecrate/fails", "ee55", &[]);
    let arm = build(
        "enginecrate/fails-arm",
        "ee55",
        &["--platforms", "linux/arm64"],
    );
    let secret = build_in(PRIVATE, "enginecrate/secret", "ee55", &[]);
    let _swept = Swept::new(2, &secret.repository);
    let engine = engine(&socket(2)).await;
    let at = |repository: &str| repository.parse::<Repository>().unwrap();
    let nothing: Digest = format!("sha256:{}", "0".repeat(64)).parse().unwrap();
    let robot = password("robot");
    let limited = auth("limited", &password("limited"));
    let table = [
        (there.repository.clone(), &nothing, None, K::NotFound),
        (
            at(&format!("{ANONYMOUS}/enginecrate/none")),
            &nothing,
            None,
            K::NotFound,
        ),
        (at("10.77.0.1:5009/a/b"), &nothing, None, K::Unreachable),
        (at("nowhere.invalid/a/b"), &nothing, None, K::Unreachable),
        (secret.repository.clone(), &secret.digest, None, K::Denied),
        (
            secret.repository.clone(),
            &secret.digest,
            Some(limited),
            K::Denied,
        ),
        (
            secret.repository.clone(),
            &secret.digest,
            Some(auth("robot", "wrong")),
            K::Denied,
        ),
    ];
    for (repository, digest, auth, kind) in table {
        let error = pull_with(&engine, &repository, digest, auth.as_ref()).await;
        let PullError::Failed(failure) = error.unwrap_err() else {
            panic!("{repository}: no word of the engine's");
        };
        assert_eq!(failure.kind, kind, "{repository}: {failure}");
        assert!(!failure.message.contains("wrong"), "{failure}");
    }
    if engine.platform().architecture == "amd64" {
        let error = pull(&engine, &arm).await.unwrap_err();
        assert!(
            matches!(&error, PullError::Failed(it) if it.kind == K::NoPlatform),
            "{error:?}"
        );
    }
    let auth = auth("robot", &robot);
    pull_with(&engine, &secret.repository, &secret.digest, Some(&auth))
        .await
        .unwrap();
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn free_space_is_known_over_ssh_and_only_there() {
    let unix = engine(&socket(2)).await.disk().await;
    assert_eq!(unix.unwrap_err(), DiskUnknown::NoSsh);
    for node in [2, 3] {
        let address = format!("ssh://root@docker-infra-{node}");
        let space = engine(&address).await.disk().await.unwrap();
        assert_eq!(space.folder, Path::new("/var/lib/docker"));
        let seen = Command::new("df")
            .args(["-k", "--output=size,avail"])
            .arg(lab().join(format!("node-{node}/data")))
            .output()
            .unwrap();
        let text = String::from_utf8(seen.stdout).unwrap();
        let numbers: Vec<u64> = text
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        assert_eq!(space.total, numbers[0] * 1024);
        // Others work on the same disk meanwhile.
        let free = numbers[1] * 1024;
        assert!(space.free.abs_diff(free) < 2 << 30, "{space:?} {free}");
    }
}

/// Nobody is logged in on a node before the test and after it.
struct LoggedOut(&'static str, &'static [&'static str]);

impl LoggedOut {
    fn now(node: &'static str, registries: &'static [&'static str]) -> Self {
        drop(Self(node, registries));
        Self(node, registries)
    }
}

impl Drop for LoggedOut {
    fn drop(&mut self) {
        for registry in self.1 {
            let logout = Command::new("ssh")
                .args([self.0, "docker", "logout", registry])
                .output();
            assert!(logout.is_ok_and(|it| it.status.success()));
        }
    }
}

/// A registry that asks for nothing lets everybody in.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn logins_that_are_asked_for_at_once_are_all_kept() {
    const DOORS: [&str; 4] = [
        ANONYMOUS,
        "10.77.0.1:05000",
        "10.77.0.1:005000",
        "10.77.0.1:0005000",
    ];
    let login = Login {
        username: "robot".to_owned(),
        secret: "anything".into(),
    };
    let engine = engine("ssh://root@docker-infra-1").await;
    let _out = LoggedOut::now("docker-infra-1", &DOORS);
    let hosts = DOORS.map(|it| it.parse::<RegistryHost>().unwrap());
    let logins = hosts.iter().map(|host| engine.login(host, &login));
    for result in futures_util::future::join_all(logins).await {
        result.unwrap();
    }
    for host in &hosts {
        let state = engine.login_state(host, &login).await;
        assert_eq!(state, LoginState::Same, "{host}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the lab"]
async fn a_login_is_kept_on_the_node_and_told_from_others() {
    let registry = PRIVATE.parse().unwrap();
    let login = |user: &str, secret: String| Login {
        username: user.to_owned(),
        secret: secret.into(),
    };
    let robot = login("robot", password("robot"));
    let limited = login("limited", password("limited"));
    let engine = engine("ssh://root@docker-infra-2").await;
    let _out = LoggedOut::now("docker-infra-2", &[PRIVATE]);
    assert_eq!(
        engine.login_state(&registry, &robot).await,
        LoginState::Absent
    );

    let wrong = login("robot", "hunter2-is-wrong".to_owned());
    let error = engine.login(&registry, &wrong).await.unwrap_err();
    assert!(
        matches!(
            &error,
            LoginError::Failed {
                failure: LoginFailure::Refused,
                ..
            }
        ),
        "{error:?}"
    );
    let shown = format!("{error} {error:?} {:?}", error.hint());
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(
        engine.login_state(&registry, &robot).await,
        LoginState::Absent
    );

    let leaked = watched(&password("robot"), engine.login(&registry, &robot)).await;
    assert!(!leaked, "the secret stood in the arguments of a program");
    assert_eq!(
        engine.login_state(&registry, &robot).await,
        LoginState::Same
    );
    let other = LoginState::Other {
        username: "robot".to_owned(),
    };
    assert_eq!(engine.login_state(&registry, &limited).await, other);
    assert_eq!(engine.login_state(&registry, &wrong).await, other);
    engine.login(&registry, &limited).await.unwrap();
    assert_eq!(
        engine.login_state(&registry, &limited).await,
        LoginState::Same
    );

    let nowhere = "10.77.0.1:5009".parse().unwrap();
    let error = engine.login(&nowhere, &robot).await.unwrap_err();
    assert!(
        matches!(
            &error,
            LoginError::Failed {
                failure: LoginFailure::Unreachable,
                ..
            }
        ),
        "{error:?}"
    );
    let unix = ground::engine(&socket(2)).await;
    assert!(matches!(
        unix.login(&registry, &robot).await,
        Err(LoginError::NoSsh)
    ));
    let state = unix.login_state(&registry, &robot).await;
    assert!(matches!(state, LoginState::Unknown { .. }), "{state:?}");
}

#[tokio::test]
#[ignore = "needs the lab"]
async fn a_helper_that_is_not_there_is_named() {
    let registry: imgstack_spec::RegistryHost = "enginecrate.test".parse().unwrap();
    let login = Login {
        username: "robot".to_owned(),
        secret: "hunter2".into(),
    };
    // Node 3, where no other test here logs in.
    let on_node = |command: &str| {
        let done = Command::new("ssh")
            .args(["docker-infra-3", command])
            .output();
        assert!(done.unwrap().status.success(), "{command}");
    };
    on_node(
        r#"mkdir -p ~/.docker && f=~/.docker/config.json && { [ ! -e $f ] || mv $f $f.kept; } && echo '{"credHelpers":{"enginecrate.test":"enginecrate"}}' > $f"#,
    );
    let engine = engine("ssh://root@docker-infra-3").await;
    let state = engine.login_state(&registry, &login).await;
    on_node("f=~/.docker/config.json; rm $f; [ ! -e $f.kept ] || mv $f.kept $f");
    let LoginState::Unknown { why } = state else {
        panic!("{state:?}");
    };
    assert!(
        why.starts_with("`docker-credential-enginecrate` there failed: "),
        "{why}"
    );
    assert!(why.contains("not found"), "{why}");
}

/// Whether a secret was in the arguments of any process meanwhile. The nodes'
/// processes are this machine's, too.
async fn watched(secret: &str, login: impl Future<Output = Result<(), LoginError>>) -> bool {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut leaked = false;
            while !over.load(Ordering::Relaxed) {
                for entry in std::fs::read_dir("/proc").unwrap().flatten() {
                    let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                    leaked |= String::from_utf8_lossy(&line).contains(secret);
                }
            }
            leaked
        });
        let runtime = tokio::runtime::Handle::current();
        tokio::task::block_in_place(|| runtime.block_on(login)).unwrap();
        over.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    })
}
