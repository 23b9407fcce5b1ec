//! Which build the services of an image are to run: that of the pin, of the
//! tag, or of the tag that the policy chooses.
//!
//! `minimumAge` is judged for each service: what runs has nothing to wait for.

use std::collections::BTreeMap;

use imgstack_spec::policy::{Age, Choice, Running, TagList, Waiting};
use imgstack_spec::{Address, Digest, Follow, Image, ImageName, ImageRef, Pin, Stack, Tag};
use jiff::Timestamp;

use crate::choice::{choice, date, may_go_down, users};
use crate::inventory::{ObservedImage, ObservedService};
use crate::report::{Code, Finding, Severity};
use crate::service::finding;
use crate::{Inventory, Observed, Trouble};

/// What every image of a stack follows.
pub(crate) type Following<'a> = BTreeMap<&'a ImageName, Followed>;

/// What an image follows.
pub(crate) struct Followed {
    /// What it leads to: the repository with a tag, or the digest of a pin.
    pub(crate) reference: ImageRef,
    pub(crate) target: Target,
    /// Why the policy chose that tag.
    pub(crate) why: Option<String>,
    /// What is to be said of it.
    pub(crate) findings: Vec<Finding>,
}

/// What the services of an image are to run.
pub(crate) enum Target {
    /// This build, as far as its age lets them.
    Build(Digest, Gate),
    /// What each runs: the policy comes to nothing that they could move to.
    Kept,
    /// It is not there, or not known.
    Nothing(Observed<Digest>),
}

/// Whether a service that runs another build may move.
pub(crate) enum Gate {
    Open,
    /// Not before then.
    Until(Timestamp),
    /// Whether the build is old enough cannot be told.
    Shut(Trouble),
}

/// What one service is to run.
pub(crate) enum Wanted {
    Build(ImageRef),
    /// What it runs; None where that is no build of the repository.
    Kept(Option<ImageRef>),
    /// Nobody can say.
    Blocked(Finding),
}

/// What every image of a stack follows.
pub(crate) fn following<'a>(stack: &'a Stack, inventory: &Inventory) -> Following<'a> {
    let images = stack.images.iter();
    images
        .filter_map(|image| {
            let asked = inventory.images.get(&image.name)?;
            Some((&image.name, Followed::of(stack, image, asked, inventory)))
        })
        .collect()
}

impl Followed {
    fn of(stack: &Stack, image: &Image, asked: &ObservedImage, inventory: &Inventory) -> Self {
        let about = Address::Image(image.name.clone());
        match choice(stack, image, inventory) {
            None => Self::named(stack, image, asked, inventory),
            Some(Choice::Chosen { tag, why, waiting }) => {
                if asked.reference != image.tagged(&tag) {
                    let why = format!("where `{tag}` leads was not asked for");
                    return Self::unknown(image, &about, Trouble::new(why));
                }
                let mut followed = Self::named(stack, image, asked, inventory);
                followed.why = Some(why);
                let waits = waiting.map(|waiting| waits(&about, &waiting));
                followed.findings.extend(waits);
                followed
            }
            Some(Choice::Held { waiting, why }) => {
                let message = format!("{why}: what runs stays until {}", minute(waiting.until));
                Self::kept(image, held(&about, message, pin(&waiting.tag)))
            }
            Some(Choice::Downgrade { from, to, why }) => {
                Self::kept(image, downgrade(image, &from, &to, &why))
            }
            Some(Choice::NoMatch { nearest, why }) => Self {
                target: Target::Nothing(Observed::Absent(Trouble::new(why.clone()))),
                ..Self::kept(image, no_match(image, &nearest, &why))
            },
            Some(Choice::Unknown { why }) => {
                let hint = undecided(stack, image, asked, inventory);
                Self::unknown(image, &about, Trouble { why, hint })
            }
        }
    }

    /// What a name leads to.
    fn named(stack: &Stack, image: &Image, asked: &ObservedImage, inventory: &Inventory) -> Self {
        let about = Address::Image(image.name.clone());
        let (code, trouble) = match &asked.digest {
            Observed::Present(digest) => {
                let gate = gate(image, digest, inventory);
                let mut users = users(stack, image, inventory);
                let waits = users.any(|it| !runs(it, image, digest));
                let young = match (&gate, &asked.reference.tag) {
                    (Gate::Until(until), Some(tag)) if waits => Some(young(&about, tag, *until)),
                    _ => None,
                };
                return Self {
                    reference: asked.reference.clone(),
                    target: Target::Build(digest.clone(), gate),
                    why: None,
                    findings: young.into_iter().collect(),
                };
            }
            Observed::Absent(trouble) => (Code::ImageNotFound, trouble),
            Observed::Unknown(trouble) => (Code::ImageUnknown, trouble),
        };
        let finding = Finding {
            hint: trouble.hint.clone(),
            ..finding(Severity::Blocked, code, &about, trouble.why.clone())
        };
        Self {
            reference: asked.reference.clone(),
            target: Target::Nothing(asked.digest.clone()),
            ..Self::kept(image, finding)
        }
    }

    fn kept(image: &Image, finding: Finding) -> Self {
        Self {
            reference: image.anywhere(),
            target: Target::Kept,
            why: None,
            findings: vec![finding],
        }
    }

    fn unknown(image: &Image, about: &Address, trouble: Trouble) -> Self {
        let message = format!("which tag to follow is not known: {}", trouble.why);
        let finding = Finding {
            hint: trouble.hint.clone(),
            ..finding(Severity::Blocked, Code::ImageUnknown, about, message)
        };
        Self {
            target: Target::Nothing(Observed::Unknown(trouble)),
            ..Self::kept(image, finding)
        }
    }

    /// The build that the services move to, now or later.
    pub(crate) fn digest(&self) -> Option<&Digest> {
        match &self.target {
            Target::Build(digest, _) => Some(digest),
            Target::Kept | Target::Nothing(_) => None,
        }
    }

    /// What a service is to run. None: that is not there, or not known.
    pub(crate) fn wanted(
        &self,
        image: &Image,
        address: &Address,
        service: &ObservedService,
    ) -> Option<Wanted> {
        let own = || Wanted::Kept(own(service, image));
        match &self.target {
            Target::Nothing(_) => None,
            Target::Kept => Some(own()),
            Target::Build(digest, gate) => Some(match gate {
                _ if runs(service, image, digest) => Wanted::Build(self.build(image, digest)),
                Gate::Open => Wanted::Build(self.build(image, digest)),
                Gate::Until(_) => own(),
                Gate::Shut(trouble) => Wanted::Blocked(Finding {
                    hint: trouble.hint.clone(),
                    ..finding(
                        Severity::Blocked,
                        Code::AgeUnknown,
                        address,
                        trouble.why.clone(),
                    )
                }),
            }),
        }
    }

    /// `repository:tag@digest`. A build that is held by its digest goes by the
    /// name of the tag to follow, if the spec says one.
    fn build(&self, image: &Image, digest: &Digest) -> ImageRef {
        let tag = match (&image.pin, &image.follow) {
            (Some(Pin::Digest(_)), Follow::Tag(tag)) => Some(tag.clone()),
            (_, Follow::Tag(_) | Follow::Policy { .. }) => self.reference.tag.clone(),
        };
        ImageRef {
            tag,
            digest: Some(digest.clone()),
            ..image.anywhere()
        }
    }

    /// The reference and the build that a plan shows as wanted.
    pub(crate) fn shown(
        &self,
        stack: &Stack,
        image: &Image,
        inventory: &Inventory,
    ) -> (ImageRef, Observed<Digest>) {
        let wants = match &self.target {
            Target::Build(digest, _) => Observed::Present(digest.clone()),
            Target::Nothing(nothing) => nothing.clone(),
            Target::Kept => {
                let mut kept = users(stack, image, inventory).map(|it| own(it, image));
                let first = kept.next().flatten();
                let same = |it: Option<ImageRef>, digest: &Digest| {
                    it.is_some_and(|it| it.digest.as_ref() == Some(digest))
                };
                match first {
                    Some(ImageRef {
                        digest: Some(digest),
                        ..
                    }) if kept.all(|it| same(it, &digest)) => Observed::Present(digest),
                    _ => Observed::Unknown(Trouble::new("each service keeps what it runs")),
                }
            }
        };
        (self.reference.clone(), wants)
    }
}

/// What the spec of a service asks for, if that is a build of the repository.
pub(crate) fn own(service: &ObservedService, image: &Image) -> Option<ImageRef> {
    let own: ImageRef = service.image.parse().ok()?;
    (own.repository == image.repository && own.digest.is_some()).then_some(own)
}

fn runs(service: &ObservedService, image: &Image, digest: &Digest) -> bool {
    own(service, image).is_some_and(|own| own.digest.as_ref() == Some(digest))
}

fn gate(image: &Image, digest: &Digest, inventory: &Inventory) -> Gate {
    let (Some(minimum), None) = (image.minimum_age, &image.pin) else {
        return Gate::Open;
    };
    let unknown = |why: &str| {
        let why = format!("when the wanted build was built is not known: {why}");
        Gate::Shut(Trouble::new(why))
    };
    match date(digest, image, inventory).map(|date| date.age(minimum, inventory.observed_at)) {
        None => unknown("it was not asked for"),
        Some(Age::Enough) => Gate::Open,
        Some(Age::Waits(until)) => Gate::Until(until),
        Some(Age::Unknown(why)) => unknown(&why),
        Some(Age::Undated) => Gate::Shut(Trouble {
            why: "the wanted build does not say when it was built, which `minimumAge` needs"
                .to_owned(),
            hint: Some(
                "let the build set org.opencontainers.image.created; to move at once, hold it with `pin`"
                    .to_owned(),
            ),
        }),
    }
}

/// A better tag that is too young as yet.
fn waits(about: &Address, waiting: &Waiting) -> Finding {
    let message = format!(
        "`{}` is younger than `minimumAge`, and waits until {}",
        waiting.tag,
        minute(waiting.until)
    );
    held(about, message, pin(&waiting.tag))
}

fn pin(tag: &Tag) -> String {
    format!("to move at once, hold it for now: `pin: {tag}`")
}

/// The build that is to be followed is too young as yet.
fn young(about: &Address, tag: &Tag, until: Timestamp) -> Finding {
    let message = format!(
        "the build that `{tag}` names is younger than `minimumAge`: what runs stays until {}",
        minute(until)
    );
    let hint = "to move at once, take `minimumAge` out of the spec for now";
    held(about, message, hint.to_owned())
}

fn held(about: &Address, message: String, hint: String) -> Finding {
    Finding {
        hint: Some(hint),
        ..finding(Severity::Note, Code::Held, about, message)
    }
}

fn downgrade(image: &Image, from: &Running, to: &Tag, why: &str) -> Finding {
    let about = Address::Image(image.name.clone());
    Finding {
        hint: Some(format!(
            "to go down from {from} to `{to}`, write `allowDowngrade: true` for {about} in the spec"
        )),
        ..finding(
            Severity::Blocked,
            Code::Downgrade,
            &about,
            format!("{why}: what runs stays"),
        )
    }
}

fn no_match(image: &Image, nearest: &[Tag], why: &str) -> Finding {
    let nearest: Vec<String> = nearest.iter().map(|tag| format!("`{tag}`")).collect();
    let hint = match nearest.as_slice() {
        [] => "push a build, or look whether the repository is the right one".to_owned(),
        [one] => format!("the nearest is {one}"),
        several => format!("the nearest are {}", several.join(", ")),
    };
    let policy = policy(image);
    Finding {
        hint: Some(hint),
        ..finding(
            Severity::Blocked,
            Code::NoMatch,
            &Address::Image(image.name.clone()),
            format!("the policy {policy} chooses no tag: {why}"),
        )
    }
}

/// What helps where a policy cannot choose.
fn undecided(
    stack: &Stack,
    image: &Image,
    asked: &ObservedImage,
    inventory: &Inventory,
) -> Option<String> {
    let tags = asked.tags.as_ref()?;
    if let TagList::Incomplete(_) = tags.list {
        return tags.hint.clone();
    }
    may_go_down(stack, image, inventory).then(|| {
        format!(
            "if it may be followed by an older one, write `allowDowngrade: true` for image.{} in the spec",
            image.name
        )
    })
}

/// The policy as the spec has it.
pub(crate) fn policy(image: &Image) -> String {
    match &image.follow {
        Follow::Policy { policy, .. } => policy.written(),
        Follow::Tag(tag) => format!("tag \"{tag}\""),
    }
}

/// The first full minute of which it is true.
fn minute(instant: Timestamp) -> String {
    let seconds = instant.as_second() + i64::from(instant.subsec_nanosecond() > 0);
    let full = seconds.saturating_add(59).div_euclid(60).saturating_mul(60);
    let full = Timestamp::from_second(full).unwrap_or(instant);
    full.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
