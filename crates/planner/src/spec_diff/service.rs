//! Services: which image they run, and how they are rolled out.

use imgstack_spec::{
    Address, DEFAULT_ANSWER, DEFAULT_EVERY, DEFAULT_TIMEOUT, LastIf, LeaderChange, Probe, Question,
    RolloutSettings, Service, StackFile, StackName, TaskTemplate, write_duration,
};

use super::change::{Act, Change, Effect, Meaning, Subject};
use super::field::{Field, Named, differences, list, said};
use super::sides::Sides;
use super::wanted::{self, Step, step};

/// The fields of a service, but for its name.
#[derive(Clone, Copy)]
enum Key {
    Stack,
    Image,
    After,
    Setting(Setting),
    Timeout,
    Probe(Part),
    LastIf(Part),
    OnLeaderChange,
    BeforeLast,
    StackFilePath,
    StackFileService,
}

/// A setting of the engine's.
#[derive(Clone, Copy)]
enum Setting {
    Order,
    Parallelism,
    Monitor,
    OnFailure,
}

/// A part of a question to tasks.
#[derive(Clone, Copy)]
enum Part {
    Http,
    Tcp,
    Exec,
    Every,
    For,
    Timeout,
}

impl Named for Key {
    fn name(self) -> String {
        match self {
            Self::Stack => "stack".to_owned(),
            Self::Image => "image".to_owned(),
            Self::After => "after".to_owned(),
            Self::Setting(setting) => format!("rollout.{}", setting.name()),
            Self::Timeout => "rollout.timeout".to_owned(),
            Self::Probe(part) => format!("rollout.probe.{}", part.name()),
            Self::LastIf(part) => format!("rollout.lastIf.{}", part.name()),
            Self::OnLeaderChange => "rollout.onLeaderChange".to_owned(),
            Self::BeforeLast => "rollout.beforeLast.exec".to_owned(),
            Self::StackFilePath => "stackFile.path".to_owned(),
            Self::StackFileService => "stackFile.service".to_owned(),
        }
    }
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Parallelism => "parallelism",
            Self::Monitor => "monitor",
            Self::OnFailure => "onFailure",
        }
    }
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Tcp => "tcp",
            Self::Exec => "exec",
            Self::Every => "every",
            Self::For => "for",
            Self::Timeout => "timeout",
        }
    }
}

pub(super) fn added(stack: &StackName, service: &Service) -> Change {
    let message = format!(
        "starts to be managed: gets the build of image.{}, which restarts its tasks{}, unless it \
         runs that build already",
        service.image,
        pace(service)
    );
    Change {
        says: said(fields(stack, service).into_iter().skip(1).collect()),
        ..Meaning::new(Effect::Managed, message)
            .on(vec![service.name.clone()])
            .change(stack, address(service), Act::Add)
    }
}

pub(super) fn removed(stack: &StackName, service: &Service) -> Change {
    let message = "is managed no more; nothing is removed, and it goes on with the build that it \
                   runs";
    Change {
        says: said(fields(stack, service).into_iter().skip(1).collect()),
        ..Meaning::new(Effect::Unmanaged, message)
            .on(vec![service.name.clone()])
            .change(stack, address(service), Act::Remove)
    }
}

pub(super) fn compare(
    old: (&StackName, &Service),
    new: (&StackName, &Service),
    sides: &Sides<'_>,
) -> Vec<Change> {
    let (before, after) = (fields(old.0, old.1), fields(new.0, new.1));
    let mean = |key| meaning(key, old.1, new.1, sides);
    differences(new.0, &address(new.1), before, after, mean)
}

fn address(service: &Service) -> Subject {
    Subject::Thing(Address::Service(service.name.clone()))
}

fn fields(stack: &StackName, service: &Service) -> Vec<Field<Key>> {
    // All of them by name, so that a new one is not forgotten here.
    let Service {
        name: _,
        image,
        after,
        rollout,
        timeout,
        probe,
        last_if,
        stack_file,
    } = service;
    // Their order means nothing.
    let mut after: Vec<&str> = after.iter().map(|it| it.as_str()).collect();
    after.sort_unstable();
    after.dedup();
    let mut fields = vec![
        Field::new(Key::Stack, Some(stack.to_string())),
        Field::new(Key::Image, Some(image.to_string())),
        Field::new(Key::After, (!after.is_empty()).then(|| list(&after))),
    ];
    fields.extend(settings(rollout));
    fields.push(Field::or_default(
        Key::Timeout,
        Some(write_duration(*timeout)),
        *timeout == DEFAULT_TIMEOUT,
    ));
    fields.extend(probe_fields(probe.as_ref()));
    fields.extend(last_if_fields(last_if.as_ref()));
    let (path, name) = match stack_file {
        None => (None, None),
        Some(StackFile {
            path,
            service,
            spec_folder: _,
        }) => (Some(path.display().to_string()), Some(service.clone())),
    };
    fields.push(Field::new(Key::StackFilePath, path));
    fields.push(Field::new(Key::StackFileService, name));
    fields
}

fn settings(rollout: &RolloutSettings) -> Vec<Field<Key>> {
    let RolloutSettings {
        order,
        parallelism,
        monitor,
        on_failure,
    } = rollout;
    let said = [
        (Setting::Order, order.map(|it| it.word().to_owned())),
        (Setting::Parallelism, parallelism.map(|it| it.to_string())),
        (Setting::Monitor, monitor.map(write_duration)),
        (
            Setting::OnFailure,
            on_failure.map(|it| it.word().to_owned()),
        ),
    ];
    let fields = said
        .into_iter()
        .map(|(setting, value)| Field::new(Key::Setting(setting), value));
    fields.collect()
}

/// What a question says: http, tcp, exec.
fn asked(question: Option<&Question>) -> [(Part, Option<String>); 3] {
    let (mut http, mut tcp, mut exec) = (None, None, None);
    match question {
        None => {}
        Some(Question::Http(url)) => http = Some(url.to_string()),
        Some(Question::Tcp(place)) => tcp = Some(place.to_string()),
        Some(Question::Exec(words)) => exec = Some(program(words)),
    }
    [(Part::Http, http), (Part::Tcp, tcp), (Part::Exec, exec)]
}

fn program(words: &[TaskTemplate]) -> String {
    let words: Vec<&str> = words.iter().map(TaskTemplate::as_str).collect();
    list(&words)
}

fn probe_fields(probe: Option<&Probe>) -> Vec<Field<Key>> {
    let times = probe.map(|probe| {
        let Probe {
            question: _,
            every,
            hold,
            timeout,
        } = probe;
        (*every, *hold, *timeout)
    });
    let question = asked(probe.map(|it| &it.question)).into_iter();
    let mut fields: Vec<_> = question
        .map(|(part, value)| Field::new(Key::Probe(part), value))
        .collect();
    let (every, hold, timeout) = (
        times.map(|it| it.0),
        times.map(|it| it.1),
        times.map(|it| it.2),
    );
    let usual = |time: Option<_>, default| time.is_none_or(|it| it == default);
    fields.extend([
        Field::or_default(
            Key::Probe(Part::Every),
            every.map(write_duration),
            usual(every, DEFAULT_EVERY),
        ),
        Field::new(
            Key::Probe(Part::For),
            hold.filter(|it| !it.is_zero()).map(write_duration),
        ),
        Field::or_default(
            Key::Probe(Part::Timeout),
            timeout.map(write_duration),
            usual(timeout, DEFAULT_ANSWER),
        ),
    ]);
    fields
}

fn last_if_fields(last_if: Option<&LastIf>) -> Vec<Field<Key>> {
    let question = asked(last_if.map(|it| &it.question)).into_iter();
    let mut fields: Vec<_> = question
        .map(|(part, value)| Field::new(Key::LastIf(part), value))
        .collect();
    let (timeout, on_change, before) = match last_if {
        None => (None, None, None),
        Some(LastIf {
            question: _,
            timeout,
            on_change,
            before,
        }) => (Some(*timeout), Some(*on_change), before.as_ref()),
    };
    let word = on_change.map(|change| match change {
        LeaderChange::Replan => "replan".to_owned(),
        LeaderChange::Stop => "stop".to_owned(),
    });
    fields.extend([
        Field::or_default(
            Key::LastIf(Part::Timeout),
            timeout.map(write_duration),
            timeout.is_none_or(|it| it == DEFAULT_ANSWER),
        ),
        Field::or_default(
            Key::OnLeaderChange,
            word,
            on_change.is_none_or(|it| it == LeaderChange::default()),
        ),
        Field::new(Key::BeforeLast, before.map(|words| program(words))),
    ]);
    fields
}

/// How many tasks go at once, where the spec says so.
fn pace(service: &Service) -> String {
    match service.rollout.parallelism {
        None => String::new(),
        Some(0) => ", all at once".to_owned(),
        Some(1) => ", one after another".to_owned(),
        Some(tasks) => format!(", {tasks} at once"),
    }
}

/// The service has another image of the spec: what that asks for is what
/// counts, and not its name.
fn other_image(old: &Service, new: &Service, sides: &Sides<'_>) -> Meaning {
    let images = (sides.old.image(&old.image), sides.new.image(&new.image));
    let (Some(was), Some(is)) = images else {
        // Reading a spec sees to it that there are both.
        return Meaning::no_restart("the image is not in the spec");
    };
    let meaning = match step(was, is) {
        Step::Same if wanted::lets_more_through(was, is) => Meaning::new(
            Effect::Restarts,
            format!(
                "follows the same under another name; a build that waits goes sooner, which then \
                 restarts its tasks{}",
                pace(new)
            ),
        ),
        Step::Same => {
            return Meaning::no_restart("asks for the same build under another name; no restart");
        }
        Step::Blocked { from, to } => Meaning::new(
            Effect::Blocked,
            wanted::blocked(is, from, to, "the service stays as it is"),
        ),
        Step::Moves {
            is_elsewhere,
            allowed,
        } => {
            let unless = match is_elsewhere {
                true => "",
                false => ", unless it runs that build already",
            };
            let allowed = wanted::allowed(allowed);
            let effect = match is.pin.is_some() {
                true => Effect::Held,
                false => Effect::Restarts,
            };
            Meaning::new(
                effect,
                format!(
                    "gets the build of image.{}: restarts its tasks{}{unless}{allowed}",
                    is.name,
                    pace(new)
                ),
            )
        }
    };
    meaning.on(vec![new.name.clone()])
}

fn meaning(key: Key, old: &Service, new: &Service, sides: &Sides<'_>) -> Meaning {
    match key {
        Key::Stack => other_stack(new, sides),
        Key::Image => other_image(old, new, sides),
        Key::After => {
            Meaning::no_restart("the next rollout takes the services in another order; no restart")
        }
        Key::Setting(setting) => Meaning::no_restart(match is_said(setting, &new.rollout) {
            true => "is written into the service; no restart",
            false => "stays as the service has it; no restart",
        })
        .on(vec![new.name.clone()]),
        Key::Timeout | Key::Probe(_) | Key::LastIf(_) | Key::OnLeaderChange | Key::BeforeLast => {
            Meaning::no_restart("counts from the next rollout on; no restart")
        }
        Key::StackFilePath | Key::StackFileService => Meaning::no_restart(
            "is where `plan` looks for what a deployment would undo, and where `pin` writes",
        ),
    }
}

/// A service of another cluster is another service, whatever its name.
fn other_stack(new: &Service, sides: &Sides<'_>) -> Meaning {
    let homes = [&sides.old, &sides.new].map(|side| side.services.get(&new.name));
    let [was, is] = homes.map(|home| home.map(|(stack, _)| &stack.endpoint));
    match was == is {
        true => Meaning::no_restart("belongs to another stack; no restart"),
        false => Meaning::new(
            Effect::OtherCluster,
            "belongs to another stack, which asks another manager; if it is of another cluster, \
             the service there is managed, and nothing is removed from the old one",
        ),
    }
}

fn is_said(setting: Setting, rollout: &RolloutSettings) -> bool {
    match setting {
        Setting::Order => rollout.order.is_some(),
        Setting::Parallelism => rollout.parallelism.is_some(),
        Setting::Monitor => rollout.monitor.is_some(),
        Setting::OnFailure => rollout.on_failure.is_some(),
    }
}
