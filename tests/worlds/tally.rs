//! What the worlds of a property have shown: a property that holds in worlds
//! where nothing happens says nothing.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// With fewer worlds than that, chance decides what they show.
const ENOUGH: u64 = 200;

thread_local! {
    /// Of the world that is played on this thread.
    static SHOWN: RefCell<BTreeSet<String>> = const { RefCell::new(BTreeSet::new()) };
}

/// The world that is played has shown that.
pub fn shows(what: impl Into<String>) {
    SHOWN.with_borrow_mut(|shown| shown.insert(what.into()));
}

/// What is to be shown by at least so many worlds of a thousand.
pub type Floor = (&'static str, u64);

/// How many worlds have shown what.
#[derive(Default)]
pub struct Tally {
    worlds: u64,
    shown: BTreeMap<String, u64>,
}

impl Tally {
    /// The world that was played last.
    pub fn add_world(&mut self) {
        self.worlds += 1;
        for what in SHOWN.take() {
            *self.shown.entry(what).or_default() += 1;
        }
    }

    /// Fails where the worlds of `name` have shown too little.
    #[track_caller]
    pub fn hold_against(&self, name: &str, floors: &[Floor]) {
        if self.worlds < ENOUGH {
            return;
        }
        for (what, least) in floors {
            let shown = self.shown.get(*what).copied().unwrap_or_default();
            assert!(
                shown * 1000 >= least * self.worlds,
                "{name}: only {shown} of {} worlds {what}, and {least} of 1,000 are to",
                self.worlds
            );
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self
            .shown
            .iter()
            .map(|(what, count)| format!("{count} {what}"));
        f.write_str(&words.collect::<Vec<_>>().join(", "))
    }
}
