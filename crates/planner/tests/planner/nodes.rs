//! What nodes must hold, their disks, and what goes from them.

use imgstack_planner::{
    Action, Availability, Disk, Known, Leftover, Observed, Only, ServiceMode, StackPlan,
    TargetError, Via, check_target_nodes,
};

use crate::support::{World, digest, ids, image, said, trouble};

/// `pg` runs the build `a` on n1 and may run on all three nodes, each of which
/// has an engine that answers.
pub fn world(wanted: char) -> World {
    let mut world = World::new(wanted);
    world.both("pg", &[], &image("16", 'a'));
    world.build('a', &["linux/amd64"]);
    world.allows("pg", &["n1", "n2", "n3"]);
    for host in ["n1", "n2", "n3"] {
        world.holds(host, &[('a', 7)]);
    }
    world
}

pub fn after(plan: &StackPlan, id: &str) -> Vec<String> {
    let step = plan.steps.iter().find(|step| step.id.to_string() == id);
    let step = step.unwrap_or_else(|| panic!("no {id} in {:?}", ids(plan)));
    step.after.iter().map(ToString::to_string).collect()
}

#[test]
fn a_new_build_is_pulled_everywhere_before_the_service_is_touched() {
    let mut world = world('b');
    world.size('b', 112);
    let plan = world.planned();
    let pulls = ["n1", "n2", "n3"].map(|host| format!("pull node.{host} image.pg"));
    assert_eq!(
        ids(&plan),
        [&pulls[..], &["update service.pg".to_owned()]].concat()
    );
    assert_eq!(after(&plan, "update service.pg"), pulls);
    let Action::PullImage(pull) = &plan.steps[1].action else {
        panic!("no pull")
    };
    assert_eq!(pull.reference.to_string(), image("16", 'b'));
    assert_eq!(pull.bytes, Some(112 << 20));
    assert_eq!(pull.via, Via::Engine("ssh://root@n2".parse().unwrap()));
    assert_eq!(pull.node_id, "id-n2");
    assert_eq!(said(&plan), Vec::<String>::new());
}

#[test]
fn a_node_that_lost_the_image_gets_it_back_though_no_tag_moved() {
    let mut world = world('a');
    world.holds("n2", &[]);
    let plan = world.planned();
    assert_eq!(ids(&plan), ["pull node.n2 image.pg"]);
    assert_eq!(
        plan.steps[0].reasons,
        ["does not hold the image; a restart there would fail without the registry"]
    );
    world.holds("n2", &[('a', 7)]);
    assert_eq!(ids(&world.planned()), Vec::<String>::new());
}

/// A second image of the spec that means the same build, under another tag.
pub fn again(world: &mut World) {
    let mut other = world.stack.images[0].clone();
    other.name = "again".parse().unwrap();
    other.follow = imgstack_spec::Follow::Tag("latest".parse().unwrap());
    let mut asked = world.inventory.images.values().next().unwrap().clone();
    asked.reference = other.reference().unwrap();
    world.inventory.images.insert(other.name.clone(), asked);
    world.stack.images.push(other);
    world.both("web", &[], &image("latest", 'a'));
    world.stack.services[1].image = "again".parse().unwrap();
    world.allows("web", &["n2", "n3"]);
}

#[test]
fn two_images_that_mean_one_build_are_pulled_once() {
    let mut world = world('b');
    world.allows("pg", &["n1", "n2"]);
    again(&mut world);
    let plan = world.planned();
    let pulls = [
        "pull node.n1 image.pg",
        "pull node.n2 image.pg",
        "pull node.n3 image.again",
    ];
    assert_eq!(
        ids(&plan),
        [&pulls[..], &["update service.pg", "update service.web"]].concat()
    );
    assert_eq!(after(&plan, "update service.pg"), pulls[..2]);
    assert_eq!(after(&plan, "update service.web"), pulls[1..]);
}

/// (what is different, the pulls)
#[test]
fn only_nodes_that_may_run_a_service_pull() {
    type Change = fn(&mut World);
    let cases: [(&str, Change, &[&str]); 6] = [
        ("nothing", |_| {}, &["n1", "n2", "n3"]),
        (
            "constraints",
            |it| it.allows("pg", &["n1", "n3"]),
            &["n1", "n3"],
        ),
        (
            "another platform",
            |it| it.node("n2", "linux/arm64"),
            &["n1", "n3"],
        ),
        (
            "a pause",
            |it| it.observed_node("n2").availability = Availability::Pause,
            &["n1", "n3"],
        ),
        (
            "a drain",
            |it| it.observed_node("n2").availability = Availability::Drain,
            &["n1", "n3"],
        ),
        (
            "it is down",
            |it| it.observed_node("n2").ready = false,
            &["n1", "n3"],
        ),
    ];
    for (what, change, hosts) in cases {
        let mut world = world('b');
        change(&mut world);
        let plan = world.planned();
        let mut expected: Vec<String> = hosts
            .iter()
            .map(|it| format!("pull node.{it} image.pg"))
            .collect();
        expected.push("update service.pg".to_owned());
        assert_eq!(ids(&plan), expected, "{what}");
    }
}

#[test]
fn a_node_that_is_away_is_told_of_and_not_waited_for() {
    for (moved, state, severity) in [
        (true, "is down", "attention"),
        (false, "is down", "attention"),
        (true, "is drained", "note"),
    ] {
        let mut world = world(if moved { 'b' } else { 'a' });
        match state {
            "is down" => world.observed_node("n3").ready = false,
            _ => world.set_active("n3", false),
        }
        assert_eq!(
            said(&world.planned()),
            [format!(
                "{severity} node.n3: {state}: it is not waited for, and may lack image.pg"
            )]
        );
    }
    // One that is kept from tasks on purpose is no news while nothing moves.
    let mut world = world('a');
    world.set_active("n3", false);
    assert_eq!(said(&world.planned()), Vec::<String>::new());
}

#[test]
fn without_a_way_to_its_engine_a_node_pulls_through_the_manager_when_a_service_moves() {
    let mut world = world('b');
    world.observed_node("n3").engine = None;
    let plan = world.planned();
    let Action::PullImage(pull) = &plan.steps[2].action else {
        panic!("no pull")
    };
    assert_eq!((pull.node.as_str(), &pull.via), ("n3", &Via::Manager));
    assert_eq!(after(&plan, "update service.pg").len(), 3);
    // What it holds cannot be seen, so a plan that moves nothing leaves it, or
    // the plan after an apply would not be empty.
    world.registry(Observed::Present(digest('a')));
    let plan = world.planned();
    assert_eq!(ids(&plan), Vec::<String>::new());
    assert_eq!(
        said(&plan),
        ["note image.pg: whether n3 holds it is not known"]
    );
    // A task that runs there holds the image fast.
    world.service("pg").tasks[0].node = Some("n3".parse().unwrap());
    assert_eq!(said(&world.planned()), Vec::<String>::new());
}

#[test]
fn an_engine_that_does_not_answer_is_unknown_and_not_empty() {
    let mut world = world('a');
    world.observed_node("n2").engine = Some(Known::Unknown(trouble("ssh: connection refused")));
    let plan = world.planned();
    assert_eq!(ids(&plan), Vec::<String>::new());
    assert_eq!(
        said(&plan),
        ["blocked node.n2: what it holds is not known: ssh: connection refused"]
    );
    assert!(plan.report.is_blocked());
    // An update does not wait for it: the manager reaches the node.
    world.registry(Observed::Present(digest('b')));
    let plan = world.planned();
    let via = plan.steps.iter().find_map(|step| match &step.action {
        Action::PullImage(pull) if pull.node.as_str() == "n2" => Some(pull.via.clone()),
        _ => None,
    });
    assert_eq!(via, Some(Via::Manager));
}

/// (free MiB, minimumFreeDisk in MiB, MiB to fetch, what is said)
#[test]
fn a_disk_without_room_blocks_with_figures() {
    let cases = [
        (300, 0, 112, None),
        (224, 0, 112, None),
        (
            223,
            0,
            112,
            Some(
                "has 223 MiB free of 290 MiB; image.pg needs about 224 MiB (112 MiB to fetch, and as much unpacked)",
            ),
        ),
        (
            280,
            100,
            112,
            Some(
                "has 280 MiB free of 290 MiB; image.pg needs about 224 MiB (112 MiB to fetch, and as much unpacked), and minimumFreeDisk keeps 100 MiB",
            ),
        ),
        // How much is to be fetched is not known; less than the minimum is.
        (
            50,
            100,
            0,
            Some(
                "has 50 MiB free of 290 MiB; image.pg is to be pulled, and minimumFreeDisk keeps 100 MiB",
            ),
        ),
    ];
    for (free, minimum, fetched, expected) in cases {
        let mut world = world('b');
        if fetched > 0 {
            world.size('b', fetched);
        }
        world.holds("n2", &[('a', 7)]).disk = Known::Known(Disk {
            free: free << 20,
            total: 290 << 20,
        });
        if minimum > 0 {
            world.observed_node("n2").minimum_free_disk =
                Some(format!("{minimum}MiB").parse().unwrap());
        }
        let plan = world.planned();
        let Some(expected) = expected else {
            assert_eq!(said(&plan), Vec::<String>::new());
            assert_eq!(plan.steps.len(), 4);
            continue;
        };
        assert_eq!(
            said(&plan),
            [
                format!("blocked node.n2: {expected}"),
                "blocked service.pg: waits for node.n2, which has no room for the image".to_owned(),
            ]
        );
        // The others may still get what they will need.
        assert_eq!(
            ids(&plan),
            ["pull node.n1 image.pg", "pull node.n3 image.pg"]
        );
    }
}

#[test]
fn a_low_disk_is_told_before_anything_is_to_be_pulled() {
    let mut world = world('a');
    world.holds("n1", &[('a', 7)]).disk = Known::Known(Disk {
        free: 1 << 30,
        total: 20 << 30,
    });
    world.observed_node("n1").minimum_free_disk = Some("5GiB".parse().unwrap());
    assert_eq!(
        said(&world.planned()),
        ["attention node.n1: has 1 GiB free of 20 GiB, less than the 5 GiB of minimumFreeDisk"]
    );
}

#[test]
fn a_disk_that_cannot_be_looked_at_is_told_where_it_matters() {
    let mut world = world('b');
    world.holds("n1", &[('a', 7)]).disk = Known::Unknown(trouble("only ssh tells"));
    assert_eq!(said(&world.planned()), Vec::<String>::new());
    world.observed_node("n1").minimum_free_disk = Some("5GiB".parse().unwrap());
    let plan = world.planned();
    assert_eq!(
        said(&plan),
        ["note node.n1: how much of its disk is free is not known: only ssh tells"]
    );
    assert_eq!(plan.steps.len(), 4);
}

#[test]
fn a_service_that_does_not_run_for_lack_of_its_image_is_helped() {
    let mut world = world('a');
    world.holds("n1", &[]);
    let task = &mut world.service("pg").tasks[0];
    (task.running, task.state) = (false, "rejected".to_owned());
    task.error = Some("No such image".to_owned());
    let plan = world.planned();
    assert_eq!(ids(&plan), ["pull node.n1 image.pg"]);
    assert_eq!(
        said(&plan),
        [
            "attention service.pg: asks for the wanted build, and 0 of 1 tasks run: No such image; node.n1 pulls what it may be waiting for"
        ]
    );
    assert!(!plan.report.is_blocked());
    // With the image in its place, something else is wrong.
    world.holds("n1", &[('a', 7)]);
    assert!(world.planned().report.is_blocked());
}

#[test]
fn targets_take_in_nodes() {
    let mut world = world('b');
    world.both("web", &[], &image("16", 'a'));
    world.allows("web", &["n1"]);
    let plan = world.planned_with(&["node.n2"], Only::Everything);
    assert_eq!(ids(&plan), ["pull node.n2 image.pg"]);
    let plan = world.planned_with(&["service.web"], Only::Everything);
    assert_eq!(ids(&plan), ["pull node.n1 image.pg", "update service.web"]);
    let check = |target: &str| check_target_nodes(&[target.parse().unwrap()], &[&world.inventory]);
    assert_eq!(check("node.n2"), Ok(()));
    let TargetError { target, nearest } = check("node.n22").unwrap_err();
    assert_eq!(
        (target.to_string(), nearest),
        ("node.n22".to_owned(), Some("node.n2".to_owned()))
    );
    world.inventory.nodes = Known::Unknown(trouble("no manager"));
    let unknown = check_target_nodes(&["node.n22".parse().unwrap()], &[&world.inventory]);
    assert_eq!(unknown, Ok(()), "what cannot be asked is not refused");
}

#[test]
fn a_global_service_needs_its_image_on_every_node_it_may_run_on() {
    let mut world = world('a');
    world.service("pg").mode = ServiceMode::Global;
    world.holds("n3", &[]);
    assert_eq!(ids(&world.planned()), ["pull node.n3 image.pg"]);
}

#[test]
fn what_a_killed_apply_left_goes_first_and_what_somebody_elses_does_stays() {
    let name: imgstack_spec::ServiceName = "imgstack-prepull-1f".parse().unwrap();
    // (owner, at work, goes)
    for (owner, busy, goes) in [
        ("ann@host", true, true),
        ("ann@host", false, true),
        ("bob@other", false, true),
        ("bob@other", true, false),
    ] {
        let mut world = world('b');
        let left = Leftover {
            service_id: "id-left".to_owned(),
            owner: owner.to_owned(),
            created: "2026-02-09T05:59:00Z".to_owned(),
            busy,
        };
        world.inventory.leftovers.insert(name.clone(), left);
        let plan = world.planned();
        let gone = ids(&plan)[0] == "remove service.imgstack-prepull-1f";
        assert_eq!(gone, goes, "{owner} {busy}");
        let told = said(&plan)
            .iter()
            .any(|it| it.contains("nodes pull by it now: bob@other"));
        assert_eq!(told, !goes, "{owner} {busy}");
        let targeted = world.planned_with(&["service.pg"], Only::Everything);
        assert_eq!(targeted.steps.len(), 4);
    }
}

/// The node of the incident is told from those that only lack what is new.
#[test]
fn a_node_that_lacks_what_runs_now_is_told_from_one_that_lacks_what_is_new() {
    let mut world = world('b');
    world.holds("n2", &[]);
    let plan = world.planned();
    let reasons: Vec<&str> = plan
        .steps
        .iter()
        .map(|step| step.reasons[0].as_str())
        .collect();
    let first = "gets the build before a service that may run there moves to it";
    assert_eq!(
        reasons,
        [
            first,
            "does not hold the image; a restart there would fail without the registry",
            first,
            "the tag `16` moved"
        ]
    );
}

/// One node that fails stops the services that need it, and not those that only
/// stand behind them in the file.
#[test]
fn file_order_alone_is_no_dependency() {
    let mut world = World::new('b');
    for (name, host) in [("a", "n1"), ("b", "n2")] {
        world.both(name, &[], &image("16", 'a'));
        world.allows(name, &[host]);
        world.holds(host, &[('a', 7)]);
    }
    let plan = world.planned();
    let step = plan
        .steps
        .iter()
        .find(|it| it.id.to_string() == "update service.b")
        .unwrap();
    let words = |list: &[imgstack_planner::StepId]| -> Vec<String> {
        list.iter().map(ToString::to_string).collect()
    };
    assert_eq!(words(&step.after), ["pull node.n2 image.pg"]);
    assert_eq!(words(&step.follows), ["update service.a"]);
}

/// Nodes without a way to their engines pull for a service that moves; where it
/// does not move after all, the next plan would pull again, and the next.
#[test]
fn nobody_pulls_through_the_manager_for_a_service_that_waits() {
    let mut world = World::new('b');
    world
        .both("a", &[], &image("16", 'a'))
        .both("b", &["a"], &image("16", 'a'));
    world.status("a", imgstack_planner::UpdateState::Updating);
    world.allows("b", &["n1", "n2"]);
    assert_eq!(ids(&world.planned()), Vec::<String>::new());
    let targeted = world.planned_with(&["node.n2"], Only::Everything);
    assert_eq!(ids(&targeted), ["pull node.n2 image.pg"]);
}

/// A silent engine is told of, though a task that runs there tells what counts.
#[test]
fn an_engine_that_does_not_answer_is_told_of_though_nothing_is_in_doubt() {
    let mut world = world('a');
    world.observed_node("n1").engine = Some(Known::Unknown(trouble("ssh: no route")));
    let plan = world.planned();
    assert_eq!(
        said(&plan),
        [
            "attention node.n1: what else it holds, its disk and its logins are not known: ssh: no route"
        ]
    );
    assert!(!plan.report.is_blocked());
}
