//! Builds that are behind: their base has moved, or no newer one came.
//!
//! Judged is the newest build that is known of: one that waits for its age is
//! there, and where a policy leads below what runs, that is what stays.
//! Nothing here blocks or makes a step: what is deployed is what the tag leads
//! to, and a newer build is somebody else's to make. That nothing is known of a
//! base is said, and never taken for "it has not moved".

use imgstack_spec::policy::Choice;
use imgstack_spec::{Address, Digest, Follow, Image, ImageRef, Stack};
use jiff::{SignedDuration, Timestamp};

use crate::choice::choice;
use crate::inventory::{BaseState, Freshness, LastRun, MovedBase, RunState};
use crate::report::{Code, Finding, Severity};
use crate::service::finding;
use crate::target::Scope;
use crate::{Inventory, Known, Trouble};

/// What is to be said of the images of the scope.
pub(crate) fn report(scope: Scope<'_>, inventory: &Inventory) -> Vec<Finding> {
    let known = scope.images().filter_map(|image| {
        let freshness = inventory.freshness.get(&image.name)?;
        let (which, _) = newest(scope.stack, image, inventory)?;
        Some(About {
            image,
            which,
            freshness,
            now: inventory.observed_at,
        })
    });
    known
        .flat_map(|about| about.base().into_iter().chain(about.age()))
        .collect()
}

/// The build whose age, and whose base, is to be judged. None: nobody can say
/// which it is, and something else is said of that.
#[must_use]
pub fn freshest(stack: &Stack, image: &Image, inventory: &Inventory) -> Option<Known<Digest>> {
    newest(stack, image, inventory).map(|(_, digest)| digest)
}

/// What is judged.
#[derive(Clone, Copy)]
enum Which {
    Wanted,
    Waiting,
    Running,
}

fn newest(stack: &Stack, image: &Image, inventory: &Inventory) -> Option<(Which, Known<Digest>)> {
    let asked = inventory.images.get(&image.name)?;
    let wanted = || Some((Which::Wanted, Known::Known(asked.digest.present()?.clone())));
    let waiting = match choice(stack, image, inventory) {
        None | Some(Choice::Chosen { waiting: None, .. }) => return wanted(),
        Some(Choice::NoMatch { .. } | Choice::Unknown { .. }) => return None,
        Some(Choice::Downgrade { from, .. }) => {
            let digest = from.digest.clone().map_or_else(
                || Known::Unknown(Trouble::new(format!("{from} runs without a digest"))),
                Known::Known,
            );
            return Some((Which::Running, digest));
        }
        Some(
            Choice::Chosen {
                waiting: Some(waiting),
                ..
            }
            | Choice::Held { waiting, .. },
        ) => waiting,
    };
    // Its date is known, and so is where it leads.
    let digest = asked.tags.as_ref()?.digests.get(&waiting.tag)?;
    Some((Which::Waiting, Known::Known(digest.present()?.clone())))
}

/// One image.
struct About<'a> {
    image: &'a Image,
    which: Which,
    freshness: &'a Freshness,
    now: Timestamp,
}

impl About<'_> {
    fn say(&self, severity: Severity, code: Code, message: String) -> Finding {
        let address = Address::Image(self.image.name.clone());
        finding(severity, code, &address, message)
    }

    /// Something that a newer build would end. A pinned build is behind because
    /// somebody wants it so.
    fn is_behind(&self, code: Code, message: String) -> Finding {
        let name = &self.image.name;
        let (severity, hint) = match (&self.image.pin, &self.image.build) {
            (Some(_), _) => (
                Severity::Note,
                "the build is pinned: a newer one comes once `pin` goes from the spec".to_owned(),
            ),
            (None, Some(build)) if build.github.is_some() => {
                (Severity::Attention, format!("imgstack rebuild {name}"))
            }
            (None, Some(_)) => (Severity::Attention, self.by_hand()),
            (None, None) => (Severity::Attention, "build it again and push it".to_owned()),
        };
        Finding {
            hint: Some(hint),
            ..self.say(severity, code, message)
        }
    }

    /// A tag that is followed moves with a build. A policy takes a new one, which
    /// `imgstack build` leaves to whoever names its builds.
    fn by_hand(&self) -> String {
        let name = &self.image.name;
        match &self.image.follow {
            Follow::Tag(_) => format!("imgstack build {name}"),
            Follow::Policy { policy, .. } => format!(
                "build it again and push it under a new tag that the policy {} chooses",
                policy.written()
            ),
        }
    }

    fn created(&self) -> Option<Timestamp> {
        match &self.freshness.created {
            Known::Known(created) => *created,
            Known::Unknown(_) => None,
        }
    }

    fn base(&self) -> Option<Finding> {
        let name = self.image.base.as_ref().map(ImageRef::familiar)?;
        match self.freshness.base.as_ref()? {
            BaseState::Current(_) => None,
            BaseState::Moved(moved) => {
                let message = format!(
                    "base {name} {} (seen by its {})",
                    self.when(moved),
                    moved.how
                );
                Some(self.is_behind(Code::BaseMoved, message))
            }
            BaseState::Unknown(trouble) => {
                let message = format!(
                    "whether base {name} moved since the image was built is not known: {}",
                    trouble.why
                );
                Some(Finding {
                    hint: trouble.hint.clone(),
                    ..self.say(Severity::Note, Code::BaseUnknown, message)
                })
            }
        }
    }

    /// A base's date is its own word: some are made of an old source, or have
    /// none, and then only the order is known.
    fn when(&self, moved: &MovedBase) -> String {
        let ago = |then: Timestamp| format!("{} ago", span(self.now.duration_since(then)));
        match (self.created(), moved.made) {
            (Some(image), Some(base)) if image < base && base <= self.now => format!(
                "moved {}; the image was built before, {}",
                ago(base),
                ago(image)
            ),
            (Some(image), _) if image <= self.now => {
                format!("moved since the image was built, {}", ago(image))
            }
            _ => "moved since the image was built".to_owned(),
        }
    }

    fn age(&self) -> Option<Finding> {
        let build = self.image.build.as_ref()?;
        let most = SignedDuration::try_from(build.maximum_age?).ok()?;
        let unknown = |why: &str, hint| Finding {
            hint,
            ..self.say(
                Severity::Note,
                Code::BuildAgeUnknown,
                format!(
                    "whether {} is older than `maximumAge` is not known: {why}",
                    self.which.words()
                ),
            )
        };
        let created = match &self.freshness.created {
            Known::Known(Some(created)) => *created,
            Known::Known(None) => return Some(unknown("it has no date", None)),
            Known::Unknown(trouble) => return Some(unknown(&trouble.why, trouble.hint.clone())),
        };
        let age = self.now.duration_since(created);
        if age <= most {
            return None;
        }
        let (old, allowed) = (span(age), span(most));
        let old = if old == allowed { exact(age) } else { old };
        let missing = match build.schedule {
            Some(_) => "the scheduled build did not come",
            None => "no newer one came",
        };
        let run = self.last_run().map(|run| format!("; {run}"));
        let message = format!(
            "{} is {old} old, and `maximumAge` is {allowed}: {missing}{}",
            self.which.words(),
            run.unwrap_or_default()
        );
        Some(self.is_behind(Code::BuildOverdue, message))
    }

    /// What became of the workflow that should have made a newer build.
    fn last_run(&self) -> Option<String> {
        let workflow = &self.image.build.as_ref()?.github.as_ref()?.workflow;
        let LastRun { state, at, url } = match self.freshness.last_run.as_ref()? {
            Known::Known(Some(run)) => run,
            Known::Known(None) => return Some(format!("{workflow} has not run yet")),
            Known::Unknown(trouble) => {
                return Some(format!(
                    "what became of the last run of {workflow} is not known: {}",
                    trouble.why
                ));
            }
        };
        let ago = span(self.now.duration_since(*at));
        Some(match state {
            RunState::GoingOn => format!("a run of {workflow} has been going on for {ago}: {url}"),
            RunState::Succeeded => {
                format!("the last run of {workflow} succeeded {ago} ago, all the same: {url}")
            }
            RunState::Ended(how) => format!("the last run of {workflow} {how}, {ago} ago: {url}"),
        })
    }
}

impl Which {
    fn words(self) -> &'static str {
        match self {
            Self::Wanted => "the build",
            Self::Waiting => "the build that waits",
            Self::Running => "the build that runs",
        }
    }
}

/// "9 days", "36 hours", "5 minutes".
fn span(time: SignedDuration) -> String {
    const DAY: i64 = 86_400;
    if time.as_secs() > 0 && time.as_secs() % DAY == 0 {
        return counted(time.as_secs() / DAY, "day");
    }
    match (time.as_mins(), time.as_hours()) {
        (..1, _) => "less than a minute".to_owned(),
        (minutes, ..1) => counted(minutes, "minute"),
        (_, hours @ 1..48) => counted(hours, "hour"),
        (_, hours) => counted(hours / 24, "day"),
    }
}

/// With the next smaller unit, where [`span`] says too little.
fn exact(time: SignedDuration) -> String {
    let (rest, unit) = match time.as_hours() {
        ..1 => (0, "second"),
        1..48 => (time.as_mins() % 60, "minute"),
        hours => (hours % 24, "hour"),
    };
    match rest {
        0 => format!("just over {}", span(time)),
        rest => format!("{} and {}", span(time), counted(rest, unit)),
    }
}

fn counted(count: i64, unit: &str) -> String {
    match count {
        1 => format!("1 {unit}"),
        count => format!("{count} {unit}s"),
    }
}
