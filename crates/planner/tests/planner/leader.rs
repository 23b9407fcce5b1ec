//! The leader goes last: order, what blocks, what is said.

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{World, image, said, trouble};
use imgstack_planner::{
    Action, Known, Leader, Only, Place, StackPlan, UpdateService, UpdateState, arrange, drift,
    leaders, to_be_asked,
};
use imgstack_spec::{
    ImageName, LastIf, LeaderChange, Question, Service, ServiceName, Stack, TaskTemplate,
};

fn last_if(before: Option<&str>) -> LastIf {
    let word = |text: &str| text.parse::<TaskTemplate>().unwrap();
    LastIf {
        question: Question::Exec(vec![word("leads")]),
        timeout: imgstack_spec::DEFAULT_ANSWER,
        on_change: LeaderChange::Replan,
        before: before.map(|program| vec![word(program)]),
    }
}

/// Services by words: `a` has `lastIf` and answers no, `a*` answers yes, `a?`
/// does not answer, `a!` was not asked, `-a` has no `lastIf`, `=a` runs the
/// wanted build; `>b` is what its `after` names.
fn world(words: &str) -> World {
    let mut world = World::new('b');
    for service in words.split(", ") {
        let mut parts = service.split(' ');
        let word = parts.next().unwrap();
        let after: Vec<&str> = parts.map(|it| it.strip_prefix('>').unwrap()).collect();
        let name = word.trim_matches(['*', '?', '!', '-', '=']);
        let digit = if word.contains('=') { 'b' } else { 'a' };
        world.both(name, &after, &image("16", digit));
        if word.contains('-') {
            continue;
        }
        let service = world.stack.services.last_mut().unwrap();
        service.last_if = Some(last_if(None));
        let answer = match word.chars().last().unwrap() {
            '*' => Known::Known(true),
            '?' => Known::Unknown(trouble("nobody listens")),
            '!' => continue,
            _ => Known::Known(false),
        };
        let name = name.parse().unwrap();
        world.inventory.leaders.insert(name, answer);
    }
    world
}

/// `c; b ~c; a >b >c`: after, and follows.
fn order(plan: &StackPlan) -> String {
    let name = |id: &imgstack_planner::StepId| id.to_string().replace("update service.", "");
    let steps = plan.steps.iter().map(|step| {
        let after = step.after.iter().map(|id| format!(" >{}", name(id)));
        let follows = step.follows.iter().map(|id| format!(" ~{}", name(id)));
        name(&step.id) + &after.chain(follows).collect::<String>()
    });
    steps.collect::<Vec<_>>().join("; ")
}

fn updates(plan: &StackPlan) -> impl Iterator<Item = &UpdateService> {
    plan.steps.iter().filter_map(|step| match &step.action {
        Action::UpdateService(update) => Some(&**update),
        _ => None,
    })
}

#[test]
fn the_leader_goes_last() {
    let table = [
        ("a*, b, c", "b; c ~b; a >b >c"),
        ("a, b*, c", "a; c ~a; b >a >c"),
        ("a, b, c*", "a; b ~a; c >a >b"),
        // What the spec says is kept, as far as it goes.
        ("a, b, c* >a", "a; b ~a; c >a >b"),
        ("a >b >c, b*, c", "c; a >c; b >a >c"),
        ("a*, b >a, c >b", "b; c >b; a >b >c"),
        // What names only the leader goes as what names nothing.
        ("a*, b >a, c >a", "b; c ~b; a >b >c"),
        ("a* >c, b >a, c", "c; b >c; a >b >c"),
        // What needs no step is looked through.
        ("a*, =b, c", "c; a >c"),
        ("=a*, b, c", "b; c ~b"),
        ("a*, =b, =c", "a"),
        // Of the same image, and not asked: only its place in the file counts.
        ("a*, -n, b", "n; b ~n; a >b"),
        ("a*, b, -n >a", "b; a >b; n >a"),
        // By way of one that is no member.
        ("a*, -n >a, b >n", "b; a >b; n >a"),
        // Nobody: as the spec has it.
        ("a, b, c >a", "a; b ~a; c >a"),
        // Who does not answer, while one says yes, does not lead.
        ("a*, b?, c", "b; c ~b; a >b >c"),
    ];
    for (words, expected) in table {
        let planned = world(words).planned();
        assert_eq!(order(&planned), expected, "{words}");
    }
}

#[test]
fn what_is_said_of_leaders() {
    let table: [(&str, &[&str]); 9] = [
        ("a*, b", &[]),
        (
            "a*, b >a",
            &[
                "note service.b: does not wait for service.a this time, although `after` names it: it answers as the leader, and goes last",
            ],
        ),
        (
            "a*, -n >a, b >n",
            &[
                "note service.b: does not wait for service.n this time, although `after` names it: it comes after service.a, which answers as the leader, and goes last",
            ],
        ),
        // It is not to be moved, so nothing comes before it that should not.
        ("a*, =b >a", &[]),
        (
            "a*, b?",
            &[
                "note service.b: whether it leads is not known (nobody listens); service.a says that it does itself",
            ],
        ),
        (
            "a, b",
            &[
                "attention image.pg: none of its services answers as the leader, so they go in the order of the spec",
            ],
        ),
        ("=a, =b", &[]),
        (
            "a*, b*, c",
            &[
                "blocked service.a: service.a and service.b both answer as the leader",
                "blocked service.b: service.a and service.b both answer as the leader",
            ],
        ),
        (
            "a, b?, c!",
            &[
                "blocked service.b: whether it leads is not known: nobody listens",
                "blocked service.c: whether it leads is not known: it was not asked",
            ],
        ),
    ];
    for (words, expected) in table {
        assert_eq!(said(&world(words).planned()), expected, "{words}");
    }
    let three = world("a*, b*, c*, d").planned();
    assert!(
        said(&three)[0].ends_with("service.a, service.b and service.c all answer as the leader")
    );
}

/// What is not clear does not move, and holds up no other.
#[test]
fn who_is_blocked() {
    let table = [
        ("a*, b*, c", "c"),
        ("a*, =b*, c", "c"),
        ("a, b?, c", "a; c ~a"),
        ("a, b?, c >b", "a"),
        ("a?, b?", ""),
    ];
    for (words, expected) in table {
        let planned = world(words).planned();
        assert_eq!(order(&planned), expected, "{words}");
        assert!(planned.report.is_blocked());
    }
    let unknown = world("a, b?").planned();
    let hints = unknown.report.findings.iter().map(|it| it.hint.as_deref());
    let hint = "see whether its tasks run: imgstack status; then: imgstack plan";
    assert_eq!(hints.collect::<Vec<_>>(), [Some(hint)]);
}

/// To move while a replica cannot, or does not run, would be to go before it,
/// and to leave nobody who could lead.
#[test]
fn a_leader_waits_for_what_is_blocked_in_its_group() {
    type Change = fn(&mut World);
    let goes_on: Change = |it| it.status("b", UpdateState::Updating);
    let is_down: Change = |it| it.service("b").tasks.clear();
    let is_gone: Change = |it| {
        it.services().remove(&"b".parse().unwrap());
    };
    let table: [(&str, Change, &str, &str); 7] = [
        ("a*, b, c", goes_on, "c", "b"),
        ("a*, b, c", is_gone, "c", "b"),
        // It runs the wanted build, and yet not.
        ("a*, =b, c", is_down, "c", "b"),
        // At a remove: what it waits for waits itself.
        ("a*, b, c >b", goes_on, "", "b"),
        // No member of the group, and not named: the leader does not wait.
        ("a*, -b, c", goes_on, "c; a >c", ""),
        // Nobody waits for a replica that only stands before him in the file.
        ("a, b, c*", goes_on, "a", "b"),
        ("=a*, b, c", goes_on, "c", ""),
    ];
    for (words, change, steps, first) in table {
        let mut world = world(words);
        change(&mut world);
        let planned = world.planned();
        assert_eq!(order(&planned), steps, "{words}");
        let leader = words.split(", ").find(|it| it.contains('*')).unwrap();
        let leader = format!("blocked service.{}: ", leader.trim_matches(['*', '=']));
        let said = said(&planned);
        let blocked: Vec<_> = said.iter().filter(|it| it.starts_with(&leader)).collect();
        let expected = format!("{leader}comes after service.{first}, which is blocked");
        match first {
            "" => assert!(blocked.is_empty(), "{words}: {said:?}"),
            _ => assert_eq!(blocked, [&expected], "{words}: {said:?}"),
        }
    }
}

/// Who names a leader alone gets it, and is told what that means.
#[test]
fn a_leader_that_is_targeted_goes_before_what_is_left_out() {
    let table: [(&str, &[&str], &[&str], &str); 4] = [
        (
            "a*, b, c, =d",
            &["service.a"],
            &[
                "attention service.a: answers as the leader, and goes before service.b, service.c, which --target leaves out",
            ],
            "a",
        ),
        ("a*, =b, -n", &["service.a"], &[], "a"),
        ("a*, b", &["service.b"], &[], "b"),
        ("a*, b", &["service.a", "service.b"], &[], "b; a >b"),
    ];
    for (words, targets, expected, steps) in table {
        let planned = world(words).planned_with(targets, Only::Everything);
        assert_eq!(order(&planned), steps, "{words}");
        let said = said(&planned);
        let told = said.iter().filter(|it| !it.starts_with("note swarm: "));
        assert_eq!(told.collect::<Vec<_>>(), expected, "{words}");
        let reasons = planned.steps.iter().flat_map(|step| &step.reasons);
        let is_last = reasons.filter(|it| it.starts_with("last: ")).count();
        assert_eq!(
            is_last,
            usize::from(expected.is_empty() && steps.contains('a')),
            "{words}"
        );
    }
}

#[test]
fn an_update_holds_what_is_asked_again() {
    let planned = world("a*, b, =c, -n").planned();
    let marked: BTreeMap<_, _> = updates(&planned)
        .map(|update| (update.service.as_str(), update.leader.clone()))
        .collect();
    let leader = |led| {
        Some(Leader {
            last_if: last_if(None),
            group: ["a", "b", "c"].map(|it| it.parse().unwrap()).to_vec(),
            led,
        })
    };
    let expected = BTreeMap::from([("a", leader(true)), ("b", leader(false)), ("n", None)]);
    assert_eq!(marked, expected);
    let led = leaders(&planned.stack, updates(&planned));
    let pg: ImageName = "pg".parse().unwrap();
    assert_eq!(led, BTreeMap::from([(pg, "a".parse().unwrap())]));
    let last = planned.steps.last().unwrap();
    assert_eq!(
        last.reasons,
        ["the tag `16` moved", "last: it answers as the leader"]
    );
    let json = serde_json::to_string(&planned).unwrap();
    assert_eq!(serde_json::from_str::<StackPlan>(&json).unwrap(), planned);
    // With the same answers, executing comes to the same order.
    assert_eq!(arranged(&planned, &led), order(&planned));
    assert_eq!(arranged(&planned, &BTreeMap::new()), "a; b ~a; n ~b");
}

fn arranged(plan: &StackPlan, leaders: &BTreeMap<ImageName, ServiceName>) -> String {
    let moving = updates(plan).map(|update| update.service.clone());
    let places = arrange(&plan.stack, leaders, &moving.collect());
    let words = places.iter().map(|place| {
        let after = place.after.iter().map(|it| format!(" >{it}"));
        let follows = place.follows.iter().map(|it| format!(" ~{it}"));
        place.service.to_string() + &after.chain(follows).collect::<String>()
    });
    words.collect::<Vec<_>>().join("; ")
}

/// (services, with `beforeLast`, who is asked)
#[test]
fn only_those_are_asked_whose_answer_can_matter() {
    let table = [
        ("a, b, -n", false, "a b"),
        ("a, =b, =c", false, "a b c"),
        ("=a, =b", false, ""),
        ("=a, =b, -n", false, ""),
        ("a, -n", false, ""),
        ("a, -n", true, "a"),
        ("=a, -n", true, ""),
    ];
    for (words, has_before, expected) in table {
        let mut world = world(words);
        for service in &mut world.stack.services {
            if has_before && service.last_if.is_some() {
                service.last_if = Some(last_if(Some("switchover")));
            }
        }
        let asked = to_be_asked(&world.stack, &world.inventory);
        let asked: Vec<_> = asked.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(asked.join(" "), expected, "{words}");
        let marked = updates(&world.planned()).any(|update| update.leader.is_some());
        assert_eq!(marked, !expected.is_empty(), "{words}");
    }
    // Alone, it is blocked by no word of its own unless something depends on it.
    let mut alone = world("a?");
    assert_eq!(order(&alone.planned()), "a");
    alone.stack.services[0].last_if = Some(last_if(Some("switchover")));
    assert_eq!(order(&alone.planned()), "");
}

#[test]
fn a_saved_plan_is_stale_once_another_leads() {
    let saved = world("a*, b, c").planned();
    let moved = |words: &str| {
        let moved = drift(&saved, &world(words).planned()).moved.into_iter();
        let moved =
            moved.map(|it| format!("{} {}: {} -> {}", it.address, it.field, it.from, it.to));
        moved.collect::<Vec<_>>()
    };
    assert_eq!(moved("a*, b, c"), Vec::<String>::new());
    let expected = [
        "service.b answers as the leader: no -> yes",
        "service.a answers as the leader: yes -> no",
    ];
    assert_eq!(moved("a, b*, c"), expected);
    let unknown = moved("a?, b, c");
    assert!(
        unknown[0].contains("whether it leads is not known"),
        "{unknown:?}"
    );
}

/// A small source of numbers that is the same on every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % most
    }
}

/// Services of up to three images in any order of the file, some of which wait
/// for others, without a cycle.
fn stack(dice: &mut Dice) -> Stack {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut world = World::new('b');
    let images = 1 + dice.below(3);
    for image in 0..images {
        let mut copy = world.stack.images[0].clone();
        copy.name = format!("i{image}").parse().unwrap();
        world.stack.images.push(copy);
    }
    for (index, name) in names.iter().enumerate() {
        let after: Vec<&str> = names[..index]
            .iter()
            .copied()
            .filter(|_| dice.below(3) == 0)
            .collect();
        world.wants(name, &after);
        let service = world.stack.services.last_mut().unwrap();
        service.image = format!("i{}", dice.below(images)).parse().unwrap();
        service.last_if = (dice.below(4) > 0).then(|| last_if(None));
    }
    for index in (1..names.len()).rev() {
        let other = usize::try_from(dice.below(index as u64 + 1)).unwrap();
        world.stack.services.swap(index, other);
    }
    world.stack
}

fn is_member(service: &Service, leader: &Service) -> bool {
    service.last_if.is_some() && service.image == leader.image && service.name != leader.name
}

/// All that a service waits for, by whatever way.
fn before(places: &[Place], service: &ServiceName) -> BTreeSet<ServiceName> {
    let mut found = BTreeSet::new();
    let mut open = vec![service.clone()];
    while let Some(name) = open.pop() {
        let place = places.iter().find(|place| place.service == name).unwrap();
        for other in place.after.iter().chain(&place.follows) {
            if found.insert(other.clone()) {
                open.push(other.clone());
            }
        }
    }
    found
}

#[test]
fn whatever_the_spec_says_the_leader_is_last_and_nobody_waits_for_himself() {
    let mut dice = Dice(6);
    let (mut several, mut cut) = (0, 0);
    for case in 0..4000 {
        let stack = stack(&mut dice);
        let moving: Vec<_> = stack
            .services
            .iter()
            .filter(|_| dice.below(6) > 0)
            .collect();
        let mut leaders = BTreeMap::new();
        for service in &moving {
            if service.last_if.is_some() && dice.below(2) == 0 {
                leaders.insert(service.image.clone(), service.name.clone());
            }
        }
        several += u64::from(leaders.len() > 1);
        let moving: BTreeSet<_> = moving.iter().map(|it| it.name.clone()).collect();
        let places = arrange(&stack, &leaders, &moving);
        assert_eq!(places.len(), moving.len());
        // Each stands behind all that it waits for: so there is no cycle.
        for (index, place) in places.iter().enumerate() {
            for other in place.after.iter().chain(&place.follows) {
                let at = places.iter().position(|it| it.service == *other).unwrap();
                assert!(
                    at < index,
                    "case {case}: {other} is not before {place:?}\n{stack:#?}"
                );
            }
        }
        for service in stack.services.iter().filter(|it| moving.contains(&it.name)) {
            let waits = before(&places, &service.name);
            let is_led = leaders.contains_key(&service.image) && service.last_if.is_some();
            let named = service.after.iter().filter(|it| moving.contains(it));
            for named in named {
                // Only a member of a led group may be made to go without.
                assert!(waits.contains(named) || is_led, "case {case}");
                cut += u64::from(!waits.contains(named));
            }
            if leaders.get(&service.image) != Some(&service.name) {
                continue;
            }
            let others = stack.services.iter().filter(|it| is_member(it, service));
            for other in others.filter(|it| moving.contains(&it.name)) {
                assert!(waits.contains(&other.name), "case {case}: {}", other.name);
            }
        }
    }
    assert!(several > 500 && cut > 500, "{several} {cut}");
}
