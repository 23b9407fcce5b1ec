//! Which node holds which build, as a plan tells it.

use imgstack_planner::{Known, Only, StackPlan};

use crate::support::{World, image, trouble};

/// "image digit: node state, …"; the wanted build has a `*`.
fn told(plan: &StackPlan) -> Vec<String> {
    let rows = plan.holdings.iter().map(|row| {
        let nodes = row.nodes.iter().map(|(node, held)| {
            let held = serde_json::to_value(held).unwrap();
            format!("{node} {}", held.as_str().unwrap())
        });
        let nodes: Vec<String> = nodes.collect();
        let digit = row.digest.as_str().chars().last().unwrap();
        let star = if row.wanted { "*" } else { "" };
        format!("{} {digit}{star}: {}", row.image, nodes.join(", "))
    });
    rows.collect()
}

/// One service on `n1` that may also run on `n2`; the tag has moved from a to b.
fn moved() -> World {
    let mut world = World::new('b');
    world.both("db", &[], &image("16", 'a'));
    world.allows("db", &["n1", "n2"]);
    world
}

#[test]
fn engines_tell_what_is_held_and_steps_what_will_be() {
    let mut world = moved();
    world.holds("n1", &[('a', 9)]);
    world.holds("n2", &[('a', 9), ('b', 1)]);
    assert_eq!(
        told(&world.planned()),
        ["pg b*: n1 pulls, n2 holds", "pg a: n1 holds, n2 holds"]
    );
}

#[test]
fn what_goes_is_a_row_of_its_own() {
    let mut world = World::new('b');
    world.both("db", &[], &image("16", 'b'));
    world.allows("db", &["n1"]);
    world.stack.images[0].keep = Some(1);
    world.holds("n1", &[('b', 1), ('c', 5)]);
    // It may not run there, and holds it all the same.
    world.holds("n3", &[('b', 1)]);
    assert_eq!(
        told(&world.planned()),
        ["pg b*: n1 holds, n3 holds", "pg c: n1 goes"]
    );
}

#[test]
fn without_an_engine_a_running_task_tells_and_all_else_is_unknown() {
    let mut world = moved();
    world.observed_node("n2").engine = Some(Known::Unknown(trouble("no route to host")));
    let told = told(&world.planned());
    assert_eq!(told[1], "pg a: n1 holds");
    let mut world = World::new('a');
    world.both("db", &[], &image("16", 'a'));
    world.allows("db", &["n1", "n2"]);
    assert_eq!(
        self::told(&world.planned()),
        ["pg a*: n1 holds, n2 unknown"]
    );
}

/// For people alone: it moves neither the hash nor what a plan is bound to.
#[test]
fn what_nodes_hold_besides_is_not_what_a_plan_is_bound_to() {
    let mut world = moved();
    world.holds("n1", &[('b', 1)]);
    world.holds("n2", &[('b', 1)]);
    let before = world.planned();
    world.holds("n2", &[('a', 9), ('b', 1)]);
    let after = world.planned();
    assert_ne!(before.holdings, after.holdings);
    assert_eq!(before.hash, after.hash);
    assert!(imgstack_planner::drift(&before, &after).is_empty());
}

#[test]
fn nothing_is_told_where_it_is_not_known_or_not_asked() {
    let mut world = moved();
    world.credential("f1");
    assert!(told(&world.planned_with(&[], Only::Credentials)).is_empty());
    world.inventory.nodes = Known::Unknown(trouble("no manager"));
    assert!(told(&world.planned()).is_empty());
}
