//! Credentials: what is said of them, who carries which, logins on nodes.

use std::collections::BTreeMap;

use imgstack_planner::{
    Acceptance, Action, Change, Known, LoginState, Observed, Only, StackPlan, UpdateState,
};
use imgstack_spec::Registry;

use crate::support::{World, ids, image, said, trouble};

const CARRIED: &str = "dev.imgstack.credential";
const EXPIRES: &str = "dev.imgstack.credential-expires";

/// `pg` runs the wanted build.
fn settled() -> World {
    let mut world = World::new('a');
    world.both("pg", &[], &image("16", 'a'));
    world
}

fn labels(plan: &StackPlan) -> BTreeMap<String, Change<Option<String>>> {
    let mut labels = match &plan.steps[0].action {
        Action::UpdateService(update) => update.labels.clone(),
        Action::RotateCredential(rotate) => rotate.labels.clone(),
        _ => panic!("no service changes"),
    };
    labels.retain(|key, _| key.starts_with(CARRIED));
    labels
}

fn change(from: Option<&str>, to: Option<&str>) -> Change<Option<String>> {
    Change {
        from: from.map(str::to_owned),
        to: to.map(str::to_owned),
    }
}

/// (what is different, the steps, their reason)
#[test]
fn a_service_that_carries_another_credential_gets_the_one_of_the_spec() {
    type Set = fn(&mut World);
    let unknown = "which credential it carries is not known";
    let other = "carries another credential than GHCR_PAT in the environment";
    let expired =
        "carries another credential than GHCR_PAT in the environment, which expired on 2026-02-01";
    let soon = "carries another credential than GHCR_PAT in the environment, which expires in 5 days, on 2026-02-14";
    let mine: Set = |it| it.credential("new").named_by_spec = false;
    let cases: [(&str, Set, Option<&str>); 9] = [
        (
            "no credential",
            |it| it.label("pg", "credential", "old"),
            None,
        ),
        (
            "the same",
            |it| {
                it.credential("new");
                it.label("pg", "credential", "new")
            },
            None,
        ),
        (
            "no label",
            |it| {
                it.credential("new");
            },
            Some(unknown),
        ),
        (
            "another",
            |it| {
                it.credential("new");
                it.label("pg", "credential", "old")
            },
            Some(other),
        ),
        (
            "one that has ended",
            |it| {
                it.credential("new");
                it.label("pg", "credential", "old");
                it.label("pg", "credential-expires", "2026-02-01T00:00:00Z");
            },
            Some(expired),
        ),
        (
            "refused by the registry",
            |it| {
                it.label("pg", "credential", "old");
                let refused = Acceptance::Refused(trouble("revoked"));
                it.credential("new")
                    .accepted
                    .values_mut()
                    .for_each(|it| *it = refused.clone());
            },
            None,
        ),
        ("somebody's own, and no label", mine, None),
        (
            "somebody's own, and another is carried",
            |it| {
                it.credential("new").named_by_spec = false;
                it.label("pg", "credential", "old");
                it.label("pg", "credential-expires", "2026-06-01T00:00:00Z");
            },
            None,
        ),
        (
            "somebody's own, and the carried one ends soon",
            |it| {
                it.credential("new").named_by_spec = false;
                it.label("pg", "credential", "old");
                it.label("pg", "credential-expires", "2026-02-14T08:00:00Z");
            },
            Some(soon),
        ),
    ];
    for (what, set, reason) in cases {
        let mut world = settled();
        set(&mut world);
        let plan = world.planned();
        let reasons: Vec<&str> = plan
            .steps
            .iter()
            .flat_map(|it| &it.reasons)
            .map(String::as_str)
            .collect();
        assert_eq!(reasons, reason.into_iter().collect::<Vec<_>>(), "{what}");
        let expected: &[&str] = if reason.is_some() {
            &["rotate service.pg"]
        } else {
            &[]
        };
        assert_eq!(ids(&plan), expected, "{what}");
    }
}

#[test]
fn the_labels_say_which_credential_and_until_when() {
    let mut world = settled();
    let credential = world.credential("new");
    credential.expires = Known::Known(Some("2026-10-12T09:00:00Z".parse().unwrap()));
    world.label("pg", "credential", "old");
    assert_eq!(
        labels(&world.planned()),
        BTreeMap::from([
            (CARRIED.to_owned(), change(Some("old"), Some("new"))),
            (
                EXPIRES.to_owned(),
                change(None, Some("2026-10-12T09:00:00Z"))
            ),
        ])
    );
    // An update carries it, too, and needs no step of its own.
    let mut world = World::new('b');
    world.both("pg", &[], &image("16", 'a'));
    world.credential("new");
    world.label("pg", "credential", "old");
    world.label("pg", "credential-expires", "2026-02-14T08:00:00Z");
    let plan = world.planned();
    assert_eq!(ids(&plan), ["update service.pg"]);
    assert_eq!(
        labels(&plan),
        BTreeMap::from([
            (CARRIED.to_owned(), change(Some("old"), Some("new"))),
            (
                EXPIRES.to_owned(),
                change(Some("2026-02-14T08:00:00Z"), None)
            ),
        ])
    );
}

#[test]
fn an_update_that_takes_a_refused_credential_away_takes_its_label_away() {
    let mut world = World::new('b');
    world.both("pg", &[], &image("16", 'a'));
    let refused = Acceptance::Refused(trouble("revoked"));
    let accepted = &mut world.credential("new").accepted;
    accepted.values_mut().for_each(|it| *it = refused.clone());
    world.label("pg", "credential", "new");
    assert_eq!(
        labels(&world.planned()),
        BTreeMap::from([(CARRIED.to_owned(), change(Some("new"), None))])
    );
}

#[test]
fn auth_rotate_reaches_every_service_whatever_it_runs() {
    let mut world = World::new('b');
    world.both("old", &[], &image("16", 'a'));
    world.both("new", &[], &image("16", 'b'));
    world.credential("f2").named_by_spec = false;
    let plan = world.planned_with(&[], Only::Credentials);
    assert_eq!(ids(&plan), ["rotate service.old", "rotate service.new"]);
    let plan = world.planned_with(&["service.new"], Only::Credentials);
    assert_eq!(ids(&plan), ["rotate service.new"]);
    let plan = world.planned_with(&["registry.ghcr.io"], Only::Credentials);
    assert_eq!(plan.steps.len(), 2);
}

/// (what the registry says, what is said)
#[test]
fn a_rotation_that_cannot_be_done_is_no_rotation_that_is_not_needed() {
    let refused = Acceptance::Refused(trouble("rejected"));
    let cases = [
        (Some(Acceptance::Accepted), None),
        (Some(Acceptance::NotNeeded), None),
        (Some(refused), Some("rejected")),
        (Some(Acceptance::Unknown(trouble("down"))), Some("down")),
        // There is none, and the registry was not asked for that reason.
        (None, Some("GHCR_PAT is not set")),
    ];
    for (accepted, expected) in cases {
        let mut world = World::new('b');
        world.both("pg", &[], &image("16", 'b'));
        match accepted {
            Some(acceptance) => {
                let credential = world.credential("f2");
                *credential.accepted.values_mut().next().unwrap() = acceptance;
            }
            None => world.registry(Observed::Unknown(trouble("GHCR_PAT is not set"))),
        }
        world.label("pg", "credential", "f2");
        for targets in [&[][..], &["service.pg"], &["registry.ghcr.io"]] {
            let plan = world.planned_with(targets, Only::Credentials);
            let expected = expected.map(|why| format!("blocked registry.ghcr.io: {why}"));
            assert_eq!(said(&plan), expected.into_iter().collect::<Vec<_>>());
            assert_eq!(ids(&plan), Vec::<String>::new());
        }
    }
    // Nobody is asked who he is.
    let mut world = World::new('b');
    world.both("pg", &[], &image("16", 'b'));
    assert_eq!(said(&world.planned_with(&[], Only::Credentials)), [""; 0]);
}

/// The engine takes every write for an update, and goes on with one that
/// stopped half-way.
#[test]
fn a_service_that_stopped_half_way_keeps_its_credential() {
    let mut world = World::new('b');
    let (old, new) = (image("16", 'a'), image("16", 'b'));
    world
        .wants("pg", &[])
        .runs("pg", &new, &[("n1", &new), ("n2", &old)]);
    world.status("pg", UpdateState::Paused);
    world.credential("f2");
    let plan = world.planned_with(&[], Only::Credentials);
    assert_eq!(ids(&plan), Vec::<String>::new());
    assert!(
        said(&plan)[0].starts_with("blocked service.pg: keeps its credential"),
        "{:?}",
        said(&plan)
    );
    world.status("pg", UpdateState::Updating);
    let plan = world.planned_with(&[], Only::Credentials);
    assert_eq!(
        said(&plan),
        ["blocked service.pg: an update is going on: Updating"]
    );
}

/// (when it ends, what is said)
#[test]
fn a_credential_that_ends_is_told_in_time() {
    let cases = [
        ("2026-10-12T09:00:00Z", None),
        ("2026-02-23T06:00:01Z", None),
        (
            "2026-02-23T06:00:00Z",
            Some("expires in 14 days, on 2026-02-23"),
        ),
        (
            "2026-02-11T05:00:00Z",
            Some("expires in 47 h, on 2026-02-11"),
        ),
        (
            "2026-02-09T06:30:00Z",
            Some("expires within the hour, at 06:30 UTC"),
        ),
        ("2026-02-09T06:00:00Z", Some("expired on 2026-02-09")),
        ("2025-12-01T00:00:00Z", Some("expired on 2025-12-01")),
    ];
    for (ends, expected) in cases {
        let mut world = settled();
        world.label("pg", "credential", "same");
        world.credential("same").expires = Known::Known(Some(ends.parse().unwrap()));
        let expected = expected.map(|words| {
            format!("attention registry.ghcr.io: the credential from GHCR_PAT in the environment {words}")
        });
        assert_eq!(
            said(&world.planned()),
            expected.into_iter().collect::<Vec<_>>(),
            "{ends}"
        );
    }
}

#[test]
fn the_spec_says_how_long_before_the_end_a_word_is_due() {
    let mut world = settled();
    world.label("pg", "credential", "same");
    world.credential("same").expires = Known::Known(Some("2026-02-11T06:00:00Z".parse().unwrap()));
    world.stack.registries.push(Registry {
        host: world.stack.images[0].repository.host().clone(),
        username: None,
        password: None,
        warn_before_expiry: std::time::Duration::from_secs(86_400),
        insecure: false,
    });
    assert_eq!(said(&world.planned()), Vec::<String>::new());
}

#[test]
fn what_is_wrong_with_a_credential_is_said_though_the_registry_took_it() {
    let mut world = settled();
    world.label("pg", "credential", "same");
    world.credential("same").concerns =
        vec![trouble("lacks a scope"), trouble("ends with its run")];
    assert_eq!(
        said(&world.planned()),
        [
            "attention registry.ghcr.io: ends with its run",
            "attention registry.ghcr.io: lacks a scope",
        ]
    );
}

/// (who is logged in, a credential, the steps, what is said)
#[test]
fn nodes_are_logged_in_where_the_spec_asks_for_it() {
    let registry = || imgstack_spec::RegistryHost::new("ghcr.io");
    let cases = [
        (Known::Known(LoginState::Same), true, 0, None),
        (Known::Known(LoginState::None), true, 1, None),
        (Known::Known(LoginState::Other), true, 1, None),
        (
            Known::Known(LoginState::None),
            false,
            0,
            Some("note node.n1: is not logged in to ghcr.io: there is no credential for it"),
        ),
        (
            Known::Unknown(trouble("its helper is missing")),
            true,
            0,
            Some(
                "attention node.n1: whether it is logged in to ghcr.io is not known: its helper is missing",
            ),
        ),
    ];
    for (state, has_credential, steps, expected) in cases {
        let mut world = settled();
        let replaces = state == Known::Known(LoginState::Other);
        world.holds("n1", &[('a', 7)]).logins = BTreeMap::from([(registry(), state)]);
        if has_credential {
            world.credential("f1");
            world.label("pg", "credential", "f1");
        }
        let plan = world.planned();
        assert_eq!(said(&plan), expected.into_iter().collect::<Vec<_>>());
        assert_eq!(plan.steps.len(), steps);
        if let Some(step) = plan.steps.first() {
            assert_eq!(step.id.to_string(), "login node.n1 registry.ghcr.io");
            let Action::LogIn(login) = &step.action else {
                panic!("no login")
            };
            assert_eq!((&*login.username, login.replaces), ("robot", replaces));
            let summary = (plan.steps[0].action.effect(), replaces);
            assert!(matches!(
                summary,
                (imgstack_planner::Effect::Add, false) | (imgstack_planner::Effect::Change, true)
            ));
        }
    }
}

#[test]
fn a_credential_that_is_refused_logs_nobody_in() {
    let mut world = settled();
    let registry = imgstack_spec::RegistryHost::new("ghcr.io");
    world.holds("n1", &[('a', 7)]).logins =
        BTreeMap::from([(registry, Known::Known(LoginState::None))]);
    world.credential("f1").accepted.clear();
    assert_eq!(ids(&world.planned()), Vec::<String>::new());
}

/// `auth rotate --target registry.…` takes in services that are not named, and
/// each is held against what it was.
#[test]
fn whatever_is_written_is_held_against_what_it_was() {
    let mut world = settled();
    world.credential("f2");
    for only in [Only::Everything, Only::Credentials] {
        let plan = world.planned_with(&["registry.ghcr.io"], only);
        assert_eq!(ids(&plan), ["rotate service.pg"]);
        assert!(plan.seen.contains_key(&"pg".parse().unwrap()), "{only:?}");
    }
}

/// The Swarm overlooks another credential, or other rules of placement, in tasks
/// that run; both together it takes for a change, and restarts them.
#[test]
fn a_write_that_would_restart_something_is_not_made() {
    type Set = fn(&mut World);
    let cases: [(&str, Set); 3] = [
        ("tasks under other rules", |it| {
            it.service("pg").tasks[0].as_asked = false
        }),
        ("a pause", |it| it.status("pg", UpdateState::Paused)),
        ("a way back that stopped", |it| {
            it.status("pg", UpdateState::RollbackPaused)
        }),
    ];
    for (what, set) in cases {
        for only in [Only::Everything, Only::Credentials] {
            let mut world = settled();
            world.credential("f2");
            world.label("pg", "credential", "f1");
            set(&mut world);
            let plan = world.planned_with(&[], only);
            assert_eq!(ids(&plan), Vec::<String>::new(), "{what}");
            let said = said(&plan);
            let kept = said
                .iter()
                .any(|it| it.starts_with("blocked service.pg: keeps its credential"));
            assert!(kept, "{what}: {said:?}");
        }
    }
}

/// What was known once still holds while nobody can be asked.
#[test]
fn an_end_that_cannot_be_asked_for_is_not_forgotten() {
    let mut world = World::new('b');
    world.both("pg", &[], &image("16", 'a'));
    world.credential("same").expires = Known::Unknown(trouble("rate limited"));
    world.label("pg", "credential", "same");
    world.label("pg", "credential-expires", "2026-10-12T09:00:00Z");
    assert_eq!(labels(&world.planned()), BTreeMap::new());
}

/// With everybody's own credential, two people would undo each other's plans.
#[test]
fn a_login_of_somebody_elses_is_replaced_only_by_the_specs_own() {
    let registry = imgstack_spec::RegistryHost::new("ghcr.io");
    for (named, only, steps) in [
        (true, Only::Everything, 1),
        (false, Only::Everything, 0),
        (false, Only::Credentials, 1),
    ] {
        let mut world = settled();
        let logins = BTreeMap::from([(registry.clone(), Known::Known(LoginState::Other))]);
        world.holds("n1", &[('a', 7)]).logins = logins;
        world.credential("f1").named_by_spec = named;
        world.label("pg", "credential", "f1");
        assert_eq!(world.planned_with(&[], only).steps.len(), steps);
    }
}
