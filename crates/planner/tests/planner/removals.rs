//! What goes from nodes, and what never does.

use imgstack_planner::{Action, GoodBuild, Known, Observed, References, StackPlan, UnreadRelease};

use crate::held::{failed, history};
use crate::nodes::{after, again, world};
use crate::support::{World, digest, ids, image, said, trouble};

/// A world where `pg` runs `a`, every node holds many builds, and `keep` is set.
fn hoard(keep: u32) -> World {
    let mut world = world('a');
    world.stack.images[0].keep = Some(keep);
    for host in ["n1", "n2", "n3"] {
        world.holds(
            host,
            &[('a', 7), ('c', 14), ('d', 21), ('e', 28), ('f', 35)],
        );
    }
    world
}

fn removed(plan: &StackPlan, host: &str) -> String {
    let removed = plan.steps.iter().filter_map(|step| match &step.action {
        Action::RemoveImage(remove) if remove.node.as_str() == host => {
            Some(remove.digest.as_str().chars().nth(7).unwrap())
        }
        _ => None,
    });
    removed.collect()
}

#[test]
fn old_builds_go_last_and_only_what_nobody_needs() {
    for (keep, expected) in [(1, "cdef"), (2, "def"), (3, "ef"), (5, ""), (9, "")] {
        assert_eq!(
            removed(&hoard(keep).planned(), "n2"),
            expected,
            "keep: {keep}"
        );
    }
    type Change = fn(&mut World);
    let cases: [(&str, Change, &str); 7] = [
        ("a container uses it", |it| used(it, 3), "cdf"),
        (
            "a service refers to it",
            |it| refer(it, "other", 'd', None),
            "cef",
        ),
        (
            "a service would go back to it",
            |it| refer(it, "pg", 'a', Some('f')),
            "cde",
        ),
        (
            "a task runs it",
            |it| it.service("pg").tasks[0].image = image("old", 'e'),
            "cdf",
        ),
        ("its date is not known", |it| dateless(it, 2), "cef"),
        (
            "the registry does not answer",
            |it| it.registry(Observed::Unknown(trouble("down"))),
            "",
        ),
        ("no `keep`", |it| it.stack.images[0].keep = None, ""),
    ];
    for (what, change, expected) in cases {
        let mut world = hoard(1);
        change(&mut world);
        let plan = world.planned();
        let removed: String = removed(&plan, "n2").chars().filter(|c| *c != 'a').collect();
        assert_eq!(removed, expected, "{what}");
    }
}

fn stored(world: &mut World, index: usize) -> &mut imgstack_planner::StoredBuild {
    let Some(Known::Known(engine)) = &mut world.observed_node("n2").engine else {
        panic!("no engine")
    };
    &mut engine.images.values_mut().next().unwrap()[index]
}

fn used(world: &mut World, index: usize) {
    stored(world, index).in_use = true;
}

fn dateless(world: &mut World, index: usize) {
    stored(world, index).created = None;
}

fn refer(world: &mut World, service: &str, now: char, previous: Option<char>) {
    let references = References {
        image: image("16", now),
        previous: previous.map(|digit| image("16", digit)),
    };
    world
        .inventory
        .references
        .insert(service.to_owned(), references);
}

#[test]
fn the_plan_after_an_update_with_removals_is_empty() {
    let mut world = hoard(2);
    world.registry(Observed::Present(digest('b')));
    world.build('b', &["linux/amd64"]);
    refer(&mut world, "pg", 'a', Some('c'));
    let plan = world.planned();
    assert_eq!(removed(&plan, "n1"), "cdef");
    let removals = ids(&plan).iter().rposition(|id| !id.starts_with("remove"));
    assert_eq!(removals, Some(3), "removals come last: {:?}", ids(&plan));
    let last = plan.steps.last().unwrap().id.to_string();
    assert_eq!(
        after(&plan, &last),
        [
            "pull node.n1 image.pg",
            "pull node.n2 image.pg",
            "pull node.n3 image.pg",
            "update service.pg"
        ]
    );
    // As the apply leaves the world.
    let new = image("16", 'b');
    world.runs("pg", &new, &[("n1", &new)]);
    world.allows("pg", &["n1", "n2", "n3"]);
    refer(&mut world, "pg", 'b', Some('a'));
    for host in ["n1", "n2", "n3"] {
        world.holds(host, &[('b', 0), ('a', 7)]);
    }
    let plan = world.planned();
    assert_eq!((ids(&plan), said(&plan)), (vec![], vec![]));
}

/// `pg` and `old` are images of one repository; `old` follows the tag `15`.
fn two_images_of_a_repository(keep: Option<u32>) -> World {
    let mut world = hoard(1);
    let mut other = world.stack.images[0].clone();
    other.name = "old".parse().unwrap();
    other.follow = imgstack_spec::Follow::Tag("15".parse().unwrap());
    other.keep = keep;
    let mut asked = world.inventory.images.values().next().unwrap().clone();
    asked.digest = Observed::Present(digest('e'));
    world.inventory.images.insert(other.name.clone(), asked);
    world.stack.images.push(other);
    world
}

#[test]
fn images_of_one_repository_are_judged_together() {
    assert_eq!(
        removed(&two_images_of_a_repository(None).planned(), "n2"),
        ""
    );
    // What the other one wants stays, and the larger number counts.
    assert_eq!(
        removed(&two_images_of_a_repository(Some(1)).planned(), "n2"),
        "cdf"
    );
    assert_eq!(
        removed(&two_images_of_a_repository(Some(3)).planned(), "n2"),
        "f"
    );
    let mut world = two_images_of_a_repository(Some(1));
    let old = "old".parse().unwrap();
    world.inventory.images.get_mut(&old).unwrap().digest = Observed::Unknown(trouble("down"));
    assert_eq!(removed(&world.planned(), "n2"), "");
}

#[test]
fn what_another_stack_wants_stays() {
    let repository = crate::support::REPOSITORY
        .parse::<imgstack_spec::Repository>()
        .unwrap();
    for (wanted, expected) in [
        (Known::Known([digest('d')].into()), "cef"),
        (Known::Unknown(trouble("down")), ""),
    ] {
        let mut world = hoard(1);
        world
            .inventory
            .wanted_elsewhere
            .insert(repository.clone(), wanted);
        assert_eq!(removed(&world.planned(), "n2"), expected);
    }
}

/// A reference without a digest means whatever the tag means on the node.
#[test]
fn a_build_that_a_bare_tag_means_stays() {
    let mut world = hoard(1);
    let stored = stored(&mut world, 2);
    stored.tags = vec!["15".parse().unwrap()];
    let references = References {
        image: "ghcr.io/acme/pg:15".to_owned(),
        previous: None,
    };
    world
        .inventory
        .references
        .insert("legacy".to_owned(), references);
    assert_eq!(removed(&world.planned(), "n2"), "cef");
}

#[test]
fn two_images_of_one_repository_remove_a_build_once_and_keep_each_others() {
    let mut world = hoard(1);
    again(&mut world);
    world.stack.services.pop();
    let mut means = |answer| {
        let images = &mut world.inventory.images;
        images.get_mut(&"again".parse().unwrap()).unwrap().digest = answer;
        removed(&world.planned(), "n2")
    };
    // What `again` means stays, though nothing runs it.
    assert_eq!(means(Observed::Present(digest('d'))), "cef");
    assert_eq!(means(Observed::Unknown(trouble("down"))), "");
}

/// `pg` ran that build well, as a release shows.
fn good(world: &mut World, digit: char, release: u64) {
    let past = history(world).services.entry("pg".parse().unwrap());
    past.or_default().good.push(GoodBuild {
        digest: digest(digit),
        image: image("16", digit).parse().unwrap(),
        at: "2026-02-01T06:00:00Z".parse().unwrap(),
        release,
        converged: true,
    });
}

fn unread(world: &mut World, number: u64) {
    history(world).unreadable.push(UnreadRelease {
        number,
        why: "spoilt".to_owned(),
    });
}

/// The way back is the last good build beside the wanted one, that failed for no
/// service of the image.
#[test]
fn the_way_back_stays_however_few_are_kept() {
    type Change = fn(&mut World);
    let kept = |why: &str| {
        format!(
            "attention image.pg: old builds stay on the nodes: {why}, so that it is not known which one to go back to"
        )
    };
    let unread_page = kept("a release of the journal cannot be read");
    let table: [(&str, Change, &str, &str); 9] = [
        ("nothing is known of builds", |_| {}, "cdef", ""),
        ("the wanted one alone", |it| good(it, 'a', 3), "cdef", ""),
        (
            "the wanted one, and one before it",
            |it| {
                good(it, 'a', 3);
                good(it, 'd', 2);
            },
            "cef",
            "",
        ),
        (
            "of two the last",
            |it| {
                good(it, 'd', 2);
                good(it, 'e', 1);
            },
            "cef",
            "",
        ),
        (
            "one failed for another service",
            |it| {
                good(it, 'd', 2);
                good(it, 'e', 1);
                it.both("pg-2", &[], &image("16", 'a'));
                failed(it, "pg-2", 'd', 2);
            },
            "cdf",
            "",
        ),
        (
            "an older release is not read",
            |it| {
                good(it, 'd', 2);
                unread(it, 1);
            },
            "cef",
            "",
        ),
        (
            "a newer release is not read",
            |it| {
                good(it, 'd', 2);
                unread(it, 3);
            },
            "",
            &unread_page,
        ),
        (
            "the only release is not read",
            |it| unread(it, 1),
            "",
            &unread_page,
        ),
        (
            "the journal is unknown",
            |it| {
                it.inventory.history = Known::Unknown(trouble("403"));
            },
            "",
            &kept("the journal cannot be read (403)"),
        ),
    ];
    for (what, change, expected, told) in table {
        let mut world = hoard(1);
        change(&mut world);
        let plan = world.planned();
        assert_eq!(removed(&plan, "n2"), expected, "{what}");
        let is_told = |it: &String| it.contains("old builds stay");
        let said: Vec<_> = said(&plan).into_iter().filter(is_told).collect();
        assert_eq!(said.concat(), told, "{what}");
    }
}
