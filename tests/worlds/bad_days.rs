//! One thing goes wrong, anywhere. The apply succeeds or says truly what has
//! become of everything; once it is set right, another apply heals the world,
//! or says truly why not.

mod ends;
mod mishap;
mod points;

use std::cell::Cell;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::claims::{
    Day, all_must_go_well, day_shows, held, nothing_is_left, order_is_kept, outcome_is_true,
    plan_is_true, pulls_are_those_needed, told,
};
use crate::design::{Build, Wants};
use crate::draw::{Dice, design, spoil};
use crate::seeds::{note, play};
use crate::tally::{Floor, shows};
use crate::truth::Truth;
use crate::world::{Applied, Seen, World};
use mishap::{Mishap, When};

/// What it would be vacuous without.
const FLOORS: &[Floor] = &[
    ("plan an update", 500),
    ("end an update well", 350),
    ("end a pull well", 250),
    ("keep an order", 80),
    ("meet a mishap", 500),
    ("meet Network", 70),
    ("meet BadBuild", 60),
    ("meet Pruned", 5),
    ("meet FailOver", 5),
    ("meet Meddled", 15),
    ("meet NodeLost", 15),
    ("see a failure", 120),
    ("see TimedOut", 20),
    ("see Imgstack go back: Runs", 4),
    ("have something to heal", 200),
    ("are healed", 900),
    ("have what can run run in the end", 500),
];

#[test]
fn a_mishap_ends_in_success_or_in_an_honest_failure_and_can_be_healed() {
    play("bad_days", 40, FLOORS, |seed| async move {
        let mut dice = Dice::of(seed);
        let mut design = design(seed, &mut dice);
        let bad_build = dice.chance(12);
        if bad_build {
            spoil(&mut dice, &mut design);
        }
        let mut world = World::of(design).await;
        let (mishap, when) = match bad_build {
            true => (Mishap::BadBuild, When::BeforeThePlan),
            false => Mishap::draw(&mut dice, &world),
        };
        note(&format!("with {mishap:?} {when:?}"));
        let start = world.truth();
        first(&world, &mishap, when).await;
        mishap.mend(&world);
        world.settle().await;
        if heal(&world, &mishap, &start, false).await {
            return;
        }
        mended_builds(&mut world);
        world.settle().await;
        heal(&world, &mishap, &start, true).await;
    });
}

/// The apply that the mishap comes to.
async fn first(world: &World, mishap: &Mishap, when: When) {
    let hits = world.sim.server.faults.hits();
    if when == When::BeforeThePlan {
        mishap.happen(world);
    }
    let before = world.truth();
    let images = held(world);
    let seen = world.look().await;
    // What was read while things went wrong need not be what is so.
    let early = when == When::BeforeThePlan;
    let unseen = early && mishap.hides(world);
    if !(early && (mishap.delays() || mishap.meddled().is_some())) {
        plan_is_true(world, &before, &seen.plan, unseen);
        pulls_are_those_needed(world, &before, &images, &seen.plan, unseen);
    }
    let before = world.truth();
    let events = world.history().len();
    if when == When::BeforeTheApply {
        mishap.happen(world);
    }
    let cancel = CancellationToken::new();
    let applied = apply(world, &seen, mishap, when, &cancel).await;
    let in_time = applied.as_ref().is_some_and(|(_, in_time)| *in_time) || early;
    if in_time && mishap.has_hit(world, hits) {
        shows("meet a mishap");
        mishap
            .names()
            .for_each(|name| shows(format!("meet {name}")));
    }
    let Some((applied, _)) = applied else {
        return;
    };
    let after = world.truth();
    let day = Day {
        world,
        plan: &seen.plan,
        before: &before,
        applied: &applied,
        after: &after,
        meddled: mishap.meddled(),
        trouble: mishap.is_between(world),
        delayed: mishap.delays(),
        ill: true,
        pruned: mishap.pruned(when),
        stopped: cancel.is_cancelled(),
    };
    day_shows(&day);
    outcome_is_true(&day);
    order_is_kept(&day, &world.history()[events..]);
}

/// And whether the mishap came before the end. None: there is nothing to do,
/// or nobody to do it.
async fn apply(
    world: &World,
    seen: &Seen,
    mishap: &Mishap,
    when: When,
    cancel: &CancellationToken,
) -> Option<(Applied, bool)> {
    if seen.plan.steps.is_empty() {
        return None;
    }
    let in_time = Cell::new(!matches!(when, When::Later(_)));
    let ended = Cell::new(false);
    let applying = async {
        let applied = world.apply(seen, cancel).await;
        ended.set(true);
        applied
    };
    let happening = async {
        let When::Later(later) = when else {
            return;
        };
        sleep(later).await;
        in_time.set(!ended.get());
        mishap.happen(world);
        if let Mishap::Stopped = mishap {
            cancel.cancel();
        }
    };
    let (applied, ()) = tokio::join!(applying, happening);
    Some((applied, in_time.get()))
}

/// Another apply, with everything set right, and good builds pushed if
/// `mended`. Whether all services are what the spec asks for.
async fn heal(world: &World, mishap: &Mishap, start: &Truth, mended: bool) -> bool {
    let before = world.truth();
    let images = held(world);
    let seen = world.look().await;
    plan_is_true(world, &before, &seen.plan, false);
    pulls_are_those_needed(world, &before, &images, &seen.plan, false);
    ends::nothing_hangs(world, &seen.plan, start, mishap);
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
    outcome_is_true(&day);
    order_is_kept(&day, &world.history()[events..]);
    let complete = applied.outcome.is_complete();
    assert!(complete || !must, "{mishap:?} {:#?} {after:#?}", told(&day));
    if !seen.plan.steps.is_empty() {
        shows("have something to heal");
    }
    if !complete {
        return false;
    }
    shows("are healed");
    let truth = world.truth();
    let now = world.look().await.plan;
    nothing_is_left(world, &truth, &seen.plan, &now);
    plan_is_true(world, &truth, &now, false);
    let whole = !now.report.is_blocked() && now.steps.is_empty();
    // What had waited for another one may only now have its turn.
    if whole || (mended && now.steps.is_empty()) {
        ends::what_can_run_runs(world, &now, mishap);
    }
    whole
}

/// A good build of everything that follows the tag.
fn mended_builds(world: &mut World) {
    for image in 0..world.design.images.len() {
        let design = &world.design.images[image];
        if design.wants != Wants::Tag {
            continue;
        }
        let build = Build {
            sha: format!("{:07x}", 0xfed_0000 + image),
            architectures: vec!["amd64", "arm64"],
            index: true,
            behaviour: imgstack_sim::Behaviour::default(),
            healthcheck: true,
        };
        world.push_another(image, build);
    }
}
