//! Images: what they ask for, and what that means for their services.

use std::path::Path;

use imgstack_spec::{
    Address, BuildSource, DEFAULT_DOCKERFILE, Follow, GitHubWorkflow, Image, MajorUpgrade, Pin,
    StackName, write_duration,
};

use super::change::{Act, Change, Effect, Meaning, Subject};
use super::field::{Field, Named, differences, said};
use super::order;
use super::sides::{Sides, Users};
use super::wanted::{self, Step, step};

/// The fields of an image, but for its name.
#[derive(Clone, Copy)]
enum Key {
    Stack,
    Purpose,
    Repository,
    Tag,
    Policy,
    AllowDowngrade,
    MinimumAge,
    Pin,
    Base,
    Context,
    Dockerfile,
    GitHubRepository,
    Workflow,
    Reference,
    Schedule,
    MaximumAge,
    MajorUpgrade,
    Keep,
}

impl Named for Key {
    fn name(self) -> String {
        let name = match self {
            Self::Stack => "stack",
            Self::Purpose => "purpose",
            Self::Repository => "repository",
            Self::Tag => "tag",
            Self::Policy => "policy",
            Self::AllowDowngrade => "allowDowngrade",
            Self::MinimumAge => "minimumAge",
            Self::Pin => "pin",
            Self::Base => "base",
            Self::Context => "build.context",
            Self::Dockerfile => "build.dockerfile",
            Self::GitHubRepository => "build.github.repository",
            Self::Workflow => "build.github.workflow",
            Self::Reference => "build.github.ref",
            Self::Schedule => "build.schedule",
            Self::MaximumAge => "build.maximumAge",
            Self::MajorUpgrade => "majorUpgrade",
            Self::Keep => "keep",
        };
        name.to_owned()
    }
}

pub(super) fn added(stack: &StackName, image: &Image, sides: &Sides<'_>) -> Change {
    let users = sides.new.users(&image.name);
    let message = match users.is_empty() {
        true => "starts to be managed, and no service is to run it yet".to_owned(),
        false => format!("starts to be managed, for {}", users.named()),
    };
    Change {
        says: said(fields(stack, image).into_iter().skip(1).collect()),
        ..Meaning::new(Effect::Managed, message).change(stack, address(image), Act::Add)
    }
}

pub(super) fn removed(stack: &StackName, image: &Image) -> Change {
    let message = match image.keep {
        Some(_) => {
            "is managed no more; nothing is removed, nor are its older builds from nodes any more"
        }
        None => "is managed no more; nothing is removed",
    };
    Change {
        says: said(fields(stack, image).into_iter().skip(1).collect()),
        ..Meaning::new(Effect::Unmanaged, message).change(stack, address(image), Act::Remove)
    }
}

pub(super) fn compare(
    old: (&StackName, &Image),
    new: (&StackName, &Image),
    sides: &Sides<'_>,
) -> Vec<Change> {
    let pair = Pair {
        old: old.1,
        new: new.1,
        users: sides.users(&new.1.name),
    };
    let address = address(new.1);
    let (before, after) = (fields(old.0, old.1), fields(new.0, new.1));
    let mut changes = differences(new.0, &address, before, after, |key| pair.meaning(key));
    changes.extend(order::of_services(new.0, &new.1.name, sides));
    changes
}

fn address(image: &Image) -> Subject {
    Subject::Thing(Address::Image(image.name.clone()))
}

fn fields(stack: &StackName, image: &Image) -> Vec<Field<Key>> {
    // All of them by name, so that a new one is not forgotten here.
    let Image {
        name: _,
        purpose,
        repository,
        follow,
        minimum_age,
        pin,
        base,
        build,
        major_upgrade,
        keep,
    } = image;
    let (tag, policy, allow_downgrade) = match follow {
        Follow::Tag(tag) => (Some(tag.to_string()), None, false),
        Follow::Policy {
            policy,
            allow_downgrade,
        } => (None, Some(policy.written()), *allow_downgrade),
    };
    let pin = pin.as_ref().map(|pin| match pin {
        Pin::Tag(tag) => tag.to_string(),
        Pin::Digest(digest) => digest.to_string(),
    });
    let major = match major_upgrade {
        MajorUpgrade::Block => "block",
        MajorUpgrade::Allow => "allow",
    };
    let blocks = *major_upgrade == MajorUpgrade::Block;
    let downgrade = allow_downgrade.then(|| "true".to_owned());
    let mut fields = vec![
        Field::new(Key::Stack, Some(stack.to_string())),
        Field::new(Key::Purpose, purpose.clone()),
        Field::new(Key::Repository, Some(repository.to_string())),
        Field::new(Key::Tag, tag),
        Field::new(Key::Policy, policy),
        Field::new(Key::AllowDowngrade, downgrade),
        Field::new(Key::MinimumAge, minimum_age.map(write_duration)),
        Field::new(Key::Pin, pin),
        Field::new(Key::Base, base.as_ref().map(ToString::to_string)),
    ];
    fields.extend(build_fields(build.as_ref()));
    fields.push(Field::or_default(
        Key::MajorUpgrade,
        Some(major.to_owned()),
        blocks,
    ));
    fields.push(Field::new(Key::Keep, keep.map(|it| it.to_string())));
    fields
}

fn build_fields(build: Option<&BuildSource>) -> Vec<Field<Key>> {
    let path = |path: &Path| path.display().to_string();
    let Some(BuildSource {
        context,
        dockerfile,
        github,
        schedule,
        maximum_age,
        spec_folder: _,
    }) = build
    else {
        let keys = [
            Key::Context,
            Key::Dockerfile,
            Key::GitHubRepository,
            Key::Workflow,
            Key::Reference,
            Key::Schedule,
            Key::MaximumAge,
        ];
        return keys.map(|key| Field::new(key, None)).into();
    };
    let (repository, workflow, reference) = match github {
        None => (None, None, None),
        Some(GitHubWorkflow {
            repository,
            workflow,
            reference,
        }) => (
            Some(repository.to_string()),
            Some(workflow.to_string()),
            Some(reference.to_string()),
        ),
    };
    let is_main = reference.as_deref().is_none_or(|it| it == "main");
    let is_usual = dockerfile == Path::new(DEFAULT_DOCKERFILE);
    vec![
        Field::new(Key::Context, Some(path(context))),
        Field::or_default(Key::Dockerfile, Some(path(dockerfile)), is_usual),
        Field::new(Key::GitHubRepository, repository),
        Field::new(Key::Workflow, workflow),
        Field::or_default(Key::Reference, reference, is_main),
        Field::new(Key::Schedule, schedule.as_ref().map(ToString::to_string)),
        Field::new(Key::MaximumAge, maximum_age.map(write_duration)),
    ]
}

/// An image before and after, and the services that have it in both.
struct Pair<'a> {
    old: &'a Image,
    new: &'a Image,
    users: Users,
}

impl Pair<'_> {
    fn meaning(&self, key: Key) -> Meaning {
        let Self { new, .. } = self;
        match key {
            Key::Stack => Meaning::no_restart("belongs to another stack"),
            Key::Purpose => {
                Meaning::no_restart("is what people are shown; nothing in the cluster changes")
            }
            Key::Tag | Key::Policy | Key::AllowDowngrade | Key::MinimumAge if new.pin.is_some() => {
                Meaning::no_restart("`pin` decides, until it goes")
            }
            Key::Repository | Key::Tag | Key::Policy | Key::Pin => self.build(key),
            Key::AllowDowngrade => self.downgrade(),
            Key::MinimumAge => self.age(),
            Key::Base => Meaning::no_restart("is what `plan` and `status` tell the image's age by"),
            Key::Context
            | Key::Dockerfile
            | Key::GitHubRepository
            | Key::Workflow
            | Key::Reference
            | Key::Schedule => Meaning::no_restart(format!(
                "counts from the next build on; a workflow that imgstack wrote is to be written \
                 anew: `imgstack generate workflow {}`",
                new.name
            )),
            Key::MaximumAge => {
                Meaning::no_restart("is what `plan` and `status` tell an overdue build by")
            }
            Key::MajorUpgrade => self.major(),
            Key::Keep => self.keep(),
        }
    }

    /// Another build is asked for, or may be.
    fn build(&self, key: Key) -> Meaning {
        let Self { old, new, users } = self;
        let lead = match (key, &old.pin, &new.pin) {
            (Key::Pin, None, Some(_)) => "a build is held from now on",
            (_, _, Some(_)) => "another build is held",
            (Key::Pin, _, None) => "no build is held any more",
            (_, _, None) => match &new.follow {
                Follow::Tag(_) => "another build is followed",
                Follow::Policy { .. } => "the policy chooses anew",
            },
        };
        let (is_elsewhere, allowed) = match step(old, new) {
            Step::Same => {
                return Meaning::no_restart(format!("{lead}, by the same name: no restart"));
            }
            Step::Blocked { from, to } => return self.blocked(from, to),
            Step::Moves {
                is_elsewhere,
                allowed,
            } => (is_elsewhere, allowed),
        };
        if users.is_empty() {
            return Meaning::no_restart(format!("{lead}, which no service ran before"));
        }
        let effect = match new.pin.is_some() {
            true => Effect::Held,
            false => Effect::Restarts,
        };
        let unless = match (is_elsewhere, users.names.len()) {
            (true, _) => "",
            (false, 1) => ", unless it runs that build already",
            (false, _) => ", unless they run that build already",
        };
        let allowed = wanted::allowed(allowed);
        let restarts = users.restarts();
        Meaning::new(effect, format!("{lead}: {restarts}{unless}{allowed}")).on(users.names.clone())
    }

    fn blocked(&self, from: u32, to: u32) -> Meaning {
        let Self { new, users, .. } = self;
        let stay = match users.names.len() {
            0 => "it waits".to_owned(),
            1 => format!("{} stays as it is", users.named()),
            _ => format!("{} stay as they are", users.named()),
        };
        Meaning::new(Effect::Blocked, wanted::blocked(new, from, to, &stay)).on(users.names.clone())
    }

    /// What leads to another build only where one waits.
    fn may_move(&self, why: &str) -> Meaning {
        match self.users.is_empty() {
            true => Meaning::no_restart(format!("{why}; no service ran it before")),
            false => Meaning::new(
                Effect::Restarts,
                format!("{why}, which then {}", self.users.restarts()),
            )
            .on(self.users.names.clone()),
        }
    }

    fn downgrade(&self) -> Meaning {
        match &self.new.follow {
            Follow::Policy {
                allow_downgrade: true,
                ..
            } => self.may_move("the policy may lead below what runs"),
            Follow::Policy { .. } | Follow::Tag(_) => {
                Meaning::no_restart("nothing leads below what runs any more, but a tag or a pin")
            }
        }
    }

    fn age(&self) -> Meaning {
        match self.new.minimum_age > self.old.minimum_age {
            true => Meaning::no_restart("a build that is younger waits"),
            false => self.may_move("a build that waits goes sooner"),
        }
    }

    fn major(&self) -> Meaning {
        match self.new.major_upgrade {
            MajorUpgrade::Allow if wanted::is_allowed_major(self.old, self.new) => {
                Meaning::no_restart("allows the step to another major version")
            }
            MajorUpgrade::Allow => {
                self.may_move("a step to another major version is taken where one is blocked")
            }
            MajorUpgrade::Block => {
                Meaning::no_restart("a step to another major version is blocked from now on")
            }
        }
    }

    fn keep(&self) -> Meaning {
        match (self.old.keep, self.new.keep) {
            (_, None) => Meaning::no_restart("no build is removed from nodes any more"),
            (Some(before), Some(now)) if now > before => {
                Meaning::no_restart("more builds stay on the nodes")
            }
            (_, Some(now)) => Meaning::new(
                Effect::Removes,
                format!(
                    "of the builds that nobody needs, all but the newest {now} go from the nodes"
                ),
            ),
        }
    }
}
