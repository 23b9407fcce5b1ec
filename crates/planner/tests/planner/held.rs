//! Builds that have failed: who is held back from them, what lifts that, and
//! what becomes of a plan that was saved before.

use imgstack_planner::{
    Code, FailedBuild, Finding, GoodBuild, History, Known, Observed, Options, Severity, StackPlan,
    Trouble, UnreadRelease, UpdateState, drift, plan,
};
use imgstack_spec::Pin;

use crate::nodes;
use crate::support::{World, digest, ids, image, said};

/// The tag means `b`; `pg-1` to `pg-3` run `a`.
fn world() -> World {
    let mut world = World::new('b');
    for name in ["pg-1", "pg-2", "pg-3"] {
        world.both(name, &[], &image("16", 'a'));
    }
    world.build('a', &["linux/amd64"]);
    world
}

pub fn history(world: &mut World) -> &mut History {
    match &mut world.inventory.history {
        Known::Known(history) => history,
        Known::Unknown(_) => panic!("the history is unknown"),
    }
}

/// The build failed for the service in that release.
pub fn failed(world: &mut World, service: &str, digit: char, release: u64) {
    let past = history(world).services.entry(service.parse().unwrap());
    past.or_default().failed.push(FailedBuild {
        digest: digest(digit),
        image: image("16", digit),
        at: "2026-11-24T14:03:07Z".parse().unwrap(),
        release,
        cause: "task: non-zero exit (1)".to_owned(),
    });
}

fn again(world: &World) -> StackPlan {
    let options = Options {
        retry_failed: true,
        ..Options::default()
    };
    plan(&world.stack, &world.inventory, &options)
}

fn of_code(plan: &StackPlan, code: Code) -> Vec<&Finding> {
    let findings = plan.report.findings.iter();
    findings.filter(|it| it.code == code).collect()
}

const OWN: &str =
    "the wanted build failed on 2026-11-24 14:03 UTC in release 7 (task: non-zero exit (1))";
const OTHER: &str = "the wanted build failed at service.pg-1 on 2026-11-24 14:03 UTC in release 7";

#[test]
fn a_build_that_failed_for_one_service_is_held_back_from_all_of_its_image() {
    let mut world = world();
    failed(&mut world, "pg-1", 'b', 7);
    let plan = world.planned();
    assert_eq!(ids(&plan), [""; 0]);
    assert!(plan.report.is_blocked());
    assert_eq!(
        said(&plan),
        [
            format!("blocked service.pg-1: {OWN}, held"),
            format!("blocked service.pg-2: {OTHER}, held"),
            format!("blocked service.pg-3: {OTHER}, held"),
        ]
    );
    for finding in of_code(&plan, Code::FailedBefore) {
        assert_eq!(
            finding.hint.as_deref(),
            Some("push a mended build, or try it again: imgstack apply --retry-failed")
        );
    }
}

#[test]
fn a_service_is_told_of_its_own_failure_first_and_else_of_the_last_one() {
    let mut world = world();
    for (service, release) in [("pg-1", 7), ("pg-2", 9)] {
        failed(&mut world, service, 'b', release);
    }
    let plan = world.planned();
    let told = of_code(&plan, Code::FailedBefore);
    let words = [
        "UTC in release 7 (",
        "UTC in release 9 (",
        "at service.pg-2 on",
    ];
    assert_eq!(told.len(), words.len());
    for (finding, words) in told.into_iter().zip(words) {
        assert!(finding.message.contains(words), "{}", finding.message);
    }
}

#[test]
fn somebody_may_want_it_to_be_tried_again() {
    let mut world = world();
    failed(&mut world, "pg-1", 'b', 7);
    let plan = again(&world);
    assert!(plan.retry_failed && !plan.report.is_blocked());
    assert_eq!(
        ids(&plan),
        [
            "update service.pg-1",
            "update service.pg-2",
            "update service.pg-3"
        ]
    );
    assert_eq!(
        said(&plan),
        [
            format!("attention service.pg-1: {OWN}, and is tried again (--retry-failed)"),
            format!("attention service.pg-2: {OTHER}, and is tried again (--retry-failed)"),
            format!("attention service.pg-3: {OTHER}, and is tried again (--retry-failed)"),
        ]
    );
    // Where nothing has failed there is nothing to say.
    let clean = again(&self::world());
    assert_eq!((ids(&clean).len(), said(&clean).len()), (3, 0));
}

/// What is proposed lets no build of another image be tried again.
#[test]
fn where_there_are_other_images_only_this_one_is_to_be_tried_again() {
    let mut world = world();
    let mut other = world.stack.images[0].clone();
    other.name = "other".parse().unwrap();
    let asked = world.inventory.images.values().next().unwrap().clone();
    world.inventory.images.insert(other.name.clone(), asked);
    world.stack.services[2].image = other.name.clone();
    world.stack.images.push(other);
    failed(&mut world, "pg-1", 'b', 7);
    failed(&mut world, "pg-3", 'b', 8);
    let hint =
        "push a mended build, or try it again: imgstack apply --retry-failed --target image.pg";
    assert_eq!(
        world.planned().report.findings[0].hint.as_deref(),
        Some(hint)
    );
    let options = Options {
        retry_failed: true,
        targets: vec!["image.pg".parse().unwrap()],
        ..Options::default()
    };
    let plan = plan(&world.stack, &world.inventory, &options);
    assert_eq!(ids(&plan), ["update service.pg-1", "update service.pg-2"]);
}

/// (what is so, the steps, the services that are held)
#[test]
fn only_who_would_move_to_the_failed_build_is_held() {
    type Change = fn(&mut World);
    let table: [(&str, Change, &[&str], &[&str]); 7] = [
        (
            "another build has come",
            |it| {
                it.registry(Observed::Present(digest('c')));
                it.build('c', &["linux/amd64"]);
            },
            &["pg-1", "pg-2", "pg-3"],
            &[],
        ),
        (
            "somebody has pinned the failed one",
            |it| it.pin(Pin::Digest(digest('b'))),
            &[],
            &["pg-1", "pg-2", "pg-3"],
        ),
        (
            "the last of them runs it",
            |it| {
                it.services().remove(&"pg-3".parse().unwrap());
                it.runs("pg-3", &image("16", 'b'), &[("n1", &image("16", 'b'))]);
            },
            &[],
            &["pg-1", "pg-2"],
        ),
        (
            "the first has another image",
            |it| {
                let mut other = it.stack.images[0].clone();
                other.name = "other".parse().unwrap();
                let asked = it.inventory.images.values().next().unwrap().clone();
                it.inventory.images.insert(other.name.clone(), asked);
                it.stack.services[0].image = other.name.clone();
                it.stack.images.push(other);
            },
            &["pg-2", "pg-3"],
            &["pg-1"],
        ),
        (
            "the others come after it by name",
            |it| {
                let first = it.stack.services[0].name.clone();
                for service in &mut it.stack.services[1..] {
                    service.after = vec![first.clone()];
                }
            },
            &[],
            &["pg-1", "pg-2", "pg-3"],
        ),
        (
            "one of its tasks is left behind",
            |it| {
                let spec = image("16", 'b');
                it.service("pg-1").image.clone_from(&spec);
            },
            &["pg-1"],
            &["pg-2", "pg-3"],
        ),
        (
            "what failed is none of the services'",
            |it| {
                let past = history(it).services.remove(&"pg-1".parse().unwrap());
                let past = past.unwrap();
                history(it).services.insert("gone".parse().unwrap(), past);
            },
            &["pg-1", "pg-2", "pg-3"],
            &[],
        ),
    ];
    for (what, change, steps, held) in table {
        let mut world = world();
        failed(&mut world, "pg-1", 'b', 7);
        change(&mut world);
        let plan = world.planned();
        let expected: Vec<_> = steps
            .iter()
            .map(|it| format!("update service.{it}"))
            .collect();
        assert_eq!(ids(&plan), expected, "{what}");
        let told = of_code(&plan, Code::FailedBefore);
        let told: Vec<_> = told.iter().map(|it| it.address.to_string()).collect();
        let expected: Vec<_> = held.iter().map(|it| format!("service.{it}")).collect();
        assert_eq!(told, expected, "{what}");
    }
}

#[test]
fn what_comes_after_a_held_service_waits_for_it() {
    let mut world = world();
    let mut other = world.stack.images[0].clone();
    other.name = "other".parse().unwrap();
    let asked = world.inventory.images.values().next().unwrap().clone();
    world.inventory.images.insert(other.name.clone(), asked);
    world.stack.services[2].image = other.name.clone();
    world.stack.services[2].after = vec!["pg-1".parse().unwrap()];
    world.stack.images.push(other);
    failed(&mut world, "pg-1", 'b', 7);
    let plan = world.planned();
    assert_eq!(ids(&plan), [""; 0]);
    let waits = of_code(&plan, Code::AfterBlocked);
    assert_eq!(waits[0].address.to_string(), "service.pg-3");
    assert_eq!(
        waits[0].message,
        "comes after service.pg-1, which is blocked"
    );
}

#[test]
fn a_service_that_is_half_way_keeps_its_own_findings() {
    let mut world = world();
    world.service("pg-1").image = image("16", 'b');
    world.status("pg-1", UpdateState::Paused);
    failed(&mut world, "pg-1", 'b', 7);
    let plan = world.planned();
    let half = of_code(&plan, Code::StoppedHalfWay);
    assert_eq!(half[0].address.to_string(), "service.pg-1");
    let held = of_code(&plan, Code::FailedBefore);
    let held: Vec<_> = held.iter().map(|it| it.address.to_string()).collect();
    assert_eq!(held, ["service.pg-2", "service.pg-3"]);
}

/// What a held service runs is looked after.
#[test]
fn a_node_gets_the_build_that_a_held_service_keeps() {
    let mut world = nodes::world('b');
    world.build('a', &["linux/amd64"]);
    for host in ["n1", "n2", "n3"] {
        let held: &[_] = if host == "n2" { &[] } else { &[('a', 7)] };
        world.holds(host, held);
    }
    let now = image("16", 'a');
    world.service("pg").image.clone_from(&now);
    for task in &mut world.service("pg").tasks {
        task.image.clone_from(&now);
    }
    failed(&mut world, "pg", 'b', 7);
    let plan = world.planned();
    let pull = format!("pull node.n2 image.pg@{}", digest('a'));
    assert_eq!(ids(&plan), [pull]);
    assert_eq!(of_code(&plan, Code::FailedBefore).len(), 1);
}

fn unknown(world: &mut World) {
    world.inventory.history = Known::Unknown(Trouble {
        why: "the manager answered 403".to_owned(),
        hint: Some("ask somebody".to_owned()),
    });
}

#[test]
fn without_the_journal_nothing_moves_unless_that_is_wanted() {
    let mut world = world();
    unknown(&mut world);
    let told = "the journal cannot be read, so that nobody knows which builds have failed: the manager answered 403";
    let plan = world.planned();
    assert_eq!(ids(&plan), [""; 0]);
    let findings = of_code(&plan, Code::JournalUnknown);
    let swarm = findings.iter().find(|it| it.address.to_string() == "swarm");
    let swarm = swarm.unwrap();
    assert_eq!((swarm.severity, &*swarm.message), (Severity::Blocked, told));
    assert_eq!(swarm.hint.as_deref(), Some("ask somebody"));
    assert_eq!(swarm.blocks.len(), 3);
    assert_eq!(findings.len(), 4);
    // Tried again is tried, whatever failed; and what is said is no obstacle.
    let plan = again(&world);
    assert_eq!(ids(&plan).len(), 3);
    assert_eq!(said(&plan), [format!("attention swarm: {told}")]);
    // Where nothing is to move, nothing waits.
    world.registry(Observed::Present(digest('a')));
    assert_eq!(said(&world.planned()), [format!("attention swarm: {told}")]);
    // That there is no Swarm is said already.
    world.inventory.services = Known::Unknown(Trouble::new("it is down"));
    assert_eq!(of_code(&world.planned(), Code::JournalUnknown).len(), 0);
}

/// Release 9 cannot be read.
fn unread(world: &mut World) {
    history(world).unreadable.push(UnreadRelease {
        number: 9,
        why: "it has the format 2.0".to_owned(),
    });
}

/// The build was good for the service in that release, at that hour.
fn good(world: &mut World, service: &str, digit: char, release: u64, hour: u8) {
    let past = history(world).services.entry(service.parse().unwrap());
    past.or_default().good.push(GoodBuild {
        digest: digest(digit),
        image: image("16", digit).parse().unwrap(),
        at: format!("2026-11-24T{hour:02}:00:00Z").parse().unwrap(),
        release,
        converged: true,
    });
}

/// When the build was made.
fn made(world: &mut World, digit: char, hour: u8) {
    let build = world.inventory.builds.get_mut(&digest(digit)).unwrap();
    let Known::Known(build) = build else {
        panic!("the build is unknown");
    };
    build.created = Some(format!("2026-11-24T{hour:02}:00:00Z").parse().unwrap());
}

const PAGE: &str = "attention swarm: release 9 of the journal cannot be read (it has the format 2.0), nor what was good or failed in it";

#[test]
fn a_build_that_may_have_failed_in_a_release_that_cannot_be_read_is_held() {
    let mut world = world();
    unread(&mut world);
    let held = "the wanted build may have failed in release 9, which cannot be read, held";
    let plan = world.planned();
    assert_eq!(ids(&plan), [""; 0]);
    let mut expected: Vec<_> = (1..=3)
        .map(|it| format!("blocked service.pg-{it}: {held}"))
        .collect();
    expected.push(PAGE.to_owned());
    assert_eq!(said(&plan), expected);
    let hint = "see what became of it: imgstack history; to try the build all the same: imgstack apply --retry-failed";
    assert_eq!(plan.report.findings[0].hint.as_deref(), Some(hint));
    // Somebody wants it all the same.
    let plan = again(&world);
    assert_eq!((ids(&plan).len(), said(&plan)), (3, vec![PAGE.to_owned()]));
    // Nothing moves, so nothing is held.
    world.registry(Observed::Present(digest('a')));
    assert_eq!(said(&world.planned()), [PAGE]);
}

/// (what is so, how many services are held)
#[test]
fn a_build_that_cannot_have_failed_there_goes_through() {
    type Change = fn(&mut World);
    let table: [(&str, Change, usize); 7] = [
        (
            "a later release was at 12, the build was made at 13",
            |it| {
                good(it, "pg-1", 'a', 10, 12);
                made(it, 'b', 13);
            },
            0,
        ),
        (
            "the build was made before that",
            |it| {
                good(it, "pg-1", 'a', 10, 12);
                made(it, 'b', 11);
            },
            3,
        ),
        (
            "an earlier release says nothing of when it was over",
            |it| {
                good(it, "pg-1", 'a', 8, 12);
                made(it, 'b', 13);
            },
            3,
        ),
        (
            "nobody knows when the build was made",
            |it| good(it, "pg-1", 'a', 10, 12),
            3,
        ),
        (
            "something later failed at 14:03",
            |it| {
                failed(it, "pg-1", 'c', 10);
                made(it, 'b', 15);
            },
            0,
        ),
        (
            "it was good for one of them before",
            |it| good(it, "pg-2", 'b', 8, 12),
            2,
        ),
        (
            "the first later word counts",
            |it| {
                good(it, "pg-1", 'd', 11, 20);
                good(it, "pg-1", 'a', 10, 12);
                made(it, 'b', 13);
            },
            0,
        ),
    ];
    for (what, change, held) in table {
        let mut world = world();
        world.build('b', &["linux/amd64"]);
        unread(&mut world);
        change(&mut world);
        let plan = world.planned();
        let told = of_code(&plan, Code::JournalPageUnread);
        // One is of the journal.
        assert_eq!(told.len(), held + 1, "{what}");
        assert_eq!(ids(&plan).len(), 3 - held, "{what}");
    }
}

#[test]
fn a_saved_plan_is_stale_once_its_build_has_failed() {
    let mut world = world();
    let saved = world.planned();
    failed(&mut world, "pg-1", 'b', 7);
    let moved = drift(&saved, &world.planned()).moved;
    let told: Vec<_> = moved
        .iter()
        .map(|it| (it.address.to_string(), &*it.to))
        .collect();
    assert_eq!(told.len(), 3);
    assert_eq!(
        told[0],
        ("service.pg-1".to_owned(), &*format!("blocked: {OWN}, held"))
    );
    // One that was made to try it again holds.
    let saved = again(&world);
    assert!(drift(&saved, &again(&world)).is_empty());
    // And whether one holds that nobody can tell of, is unknown.
    let saved = self::world().planned();
    unknown(&mut world);
    let drift = drift(&saved, &world.planned());
    assert_eq!((drift.moved.len(), drift.unknown.len()), (0, 1));
    assert!(drift.unknown[0].trouble.why.contains("403"));
}
