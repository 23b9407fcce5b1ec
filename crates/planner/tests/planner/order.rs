//! Several services: order, dependencies, targets, determinism, drift.

use crate::held::failed;
use crate::support::{World, digest, image, trouble};
use imgstack_planner::{
    Action, Code, Known, Observed, Options, PlanHash, StackPlan, UpdateService, UpdateState,
    check_targets, drift, plan,
};
use imgstack_spec::{Address, StackSet};
use std::collections::BTreeSet;

fn planned(world: &World) -> StackPlan {
    plan(&world.stack, &world.inventory, &Options::default())
}

fn steps(plan: &StackPlan) -> Vec<(String, Vec<String>)> {
    plan.steps
        .iter()
        .map(|step| {
            let after = step.after.iter().chain(&step.follows);
            let after = after.map(ToString::to_string);
            let after = after
                .map(|id| id.trim_start_matches("update ").to_owned())
                .collect();
            (step.address.to_string(), after)
        })
        .collect()
}

/// (services as (name, after), the expected (step, after))
#[test]
fn services_go_in_the_order_of_the_spec() {
    type Table<'a> = &'a [(&'a str, &'a [&'a str])];
    let cases: [(Table<'_>, Table<'_>); 4] = [
        // File order within an image.
        (
            &[("a", &[]), ("b", &[]), ("c", &[])],
            &[("a", &[]), ("b", &["a"]), ("c", &["b"])],
        ),
        // The mission's stack: the first in the file comes last.
        (
            &[("a", &["b", "c"]), ("b", &[]), ("c", &[])],
            &[("b", &[]), ("c", &["b"]), ("a", &["b", "c"])],
        ),
        (
            &[("a", &["b"]), ("b", &["c"]), ("c", &[])],
            &[("c", &[]), ("b", &["c"]), ("a", &["b"])],
        ),
        (
            &[("a", &["c"]), ("b", &[]), ("c", &["b"])],
            &[("b", &[]), ("c", &["b"]), ("a", &["c"])],
        ),
    ];
    for (services, expected) in cases {
        let mut world = World::new('b');
        for (name, after) in services {
            world.both(name, after, &image("16", 'a'));
        }
        let expected: Vec<(String, Vec<String>)> = expected
            .iter()
            .map(|(name, after)| {
                let after = after.iter().map(|name| format!("service.{name}")).collect();
                (format!("service.{name}"), after)
            })
            .collect();
        assert_eq!(steps(&planned(&world)), expected);
    }
}

#[test]
fn order_reaches_through_services_that_need_nothing() {
    let mut world = World::new('b');
    world.both("a", &["b"], &image("16", 'a'));
    world.both("b", &["c"], &image("16", 'b'));
    world.both("c", &[], &image("16", 'a'));
    let expected = [
        ("service.c".to_owned(), vec![]),
        ("service.a".to_owned(), vec!["service.c".to_owned()]),
    ];
    assert_eq!(steps(&planned(&world)), expected);
}

#[test]
fn what_comes_after_a_blocked_service_is_blocked_and_the_rest_is_not() {
    let mut world = World::new('b');
    world.both("a", &["b"], &image("16", 'a'));
    world.both("b", &[], &image("16", 'a'));
    world.both("c", &[], &image("16", 'a'));
    world.both("d", &["a"], &image("16", 'a'));
    world.status("b", UpdateState::Updating);
    let plan = planned(&world);
    assert_eq!(steps(&plan), [("service.c".to_owned(), vec![])]);
    let blocked: Vec<_> = plan
        .report
        .findings
        .iter()
        .map(|finding| (finding.address.to_string(), finding.code))
        .collect();
    assert_eq!(
        blocked,
        [
            ("service.a".to_owned(), Code::AfterBlocked),
            ("service.b".to_owned(), Code::UpdateInProgress),
            ("service.d".to_owned(), Code::AfterBlocked),
        ]
    );
}

#[test]
fn being_blocked_reaches_through_services_that_need_nothing() {
    let mut world = World::new('b');
    world.both("a", &[], &image("16", 'a'));
    world.both("b", &["a"], &image("16", 'b'));
    world.both("c", &["b"], &image("16", 'a'));
    world.status("a", UpdateState::Updating);
    let plan = planned(&world);
    assert_eq!(steps(&plan), []);
    let last = plan.report.findings.last().unwrap();
    assert_eq!(last.address.to_string(), "service.c");
    assert_eq!(last.message, "comes after service.a, which is blocked");
}

/// What the targets leave out is neither shown, nor judged, nor compared with
/// the world when the plan is carried out.
#[test]
fn what_is_not_targeted_is_in_no_part_of_the_plan() {
    let mut world = World::new('b');
    world.both("a", &[], &image("16", 'a'));
    world.both("b", &[], &image("16", 'a'));
    let mut other = world.stack.images[0].clone();
    other.name = "other".parse().unwrap();
    world.stack.images.push(other);
    world.stack.services[1].image = "other".parse().unwrap();
    let mut asked = world.inventory.images[&world.stack.images[0].name].clone();
    asked.digest = Observed::Unknown(trouble("Connection refused"));
    let name = world.stack.images[1].name.clone();
    world.inventory.images.insert(name, asked);
    world.status("b", UpdateState::Paused);
    let options = Options {
        targets: vec!["service.a".parse().unwrap()],
        ..Options::default()
    };
    let saved = plan(&world.stack, &world.inventory, &options);
    assert_eq!(steps(&saved), [("service.a".to_owned(), vec![])]);
    assert_eq!(saved.report.findings, []);
    let images: Vec<String> = saved.images.iter().map(|i| i.address.to_string()).collect();
    assert_eq!(images, ["image.pg"]);
    world.service("b").seen.spec_digest = "somebody changed it".to_owned();
    let fresh = plan(&world.stack, &world.inventory, &options);
    assert!(drift(&saved, &fresh).is_empty());
    assert!(planned(&world).report.is_blocked());
}

/// The trouble itself is told in other words each time.
#[test]
fn the_same_kind_of_trouble_is_no_drift() {
    let mut world = World::new('b');
    world.both("a", &[], &image("16", 'a'));
    world.registry(Observed::Unknown(trouble("429, resets in 9 s")));
    let saved = planned(&world);
    world.registry(Observed::Unknown(trouble("429, resets in 3 s")));
    assert!(drift(&saved, &planned(&world)).is_empty());
    world.registry(Observed::Present(digest('b')));
    let [moved] = drift(&saved, &planned(&world)).moved.try_into().unwrap();
    assert_eq!(moved.from, "unknown (429, resets in 9 s)");
}

/// Unknown is not absent (invariant 3).
#[test]
fn what_cannot_be_looked_at_has_not_moved() {
    let mut world = World::new('b');
    world.both("a", &[], &image("16", 'a'));
    let saved = planned(&world);
    world.inventory.cluster = Known::Unknown(trouble("nobody listens"));
    world.inventory.services = Known::Unknown(trouble("nobody listens"));
    let seen = drift(&saved, &planned(&world));
    assert_eq!(seen.moved, []);
    let [unseen] = seen.unknown.try_into().unwrap();
    assert_eq!(unseen.address, Address::Swarm);
    assert_eq!(unseen.trouble.why, "nobody listens");

    let mut world = World::new('b');
    world.both("a", &[], &image("16", 'a'));
    world.registry(Observed::Unknown(trouble("503")));
    let seen = drift(&saved, &planned(&world));
    assert_eq!(seen.moved, []);
    let [unseen] = seen.unknown.try_into().unwrap();
    assert_eq!(unseen.address.to_string(), "image.pg");
}

/// All choices are made in the plan (invariant 1), and not in its file.
#[test]
fn a_plan_that_was_altered_does_not_hold() {
    let mut world = World::new('b');
    world.both("a", &[], &image("16", 'a'));
    world.both("b", &[], &image("16", 'a'));
    let fresh = planned(&world);
    let altered = |alter: &dyn Fn(&mut StackPlan)| {
        let mut saved = fresh.clone();
        alter(&mut saved);
        drift(&saved, &fresh).moved
    };
    let update = |plan: &mut StackPlan, change: &dyn Fn(&mut UpdateService)| {
        let Action::UpdateService(update) = &mut plan.steps[0].action else {
            panic!("no update")
        };
        change(update);
    };
    let moved = altered(&|plan| update(plan, &|it| it.image.to = "evil:1".to_owned()));
    assert_eq!(moved[0].field, "action.updateService.image.to");
    assert_eq!(
        (&*moved[0].from, &*moved[0].to),
        ("evil:1", &*image("16", 'b'))
    );
    let moved = altered(&|plan| update(plan, &|it| it.timeout_seconds = 1));
    assert_eq!(moved[0].field, "action.updateService.timeoutSeconds");
    assert_eq!(
        altered(&|plan| plan.steps[1].follows.clear())[0].field,
        "follows"
    );
    let moved = altered(&|plan| plan.steps.reverse());
    assert_eq!(moved[0].field, "order of the steps");
    assert!(altered(&|plan| plan.steps[0].reasons.clear()).is_empty());
}

#[test]
fn drift_tells_what_blocks_now() {
    let mut world = World::new('b');
    world.both("a", &[], &image("16", 'a'));
    let saved = planned(&world);
    world.status("a", UpdateState::Updating);
    let [moved] = drift(&saved, &planned(&world)).moved.try_into().unwrap();
    assert_eq!(moved.from, "1 task on n1");
    assert_eq!(moved.to, "blocked: an update is going on: Updating");
}

#[test]
fn targets_narrow_the_plan_and_say_what_they_leave_out() {
    let mut world = World::new('b');
    for name in ["a", "b", "c"] {
        world.both(name, &[], &image("16", 'a'));
    }
    let options = Options {
        targets: vec!["service.b".parse().unwrap()],
        ..Options::default()
    };
    let plan = plan(&world.stack, &world.inventory, &options);
    assert_eq!(steps(&plan), [("service.b".to_owned(), vec![])]);
    assert_eq!(
        plan.report.findings[0].message,
        "2 more changes are left out by --target"
    );
    assert!(!plan.report.is_blocked());
}

#[test]
fn a_target_that_is_not_in_the_spec_is_an_error_with_the_nearest() {
    let mut world = World::new('b');
    world.wants("postgres-1", &[]);
    let set = StackSet {
        stacks: vec![world.stack],
    };
    let target: Address = "service.postgres-l".parse().unwrap();
    let error = check_targets(std::slice::from_ref(&target), &set).unwrap_err();
    assert_eq!(error.nearest.as_deref(), Some("service.postgres-1"));
    check_targets(&["image.pg".parse().unwrap()], &set).unwrap();
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let mut world = World::new('b');
    world.both("a", &["b"], &image("16", 'a'));
    world.both("b", &[], &image("16", 'a'));
    let (one, two) = (planned(&world), planned(&world));
    assert_eq!(
        serde_json::to_string(&one).unwrap(),
        serde_json::to_string(&two).unwrap()
    );
    let back: StackPlan = serde_json::from_str(&serde_json::to_string(&one).unwrap()).unwrap();
    assert_eq!(back, one);
}

#[test]
fn the_hash_follows_what_is_done_and_not_the_engines_own_version() {
    let mut world = World::new('b');
    world.both("a", &[], &image("16", 'a'));
    let before = planned(&world);
    world.service("a").seen.version += 3;
    let after = planned(&world);
    assert_eq!(before.hash, after.hash);
    assert!(drift(&before, &after).is_empty());
    world.service("a").seen.spec_digest = "other".to_owned();
    assert_ne!(before.hash, planned(&world).hash);
    world.service("a").seen.spec_digest = before.seen[&"a".parse().unwrap()].spec_digest.clone();
    assert_eq!(before.hash, planned(&world).hash);
    // The environment may say which cluster is meant, and its names be the same.
    world.inventory.cluster = Known::Known("c2".to_owned());
    assert_ne!(before.hash, planned(&world).hash);
    let Action::UpdateService(update) = &before.steps[0].action else {
        panic!("no update")
    };
    assert_eq!(
        update.labels["dev.imgstack.plan"].to.as_ref(),
        Some(&before.hash)
    );
}

#[test]
fn drift_names_what_moved_from_what_to_what() {
    let mut world = World::new('b');
    world.both("a", &[], &image("16", 'a'));
    let saved = planned(&world);

    let mut moved_tag = World::new('c');
    moved_tag.both("a", &[], &image("16", 'a'));
    let [moved] = drift(&saved, &planned(&moved_tag))
        .moved
        .try_into()
        .unwrap();
    assert_eq!(moved.address.to_string(), "image.pg");
    assert_eq!(
        (moved.from, moved.to),
        (digest('b').to_string(), digest('c').to_string())
    );

    let mut updated = World::new('b');
    updated.both("a", &[], &image("16", 'd'));
    let [moved] = drift(&saved, &planned(&updated)).moved.try_into().unwrap();
    assert_eq!(moved.address.to_string(), "service.a");
    assert_eq!(
        (moved.field.as_str(), moved.from, moved.to),
        ("image", image("16", 'a'), image("16", 'd'))
    );

    let mut gone = World::new('b');
    gone.wants("a", &[]);
    let [moved] = drift(&saved, &planned(&gone)).moved.try_into().unwrap();
    assert_eq!(
        (moved.from.as_str(), moved.to.as_str()),
        ("id-a", "no such service")
    );

    world.service("a").seen.spec_digest = "a label changed".to_owned();
    let [moved] = drift(&saved, &planned(&world)).moved.try_into().unwrap();
    assert!(moved.field.contains("not kept in plans"));
}

#[test]
fn drift_names_tasks_that_moved_to_another_node() {
    let mut world = World::new('b');
    let old = image("16", 'a');
    world.wants("a", &[]).runs("a", &old, &[("n1", &old)]);
    let saved = planned(&world);
    world.service("a").tasks[0].node = Some("n2".parse().unwrap());
    let [moved] = drift(&saved, &planned(&world)).moved.try_into().unwrap();
    assert_eq!(moved.address.to_string(), "service.a");
    assert_eq!(
        (moved.from.as_str(), moved.to.as_str()),
        ("1 task on n1", "1 task on n2")
    );
}

#[test]
fn ten_thousand_services_are_planned_in_under_a_second() {
    let mut world = World::new('b');
    for n in 0..10_000 {
        let before = format!("s{}", n - 1);
        let after: &[&str] = if n % 3 == 0 && n > 0 { &[&before] } else { &[] };
        let name = format!("s{n}");
        world.both(&name, after, &image("16", 'a'));
        failed(&mut world, &name, 'c', 1);
    }
    world.stack.images[0].keep = Some(1);
    let start = std::time::Instant::now();
    assert_eq!(planned(&world).steps.len(), 10_000);
    assert!(start.elapsed().as_secs() < 1 + 4 * u64::from(cfg!(debug_assertions)));
}

/// Of one stack its own, which the labels have as well; of several it depends
/// on each, and on their order.
#[test]
fn the_hash_of_a_whole_plan() {
    let mut world = World::new('b');
    world.both("a", &[], &image("16", 'a'));
    let one = planned(&world);
    world.service("a").seen.spec_digest = "other".to_owned();
    let two = planned(&world);
    let of = |stacks: &[&StackPlan]| {
        let stacks: Vec<StackPlan> = stacks.iter().map(|it| (*it).clone()).collect();
        PlanHash::of(&stacks)
    };
    assert_eq!(of(&[&one]).as_str(), one.hash);
    let all = [
        of(&[&one]),
        of(&[&two]),
        of(&[&one, &two]),
        of(&[&two, &one]),
        of(&[]),
    ];
    let unique: BTreeSet<&PlanHash> = all.iter().collect();
    assert_eq!(unique.len(), all.len());
    for hash in &all {
        assert_eq!(hash.as_str().parse().as_ref(), Ok(hash));
    }
    let upper = one.hash.to_uppercase();
    for text in [
        "",
        "0f",
        &one.hash[1..],
        &format!("{}g", &one.hash[1..]),
        &upper,
    ] {
        assert!(text.parse::<PlanHash>().is_err(), "{text}");
    }
}
