//! One thing goes wrong, anywhere. The apply succeeds or says truly what has
//! become of everything; once it is set right, another apply heals the world,
//! or says truly why not.

mod mishap;
mod points;

use imgstack_planner::Code;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::claims::{
    Day, all_must_go_well, must_go_well, nothing_is_left, order_is_kept, outcome_is_true,
    plan_is_true, told,
};
use crate::design::{Build, Wants};
use crate::draw::{Dice, design, spoil};
use crate::seeds::{note, play};
use crate::truth::Truth;
use crate::world::{Applied, Seen, World};
use mishap::{Mishap, When};

#[test]
fn a_mishap_ends_in_success_or_in_an_honest_failure_and_can_be_healed() {
    play("bad_days", 40, |seed| async move {
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
        if heal(&world, &mishap, &start).await {
            return;
        }
        mended_builds(&mut world);
        world.settle().await;
        heal(&world, &mishap, &start).await;
    });
}

/// The apply that the mishap comes to.
async fn first(world: &World, mishap: &Mishap, when: When) {
    if when == When::BeforeThePlan {
        mishap.happen(world);
    }
    let before = world.truth();
    let seen = world.look().await;
    // What was read while things went wrong need not be what is so.
    let early = when == When::BeforeThePlan;
    let unseen = early && !matches!(mishap, Mishap::BadBuild);
    if !(early && (mishap.delays() || mishap.meddled().is_some())) {
        plan_is_true(world, &before, &seen.plan, unseen);
    }
    let before = world.truth();
    let events = world.history().len();
    if when == When::BeforeTheApply {
        mishap.happen(world);
    }
    let cancel = CancellationToken::new();
    let Some(applied) = apply(world, &seen, mishap, when, &cancel).await else {
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
        stopped: cancel.is_cancelled(),
    };
    outcome_is_true(&day);
    order_is_kept(&day, &world.history()[events..]);
}

/// None: there is nothing to do, or nobody to do it.
async fn apply(
    world: &World,
    seen: &Seen,
    mishap: &Mishap,
    when: When,
    cancel: &CancellationToken,
) -> Option<Applied> {
    if seen.plan.steps.is_empty() {
        return None;
    }
    let applying = world.apply(seen, cancel);
    let happening = async {
        let When::Later(later) = when else {
            return;
        };
        sleep(later).await;
        mishap.happen(world);
        if let Mishap::Stopped = mishap {
            cancel.cancel();
        }
    };
    let (applied, ()) = tokio::join!(applying, happening);
    Some(applied)
}

/// Another apply, with everything set right. Whether all services are what
/// the spec asks for.
async fn heal(world: &World, mishap: &Mishap, start: &Truth) -> bool {
    let before = world.truth();
    let seen = world.look().await;
    plan_is_true(world, &before, &seen.plan, false);
    nothing_hangs(world, &seen, start, mishap);
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
        stopped: false,
    };
    outcome_is_true(&day);
    order_is_kept(&day, &world.history()[events..]);
    let complete = applied.outcome.is_complete();
    assert!(complete || !must, "{mishap:?} {:#?} {after:#?}", told(&day));
    if !complete {
        return false;
    }
    let truth = world.truth();
    let now = world.look().await.plan;
    nothing_is_left(world, &truth, &seen.plan, &now);
    plan_is_true(world, &truth, &now, false);
    !now.report.is_blocked()
}

/// With nothing wrong any more no update goes on for ever.
fn nothing_hangs(world: &World, seen: &Seen, start: &Truth, mishap: &Mishap) {
    let truth = world.truth();
    for finding in &seen.plan.report.findings {
        let name = finding.address.to_string();
        let mut services = world.design.services.iter();
        let service = services.find(|it| name == format!("service.{}", it.name));
        if let (Code::UpdateInProgress, Some(service)) = (finding.code, service) {
            let well = must_go_well(&world.design, &truth, service);
            // What it would go back to has to go well, too.
            let ran = start.is_calm(&start.services[&service.name], 5);
            // And what somebody else has made of it may go on as it likes.
            let ours = mishap.meddled() != Some(service.name.as_str());
            let there = &truth.services[&service.name];
            assert!(!(well && ran && ours), "{finding:#?} {there:#?}");
        }
    }
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
