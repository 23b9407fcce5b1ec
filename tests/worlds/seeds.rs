//! Which worlds are played, how one is played again, and what they have to
//! have shown.

use std::any::Any;
use std::cell::RefCell;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::tally::{self, Floor};

/// How many worlds there are, unless the environment says otherwise.
const WORLDS: u64 = 1000;
/// The first seed in CI.
const FIRST: u64 = 2_273_094_745;
/// After so many that failed no other world is played.
const FAILURES: usize = 10;
/// More than any rollout takes, and what comes after it.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);

thread_local! {
    static NOTE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Plays `share` of a hundred of the worlds. `name` is that of the test, and
/// `floors` are what its worlds have to have shown, or it is about nothing.
pub fn play<F: Future<Output = ()>>(
    name: &str,
    share: u64,
    floors: &[Floor],
    world: impl Fn(u64) -> F,
) {
    let (first, count) = seeds(share);
    let (last, began) = (first + count - 1, Instant::now());
    let mut failures = Vec::new();
    let mut tally = tally::Tally::default();
    for seed in first..=last {
        let played = catch_unwind(AssertUnwindSafe(|| one(world(seed), seed)));
        tally.add_world();
        let note = NOTE.take();
        if let Err(cause) = played {
            say(&format!(
                "{name}: the world of seed {seed} failed {note}; again: IMGSTACK_SEED={seed} cargo test -p imgstack-tests --test worlds {name}"
            ));
            failures.push(cause);
            if failures.len() == FAILURES {
                break;
            }
        }
    }
    fail_with(failures);
    let seconds = began.elapsed().as_secs_f64();
    say(&format!(
        "{name}: {count} worlds, seeds {first}..{last}, {seconds:.1} s"
    ));
    say(&format!("{name}: of them {tally}"));
    tally.hold_against(name, floors);
}

/// The first, and how many.
fn seeds(share: u64) -> (u64, u64) {
    if let Some(seed) = number("IMGSTACK_SEED") {
        return (seed, 1);
    }
    let worlds = number("IMGSTACK_WORLDS").unwrap_or(WORLDS);
    // What is checked for others is the same each time; whoever looks for more
    // has other worlds each time.
    let first = match std::env::var_os("CI") {
        Some(_) => FIRST,
        None => u64::from(fastrand::u32(..)),
    };
    (first, (worlds * share).div_ceil(100))
}

/// Fails as the first world has.
fn fail_with(failures: Vec<Box<dyn Any + Send>>) {
    if let Some(first) = failures.into_iter().next() {
        resume_unwind(first);
    }
}

/// In a time that passes when nobody has anything to do.
fn one(world: impl Future<Output = ()>, seed: u64) {
    // The clients' pauses are drawn, too.
    fastrand::seed(seed);
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build();
    let ended = runtime
        .unwrap()
        .block_on(async { timeout(LONGEST, world).await });
    assert!(ended.is_ok(), "the world has not ended within {LONGEST:?}");
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

/// Past the capture of a test's output, which shows only what has failed.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// For whoever reads why a world failed: the last one is told with it.
pub fn note(line: &str) {
    NOTE.set(line.to_owned());
}
