//! The order of services while a plan is carried out: which may begin now.
//!
//! A step begins when all that it is `after` is done, and all that it `follows`
//! is over. What can never begin, since something that it is after did not end
//! well, is over once all before it is: so a service that follows it still
//! waits for those that come before both.
//!
//! Two services of one image are never under way together.
//!
//! It is asked anew each time, and holds no list of what comes next: a step is
//! chosen by what has become of the others by then.

use std::collections::{BTreeMap, BTreeSet};

use imgstack_planner::{Step, StepId};
use imgstack_spec::{ImageName, Stack};

use crate::event::StepOutcome;

/// What has become of the steps that have ended.
pub(crate) type Ended = BTreeMap<StepId, StepOutcome>;

/// Steps, and what comes before each.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// In the plan's order, which decides between those that may begin.
    places: Vec<Place>,
    /// The steps of those places.
    known: BTreeSet<StepId>,
    begun: BTreeSet<StepId>,
}

#[derive(Debug)]
struct Place {
    step: StepId,
    after: Vec<StepId>,
    follows: Vec<StepId>,
    /// The image of which it restarts a service.
    image: Option<ImageName>,
}

impl Order {
    /// The order that the plan has.
    pub(crate) fn of<'a>(steps: impl Iterator<Item = &'a Step>, stack: &Stack) -> Self {
        let places = steps.map(|step| Place {
            step: step.id.clone(),
            after: step.after.clone(),
            follows: step.follows.clone(),
            image: image(step, stack),
        });
        Self::from(places.collect::<Vec<Place>>())
    }

    /// Takes the next step that may begin; None while none may.
    pub(crate) fn take(&mut self, ended: &Ended) -> Option<StepId> {
        let over = self.over(ended);
        let is_over = |id: &StepId| over.contains(id) || !self.knows(id);
        let mut places = self.places.iter();
        let next = places.find(|place| {
            !self.begun.contains(&place.step)
                && place.after.iter().all(|id| is_done(ended, id))
                && place.follows.iter().all(is_over)
                && !self.is_another_under_way(place, ended)
        })?;
        let step = next.step.clone();
        self.begun.insert(step.clone());
        Some(step)
    }

    /// Whether another service of its image is being restarted. What an `after`
    /// names may leave two of them without an order between them, and a cluster
    /// of databases does not survive both.
    fn is_another_under_way(&self, place: &Place, ended: &Ended) -> bool {
        place.image.is_some()
            && self.places.iter().any(|other| {
                other.image == place.image
                    && self.begun.contains(&other.step)
                    && !ended.contains_key(&other.step)
            })
    }

    /// Lets a step that was taken have its turn later.
    pub(crate) fn put_back(&mut self, step: &StepId) {
        self.begun.remove(step);
    }

    /// Whether a step has been taken.
    pub(crate) fn has_begun(&self, step: &StepId) -> bool {
        self.begun.contains(step)
    }

    /// Puts updates of services into another order. What they need of nodes
    /// stays.
    pub(crate) fn rearrange(&mut self, places: &[imgstack_planner::Place]) {
        let services: BTreeSet<StepId> = places
            .iter()
            .map(|place| StepId::update(&place.service))
            .collect();
        for new in places {
            let step = StepId::update(&new.service);
            let mut old = self.places.iter_mut();
            let Some(place) = old.find(|place| place.step == step) else {
                continue;
            };
            place.after.retain(|id| !services.contains(id));
            place.after.extend(new.after.iter().map(StepId::update));
            place.follows = new.follows.iter().map(StepId::update).collect();
        }
    }

    /// The steps that nothing needs to wait for any more.
    fn over(&self, ended: &Ended) -> BTreeSet<StepId> {
        let mut over: BTreeSet<StepId> = BTreeSet::new();
        // A step stands behind those before it, so one round is nearly always
        // enough; a plan that somebody edited ends the rounds as well.
        loop {
            let is_over = |id: &StepId| over.contains(id) || !self.knows(id);
            let found: Vec<StepId> = self
                .places
                .iter()
                .filter(|place| !over.contains(&place.step))
                .filter(|place| match self.begun.contains(&place.step) {
                    true => ended.contains_key(&place.step),
                    false => {
                        let mut before = place.after.iter().chain(&place.follows);
                        self.is_barred(place, &over, ended) && before.all(is_over)
                    }
                })
                .map(|place| place.step.clone())
                .collect();
            if found.is_empty() {
                return over;
            }
            over.extend(found);
        }
    }

    /// Whether something that it is after is over, and was not done.
    fn is_barred(&self, place: &Place, over: &BTreeSet<StepId>, ended: &Ended) -> bool {
        let is_over = |id: &StepId| over.contains(id) || !self.knows(id);
        let mut after = place.after.iter();
        after.any(|id| is_over(id) && !is_done(ended, id))
    }

    /// Steps of nodes come before all services, and are over.
    fn knows(&self, id: &StepId) -> bool {
        self.known.contains(id)
    }
}

impl From<Vec<Place>> for Order {
    fn from(places: Vec<Place>) -> Self {
        Self {
            known: places.iter().map(|place| place.step.clone()).collect(),
            places,
            begun: BTreeSet::new(),
        }
    }
}

fn image(step: &Step, stack: &Stack) -> Option<ImageName> {
    let service = stack.service(&step.action.update()?.service)?;
    Some(service.image.clone())
}

fn is_done(ended: &Ended, id: &StepId) -> bool {
    ended.get(id) == Some(&StepOutcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> StepId {
        StepId::update(&name.parse().unwrap())
    }

    /// `a`, `b >a` (after a), `c ~b` (follows b), `d =web` (runs the image web).
    fn order(words: &str) -> Order {
        let place = |words: &str| {
            let mut words = words.split(' ');
            let mut place = Place {
                step: id(words.next().unwrap()),
                after: Vec::new(),
                follows: Vec::new(),
                image: None,
            };
            for word in words {
                match word.split_at(1) {
                    (">", name) => place.after.push(id(name)),
                    ("=", name) => place.image = Some(name.parse().unwrap()),
                    (_, name) => place.follows.push(id(name)),
                }
            }
            place
        };
        let places: Vec<Place> = words.split(", ").map(place).collect();
        Order::from(places)
    }

    fn taken(order: &mut Order, ended: &Ended) -> String {
        let steps = std::iter::from_fn(|| order.take(ended));
        let names = steps.map(|it| it.to_string().replace("update service.", ""));
        names.collect::<Vec<_>>().join(" ")
    }

    /// What is begun at first, and after each end; `!x` is one that ended and
    /// was not done, and what is not in the order is of a node.
    #[test]
    fn a_step_begins_when_all_before_it_is_over() {
        type Story = (&'static str, &'static [(&'static str, &'static str)]);
        let table: [Story; 12] = [
            ("a, b, c", &[("", "a b c")]),
            ("a, b >a, c >b", &[("", "a"), ("a", "b"), ("b", "c")]),
            ("a, b, c >a >b", &[("", "a b"), ("b", ""), ("a", "c")]),
            ("a, b ~a, c ~b", &[("", "a"), ("a", "b"), ("b", "c")]),
            // Of two images.
            (
                "a, b ~a, x, y ~x",
                &[("", "a x"), ("x", "y"), ("a", "b"), ("b", "")],
            ),
            // A node that it needs has failed: it never begins, and one that
            // only follows it does not wait.
            ("a >node, b ~a", &[("", "b")]),
            ("a >node, b >a", &[("", "")]),
            // That does not let another one past those before it.
            ("a, b ~a >node, c ~b", &[("", "a"), ("a", "c")]),
            ("a, b >a, c ~b", &[("", "a"), ("!a", "c")]),
            // Of one image never two at once, whatever else is in order.
            (
                "x, a =pg >x, b =pg >x, c =web >x",
                &[("", "x"), ("x", "a c"), ("c", ""), ("a", "b")],
            ),
            (
                "a =pg, b =pg ~a, c =pg",
                &[("", "a"), ("a", "b"), ("b", "c")],
            ),
            // Edited by hand: nothing begins, and nothing hangs.
            ("a >b, b >a, c ~d, d ~c", &[("", "")]),
        ];
        for (words, story) in table {
            let mut order = order(words);
            let mut ended = Ended::new();
            for (end, expected) in story {
                if let Some(name) = end.strip_prefix('!') {
                    ended.insert(id(name), StepOutcome::NotStarted);
                } else if !end.is_empty() {
                    ended.insert(id(end), StepOutcome::Done);
                }
                assert_eq!(taken(&mut order, &ended), *expected, "{words}: {end}");
            }
        }
    }
}
