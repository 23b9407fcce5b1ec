//! One service at a time: what is planned for it, and why.

use crate::support::{REPOSITORY, World, digest, image, platform, trouble};
use imgstack_planner::{
    Action, Code, Known, Observed, Options, ServiceMode, Severity, StackPlan, UpdateService,
    UpdateState, plan,
};
use imgstack_spec::Pin;

fn planned(world: &World) -> StackPlan {
    plan(&world.stack, &world.inventory, &Options::default())
}

fn only_update(plan: &StackPlan) -> (&UpdateService, &[String]) {
    let [step] = plan.steps.as_slice() else {
        panic!("{} steps, {:?}", plan.steps.len(), plan.report)
    };
    let Action::UpdateService(update) = &step.action else {
        panic!("{} is no update", step.id)
    };
    (update, &step.reasons)
}

fn codes(plan: &StackPlan) -> Vec<(Severity, Code)> {
    let findings = plan.report.findings.iter();
    findings
        .map(|finding| (finding.severity, finding.code))
        .collect()
}

/// (what the service's spec says, what its tasks run, the reason given)
#[test]
fn a_service_on_another_build_is_updated_and_told_why() {
    let other = format!("ghcr.io/acme/other:16@{}", digest('a'));
    let bare = format!("{REPOSITORY}:16");
    let by_digest = format!("{REPOSITORY}@{}", digest('a'));
    let cases = [
        (image("16", 'a'), "the tag `16` moved"),
        (image("16.9", 'a'), "the spec asks for the tag `16`"),
        (by_digest, "the spec asks for the tag `16`"),
        (
            bare,
            "runs a tag without a digest: which build that is differs from node to node",
        ),
        (other, "runs another repository: ghcr.io/acme/other"),
        (
            "SHOUTING".to_owned(),
            "runs `SHOUTING`, which names no repository",
        ),
    ];
    for (running, reason) in cases {
        let mut world = World::new('b');
        world.both("pg-1", &[], &running);
        let plan = planned(&world);
        let (update, reasons) = only_update(&plan);
        assert_eq!(reasons, [reason], "{running}");
        assert_eq!(update.image.from, running);
        assert_eq!(update.image.to, image("16", 'b'));
        assert_eq!(update.restarts.to_string(), "1 task on n1");
    }
}

#[test]
fn a_service_on_the_wanted_build_needs_nothing() {
    let mut world = World::new('b');
    world.both("pg-1", &[], &image("16", 'b'));
    let plan = planned(&world);
    assert!(plan.steps.is_empty());
    assert!(plan.report.findings.is_empty());
}

#[test]
fn the_same_build_under_another_name_restarts_nothing_and_says_so() {
    for name in [
        image("16-abc1234", 'b'),
        format!("{REPOSITORY}@{}", digest('b')),
    ] {
        let mut world = World::new('b');
        world.both("pg-1", &[], &name);
        let plan = planned(&world);
        assert!(plan.steps.is_empty());
        assert_eq!(codes(&plan), [(Severity::Note, Code::OtherName)]);
        assert!(plan.report.findings[0].message.contains("0 tasks"));
    }
}

#[test]
fn tasks_left_behind_are_restarted_and_no_others() {
    let (new, old) = (image("16", 'b'), image("16", 'a'));
    let mut world = World::new('b');
    world
        .wants("pg-1", &[])
        .runs("pg-1", &new, &[("n1", &new), ("n2", &old), ("n3", &old)]);
    let plan = planned(&world);
    let (update, reasons) = only_update(&plan);
    assert_eq!(
        reasons,
        ["2 of 3 tasks run another build than the service asks for"]
    );
    assert_eq!((update.restarts.tasks, update.restarts.nodes.len()), (2, 2));
    assert_eq!(update.image.from, update.image.to);
    // The label makes the update a real one: a no-op would destroy PreviousSpec and do nothing.
    assert!(update.labels.contains_key("dev.imgstack.plan"));
    assert_eq!(codes(&plan), []);
}

#[test]
fn mixed_tasks_keep_the_name_they_have() {
    let (named, old) = (image("16-abc1234", 'b'), image("16", 'a'));
    let mut world = World::new('b');
    world
        .wants("pg-1", &[])
        .runs("pg-1", &named, &[("n1", &named), ("n2", &old)]);
    let plan = planned(&world);
    let (update, _) = only_update(&plan);
    assert_eq!(update.image.to, named);
    assert_eq!(update.restarts.to_string(), "1 task on n2");
}

#[test]
fn a_pin_is_held_by_tag_and_by_digest() {
    let mut world = World::new('b');
    world.both("pg-1", &[], &image("16", 'a'));
    world.pin(Pin::Tag("16-abc1234".parse().unwrap()));
    let plan = planned(&world);
    let (update, reasons) = only_update(&plan);
    assert_eq!(update.image.to, image("16-abc1234", 'b'));
    assert_eq!(reasons, ["the spec pins `16-abc1234`"]);

    world.pin(Pin::Digest(digest('b')));
    let plan = planned(&world);
    let (update, _) = only_update(&plan);
    assert_eq!(update.image.to, image("16", 'b'));
}

#[test]
fn platforms_follow_the_image_where_there_are_any() {
    let mut world = World::new('b');
    world.build('b', &["linux/amd64", "linux/arm64/v8", "linux/arm64"]);
    world.both("pg-1", &[], &image("16", 'a'));
    assert_eq!(only_update(&planned(&world)).0.platforms, None);

    world.service("pg-1").platforms = vec![platform("linux/amd64")];
    let plan = planned(&world);
    let change = only_update(&plan).0.platforms.clone().unwrap();
    assert_eq!(
        change.to,
        [platform("linux/amd64"), platform("linux/arm64")]
    );
}

/// Unknown is not absent, and neither is "up to date" (invariant 3).
#[test]
fn without_an_answer_nothing_is_planned_and_it_is_said() {
    let cases = [
        (
            Observed::Unknown(trouble("connection refused")),
            Code::ImageUnknown,
        ),
        (
            Observed::Absent(trouble("no tag `16`")),
            Code::ImageNotFound,
        ),
    ];
    for (answer, code) in cases {
        // Even a service that would be up to date is blocked: nobody knows.
        for running in [image("16", 'a'), image("16", 'b')] {
            let mut world = World::new('b');
            world.both("pg-1", &[], &running);
            world.registry(answer.clone());
            let plan = planned(&world);
            assert!(plan.steps.is_empty());
            assert!(plan.report.is_blocked());
            assert!(codes(&plan).contains(&(Severity::Blocked, code)));
        }
    }
    let mut world = World::new('b');
    world.wants("pg-1", &[]);
    world.inventory.services = Known::Unknown(trouble("no answer"));
    let plan = planned(&world);
    assert!(plan.steps.is_empty());
    assert!(codes(&plan).contains(&(Severity::Blocked, Code::SwarmUnknown)));
}

#[test]
fn a_build_that_cannot_be_read_is_not_rolled_out() {
    let mut world = World::new('b');
    world.both("pg-1", &[], &image("16", 'a'));
    let gone = Known::Unknown(trouble("the manifest for linux/amd64 was deleted"));
    world.inventory.builds.insert(digest('b'), gone);
    let plan = planned(&world);
    assert!(plan.steps.is_empty());
    assert_eq!(codes(&plan), [(Severity::Blocked, Code::ImageUnknown)]);
}

#[test]
fn a_missing_service_is_named_with_the_nearest_and_blocks_nothing_else() {
    let mut world = World::new('b');
    world.wants("pg-l", &[]);
    world.both("pg-1", &[], &image("16", 'a'));
    let plan = planned(&world);
    assert_eq!(plan.steps.len(), 1);
    let finding = &plan.report.findings[0];
    assert_eq!(
        (finding.severity, finding.code),
        (Severity::Blocked, Code::ServiceNotFound)
    );
    assert_eq!(finding.hint.as_deref(), Some("did you mean `pg-1`?"));
}

#[test]
fn what_others_are_doing_is_left_alone() {
    for state in [UpdateState::Updating, UpdateState::RollbackStarted] {
        let mut world = World::new('b');
        world.both("pg-1", &[], &image("16", 'a'));
        world.status("pg-1", state);
        let plan = planned(&world);
        assert!(plan.steps.is_empty());
        assert_eq!(codes(&plan), [(Severity::Blocked, Code::UpdateInProgress)]);
    }
}

#[test]
fn a_job_is_never_run_again() {
    let mut world = World::new('b');
    world.both("pg-1", &[], &image("16", 'a'));
    world.service("pg-1").mode = ServiceMode::Job;
    let plan = planned(&world);
    assert!(plan.steps.is_empty());
    assert_eq!(codes(&plan), [(Severity::Blocked, Code::ServiceIsJob)]);
}

#[test]
fn a_build_without_the_nodes_platform_is_blocked_or_warned_of() {
    let mut world = World::new('b');
    world.both("pg-1", &[], &image("16", 'a'));
    world.build('b', &["linux/arm64"]);
    let plan = planned(&world);
    assert!(plan.steps.is_empty());
    assert_eq!(codes(&plan), [(Severity::Blocked, Code::PlatformMissing)]);

    // Another node could run it: the task would move there.
    world.node("n4", "linux/arm64");
    let plan = planned(&world);
    assert_eq!(plan.steps.len(), 1);
    assert_eq!(codes(&plan), [(Severity::Attention, Code::PlatformMissing)]);
}

/// The node would run it, and the scheduler keeps it away where the service
/// says on which platforms it may be.
#[test]
fn a_node_runs_386_where_the_scheduler_does_not_look() {
    let mut world = World::new('b');
    world.both("pg-1", &[], &image("16", 'a'));
    world.build('b', &["linux/386"]);
    let plan = planned(&world);
    assert_eq!(plan.steps.len(), 1);
    assert!(plan.report.findings.is_empty());

    world.service("pg-1").platforms = vec![platform("linux/amd64")];
    let plan = planned(&world);
    assert!(plan.steps.is_empty());
    assert_eq!(codes(&plan), [(Severity::Blocked, Code::PlatformMissing)]);
}

#[test]
fn an_arm64_node_takes_an_image_that_names_the_variant() {
    let mut world = World::new('b');
    world.build('b', &["linux/arm64/v8"]);
    for host in ["n1", "n2", "n3"] {
        world.node(host, "linux/arm64");
    }
    world.both("pg-1", &[], &image("16", 'a'));
    let plan = planned(&world);
    assert_eq!(plan.steps.len(), 1);
    assert!(plan.report.findings.is_empty());
}

#[test]
fn a_service_no_longer_in_the_spec_is_mentioned() {
    let mut world = World::new('b');
    world.runs("pg-9", &image("16", 'a'), &[]);
    world
        .service("pg-9")
        .labels
        .insert("dev.imgstack.stack".into(), "db".into());
    let plan = planned(&world);
    assert!(plan.steps.is_empty());
    assert_eq!(codes(&plan), [(Severity::Attention, Code::NotInSpec)]);
}

/// Nothing is left to send, and it is not what the spec asks for either.
#[test]
fn a_service_that_asks_for_the_wanted_build_and_does_not_run_is_not_up_to_date() {
    let new = image("16", 'b');
    let mut world = World::new('b');
    world.wants("pg-1", &[]);
    world.runs("pg-1", &new, &[("n1", &new), ("n2", &new)]);
    let task = &mut world.service("pg-1").tasks[0];
    task.running = false;
    task.state = "ready".to_owned();
    world.service("pg-1").failure = Some("task: non-zero exit (1)".to_owned());
    let plan = planned(&world);
    assert!(plan.steps.is_empty() && plan.report.is_blocked());
    let finding = &plan.report.findings[0];
    assert_eq!(
        finding.message,
        "asks for the wanted build, and 1 of 2 tasks run: task: non-zero exit (1)"
    );
    assert!(
        finding
            .hint
            .as_ref()
            .unwrap()
            .contains("docker service ps --no-trunc pg-1")
    );

    // Restarts are given up: there is no task that is meant to run any more.
    world.service("pg-1").tasks.clear();
    assert_eq!(
        codes(&planned(&world)),
        [(Severity::Blocked, Code::NotRunning)]
    );
    // Somebody scaled it to nothing.
    world.service("pg-1").desired = 0;
    assert!(planned(&world).report.findings.is_empty());
    // With another build wanted there is something to send.
    let mut world = World::new('c');
    world.both("pg-1", &[], &new);
    world.service("pg-1").tasks[0].running = false;
    assert_eq!(planned(&world).steps.len(), 1);
}

/// The engine does not touch a global service's task on a paused node.
#[test]
fn a_paused_node_keeps_a_global_services_task_and_holds_nothing_up() {
    let (new, old) = (image("16", 'b'), image("16", 'a'));
    let mut world = World::new('b');
    world.wants("pg-1", &[]);
    world.runs("pg-1", &new, &[("n1", &new), ("n2", &old)]);
    world.service("pg-1").mode = ServiceMode::Global;
    assert_eq!(planned(&world).steps.len(), 1);
    world.set_active("n2", false);
    world.service("pg-1").desired = 1;
    let plan = planned(&world);
    assert!(plan.steps.is_empty());
    assert_eq!(codes(&plan), [(Severity::Attention, Code::NodePaused)]);
    assert!(plan.report.findings[0].message.contains("n2"));

    world.service("pg-1").image.clone_from(&old);
    world.service("pg-1").tasks[0].image.clone_from(&old);
    let plan = planned(&world);
    let (update, _) = only_update(&plan);
    assert_eq!(
        (update.restarts.tasks, &*update.restarts.nodes),
        (1, &["n1".parse().unwrap()][..])
    );
    assert_eq!(codes(&plan), [(Severity::Attention, Code::NodePaused)]);
    // The task that stays does not stand in for one that is missing.
    world.service("pg-1").image.clone_from(&new);
    world.service("pg-1").tasks[0].image.clone_from(&new);
    world.service("pg-1").tasks[0].running = false;
    world.service("pg-1").desired = 1;
    let plan = planned(&world);
    assert!(
        codes(&plan).contains(&(Severity::Blocked, Code::NotRunning)),
        "{plan:?}"
    );
    world.service("pg-1").tasks[0].running = true;
    world.service("pg-1").image.clone_from(&old);
    world.service("pg-1").tasks[0].image.clone_from(&old);
    // Of a service with replicas it is moved to another node.
    world.service("pg-1").mode = ServiceMode::Replicated(2);
    assert_eq!(only_update(&planned(&world)).0.restarts.tasks, 2);
}

/// An update that leaves the image as it is takes the engine's way back.
#[test]
fn a_rollout_that_stopped_half_way_is_not_pushed_on() {
    let (new, old) = (image("16", 'b'), image("16", 'a'));
    for state in [UpdateState::Paused, UpdateState::RollbackPaused] {
        let mut world = World::new('b');
        world.wants("pg-1", &[]);
        world.runs("pg-1", &new, &[("n1", &new), ("n2", &old)]);
        world.status("pg-1", state);
        let plan = planned(&world);
        assert!(plan.steps.is_empty());
        assert_eq!(codes(&plan)[0], (Severity::Blocked, Code::StoppedHalfWay));
        assert!(plan.report.findings[0].message.contains("1 of 2 tasks"));
        // Another build is a way out.
        world.registry(Observed::Present(digest('c')));
        let plan = planned(&world);
        assert_eq!(only_update(&plan).0.restarts.tasks, 2);
    }
}
