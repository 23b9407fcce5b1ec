//! Nothing breaks, and still every service is in a state of its own.

mod changes;

use imgstack_planner::{Options, StackPlan, plan};
use tokio_util::sync::CancellationToken;

use crate::claims::{
    Day, all_must_go_well, blocked, day_shows, held, nothing_is_left, order_is_kept,
    outcome_is_true, plan_is_true, pulls_are_those_needed, pulls_are_those_planned, told,
};
use crate::draw::{Dice, design, spoil};
use crate::seeds::play;
use crate::tally::Floor;
use crate::world::{Seen, World};

/// What it would be vacuous without.
const FLOORS: &[Floor] = &[
    ("plan an update", 500),
    ("end an update well", 350),
    ("end a pull well", 250),
    ("end a rotation well", 200),
    ("end settings alone well", 90),
    ("plan settings with an image", 200),
    ("plan settings with a credential", 40),
    ("keep an order", 80),
    ("see a failure", 60),
    ("see TimedOut", 30),
];

#[test]
fn what_is_planned_is_what_happens_and_then_there_is_nothing_left() {
    play("good_days", 40, FLOORS, |seed| async move {
        let mut dice = Dice::of(seed);
        let mut design = design(seed, &mut dice);
        if dice.chance(12) {
            spoil(&mut dice, &mut design);
        }
        let world = World::of(design).await;
        if !round(&world).await {
            // Once more, from wherever that has led.
            world.settle().await;
            round(&world).await;
        }
    });
}

/// Plans and applies. Whether nothing is left to do.
async fn round(world: &World) -> bool {
    let (before, images) = (world.truth(), held(world));
    let seen = world.look().await;
    is_the_same_again(world, &seen).await;
    plan_is_true(world, &before, &seen.plan, false);
    pulls_are_those_needed(world, &before, &images, &seen.plan, false);
    let events = world.history().len();
    let applied = world.apply(&seen, &CancellationToken::new()).await;
    let after = world.truth();
    let must = all_must_go_well(world, &before, &seen.plan);
    let day = Day {
        world,
        plan: &seen.plan,
        before: &before,
        applied: &applied,
        after: &after,
        meddled: None,
        trouble: false,
        delayed: false,
        ill: false,
        pruned: None,
        stopped: false,
    };
    day_shows(&day);
    outcome_is_true(&day);
    pulls_are_those_planned(&day, &images, &held(world));
    order_is_kept(&day, &world.history()[events..]);
    changes::are_those_planned(&day);
    let complete = applied.outcome.is_complete();
    assert!(complete || !must, "{:#?}", told(&day));
    if complete {
        is_empty_now(world, &seen.plan).await;
    }
    complete
}

/// The same world gives the same bytes, however often it is looked at.
async fn is_the_same_again(world: &World, seen: &Seen) {
    let bytes = |plan: &StackPlan| serde_json::to_string(plan).unwrap();
    let text = serde_json::to_string(&seen.inventory).unwrap();
    let inventory = serde_json::from_str(&text).unwrap();
    let again = plan(&world.stack, &inventory, &Options::default());
    assert_eq!(bytes(&seen.plan), bytes(&again));
    let anew = world.look().await.plan;
    assert_eq!(
        without_numbers(&bytes(&seen.plan)),
        without_numbers(&bytes(&anew))
    );
}

/// Without the number that a registry gives each request that it refuses.
fn without_numbers(text: &str) -> String {
    const WORDS: &str = "request ID ";
    let mut parts = text.split(WORDS);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let end = part.find(|c: char| !c.is_ascii_hexdigit() && c != ':');
        text + WORDS + &part[end.unwrap_or(part.len())..]
    })
}

/// Plan, apply, plan: nothing to do, and nothing blocked that was not before.
async fn is_empty_now(world: &World, first: &StackPlan) {
    let truth = world.truth();
    let seen = world.look().await;
    nothing_is_left(world, &truth, first, &seen.plan);
    plan_is_true(world, &truth, &seen.plan, false);
    let news: Vec<_> = blocked(&seen.plan)
        .difference(&blocked(first))
        .copied()
        .collect();
    // A build that dies late does so after its rollout has gone well.
    let sound = world.design.is_sound();
    assert!(
        news.is_empty() || !sound,
        "{news:?} {:#?}",
        seen.plan.report
    );
}
