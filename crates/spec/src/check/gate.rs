//! `probe`, `lastIf` and `beforeLast` of a `rollout`: what is asked of tasks.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::duration;
use super::rollout::{Limit, word};
use crate::diagnostic::{Finding, Kind, quoted};
use crate::document::{self, Asking, DurationText, HttpText, RolloutKeys};
use crate::model::{DEFAULT_ANSWER, DEFAULT_EVERY, LastIf, LeaderChange, Probe, Question};
use crate::section::{At, Context, in_brackets};
use crate::source::Span;
use crate::task_template::{self, TaskTemplate, TaskTemplateError};
use crate::{Endpoint, TaskPlace, secrets};

/// What holds before the next service goes.
pub(super) fn probe(
    probe: &Asking<document::Probe>,
    limit: &Limit<'_>,
    context: &mut Context<'_>,
) -> Option<Probe> {
    let keys = &probe.keys;
    let asked = Asked {
        key: "probe",
        http: keys.http.as_ref(),
        tcp: keys.tcp.as_ref(),
        exec: keys.exec.as_ref(),
        place: probe.place,
        is_whole: probe.is_whole,
    };
    let question = question(&asked, context);
    let every = time(keys.every.as_ref(), DEFAULT_EVERY, context);
    let hold = time(keys.hold.as_ref(), Duration::ZERO, context);
    let timeout = time(keys.timeout.as_ref(), DEFAULT_ANSWER, context);
    let limits = [
        (
            "every",
            keys.every.as_ref(),
            every,
            "a probe is asked as seldom as the whole rollout may take",
        ),
        (
            "for",
            keys.hold.as_ref(),
            hold,
            "a probe must hold for as long as the whole rollout may take",
        ),
        (
            "timeout` of `probe",
            keys.timeout.as_ref(),
            timeout,
            "one answer may take as long as the whole rollout",
        ),
    ];
    for (key, text, value, message) in limits {
        limit.check(key, text, value, message, context);
    }
    Some(Probe {
        question: question?,
        every: every?,
        hold: hold?,
        timeout: timeout?,
    })
}

/// Who goes last, and what is done before it goes.
pub(super) fn last_if(
    rollout: &RolloutKeys,
    limit: &Limit<'_>,
    context: &mut Context<'_>,
) -> Option<LastIf> {
    let on_change = rollout.on_leader_change.as_ref();
    let on_change =
        on_change.map(|it| word(&it.0, "onLeaderChange", &LeaderChange::NAMES, context));
    let before = rollout.before_last.as_ref();
    let before = before.map(|it| program(it.0.exec.as_ref()?, context));
    let Some(last_if) = &rollout.last_if else {
        alone(rollout, context);
        return None;
    };
    let keys = &last_if.keys;
    let asked = Asked {
        key: "lastIf",
        http: keys.http.as_ref(),
        tcp: keys.tcp.as_ref(),
        exec: keys.exec.as_ref(),
        place: last_if.place,
        is_whole: last_if.is_whole,
    };
    let question = question(&asked, context);
    let timeout = time(keys.timeout.as_ref(), DEFAULT_ANSWER, context);
    let message = "one answer may take as long as the whole rollout";
    let key = "timeout` of `lastIf";
    limit.check(key, keys.timeout.as_ref(), timeout, message, context);
    Some(LastIf {
        question: question?,
        timeout: timeout?,
        on_change: on_change.unwrap_or_else(|| Some(LeaderChange::default()))?,
        before: match before {
            Some(words) => Some(words?),
            None => None,
        },
    })
}

/// What says something of the leader, where nothing asks for one.
fn alone(rollout: &RolloutKeys, context: &mut Context<'_>) {
    let before = rollout.before_last.as_ref();
    let before = before.and_then(|it| Some(it.0.exec.as_ref()?.span));
    let on_change = rollout.on_leader_change.as_ref().map(|it| it.0.span);
    let given = [("onLeaderChange", on_change), ("beforeLast", before)];
    for (key, place) in given {
        let Some(place) = place else { continue };
        let message = format!("`{key}` goes with `lastIf`, which is not there");
        let finding = Finding::new(Kind::Rollout, message).at(place, "of which leader?");
        let help = "add a line such as `lastIf: {http: \"http://{task.address}:8008/primary\"}`, or remove this one";
        context.findings.push(finding.help(help));
    }
}

fn time(
    text: Option<&DurationText>,
    default: Duration,
    context: &mut Context<'_>,
) -> Option<Duration> {
    match text {
        Some(text) => duration(&text.0, context),
        None => Some(default),
    }
}

/// The keys of a section that asks a question.
struct Asked<'d> {
    key: &'static str,
    http: Option<&'d HttpText>,
    tcp: Option<&'d At<String>>,
    exec: Option<&'d At<Vec<At<String>>>>,
    place: Span,
    is_whole: bool,
}

/// Exactly one of `http`, `tcp` and `exec`.
fn question(asked: &Asked<'_>, context: &mut Context<'_>) -> Option<Question> {
    let key = asked.key;
    let places = [
        asked.http.map(|it| it.0.span),
        asked.tcp.map(|it| it.span),
        asked.exec.map(|it| it.span),
    ];
    let mut given: Vec<Span> = places.into_iter().flatten().collect();
    given.sort_by_key(|place| place.start);
    if let [first, second, ..] = *given {
        let message = format!("`{key}` asks more than one question");
        let finding = Finding::new(Kind::Rollout, message);
        let finding = finding.at(second, "a second one").at(first, "one question");
        let help = "keep one of `http`, `tcp` and `exec`";
        context.findings.push(finding.help(help));
        return None;
    }
    match (asked.http, asked.tcp, asked.exec) {
        (Some(text), _, _) => http(&text.0, context).map(Question::Http),
        (_, Some(text), _) => tcp(text, context).map(Question::Tcp),
        (_, _, Some(words)) => program(words, context).map(Question::Exec),
        (None, None, None) => {
            // One that could not be read has been told of.
            if asked.is_whole {
                let finding = Finding::new(Kind::Rollout, format!("`{key}` asks nothing"));
                let finding = finding.at(asked.place, "what is asked?");
                let help = "write `{http: \"http://{task.address}:8008/readiness\"}`, `{tcp: \"{task.address}:5432\"}` or `{exec: [pg_isready, -q]}`";
                context.findings.push(finding.help(help));
            }
            None
        }
    }
}

/// Plain http: a task is asked by its address, for which no certificate speaks.
fn http(text: &At<String>, context: &mut Context<'_>) -> Option<TaskTemplate> {
    let template = template(text, context)?;
    let filled = template.fill(&SAMPLE).ok()?;
    let wrong = |message: String, label| Finding::new(Kind::Rollout, message).at(text.span, label);
    let Some(rest) = filled.strip_prefix("http://") else {
        let finding = if filled.starts_with("https://") {
            let message = "a task is asked by its address, for which no certificate speaks";
            wrong(message.to_owned(), "not https").help(
                "write `http://…`, or ask in the container, such as `{exec: [curl, -fsk, \"https://localhost:8443/ready\"]}`",
            )
        } else {
            let message = format!("{} is not an http URL", quoted(&text.value));
            wrong(message, "not a URL").help(URL)
        };
        context.findings.push(finding);
        return None;
    };
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let has_port = authority
        .rsplit(']')
        .next()
        .is_some_and(|it| it.contains(':'));
    let port = if has_port { "" } else { ":80" };
    let is_url = is_host_and_port(&format!("{authority}{port}"))
        && !rest.contains(|c: char| c.is_whitespace() || c.is_control());
    if !is_url || rest.contains('#') {
        let message = format!("{} is not an http URL", quoted(&text.value));
        let label = match () {
            () if rest.contains('#') => "what follows `#` is not for a server",
            () if authority.contains('@') => "no login is sent",
            () => "not a URL",
        };
        context.findings.push(wrong(message, label).help(URL));
        return None;
    }
    Some(template)
}

const URL: &str = "write a URL such as `http://{task.address}:8008/readiness`";

fn tcp(text: &At<String>, context: &mut Context<'_>) -> Option<TaskTemplate> {
    let template = template(text, context)?;
    if is_host_and_port(&template.fill(&SAMPLE).ok()?) {
        return Some(template);
    }
    let message = format!("{} is not a host and a port", quoted(&text.value));
    let finding = Finding::new(Kind::Rollout, message).at(text.span, "not `HOST:PORT`");
    let bare = text.value.trim_start_matches("tcp://");
    let is_right = bare != text.value && is_host_and_port(&filled(bare));
    context.findings.push(match is_right {
        true => finding.did_you_mean(Some(bare)),
        false => finding.help("write a host and a port, such as `{task.address}:5432`"),
    });
    None
}

/// A task as there may be one.
const SAMPLE: TaskPlace<'static> = TaskPlace {
    address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
    slot: Some(1),
    hostname: "node-1",
    node_address: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2))),
};

fn filled(text: &str) -> String {
    let template = text.parse::<TaskTemplate>();
    let filled = template.map(|it| it.fill(&SAMPLE).unwrap_or_default());
    filled.unwrap_or_default()
}

fn is_host_and_port(text: &str) -> bool {
    !text.contains(['/', '@']) && format!("tcp://{text}").parse::<Endpoint>().is_ok()
}

/// A program and its arguments.
fn program(words: &At<Vec<At<String>>>, context: &mut Context<'_>) -> Option<Vec<TaskTemplate>> {
    let empty = words.value.first().is_none_or(|it| it.value.is_empty());
    if empty || words.value.iter().any(|it| it.value.contains('\0')) {
        let finding = Finding::new(Kind::Rollout, "`exec` names no program");
        let finding = finding.at(words.span, "not a program and its arguments");
        let help = "write the program and its arguments, such as `[pg_isready, -q]`";
        context.findings.push(finding.help(help));
        return None;
    }
    let one_word = words.value.first().filter(|it| it.value.contains(' '));
    if let Some(word) = one_word.filter(|it| !secrets::is_given(&it.value)) {
        let message = format!(
            "{} is one word, and no program is called so",
            quoted(&word.value)
        );
        let finding = Finding::new(Kind::Rollout, message).at(word.span, "the program");
        let apart = in_brackets(word.value.split_whitespace());
        let help = format!(
            "write its arguments as words of their own: {}",
            quoted(&apart)
        );
        context.findings.push(finding.help(help));
        return None;
    }
    let mut secret_next = false;
    let mut whole = Vec::new();
    for word in &words.value {
        if secret_next || secrets::is_given(&word.value) {
            secret(word.span, context);
        } else {
            whole.push(template(word, context));
        }
        secret_next = secrets::is_option(&word.value);
    }
    let count = words.value.len();
    let whole: Vec<_> = whole.into_iter().flatten().collect();
    (whole.len() == count).then_some(whole)
}

/// What a plan would show, and a process list.
fn secret(place: Span, context: &mut Context<'_>) {
    context.findings.blacken(place);
    let finding = Finding::new(Kind::LiteralSecret, "a secret cannot stand in the spec");
    let finding = finding.at(place, "a plan would show it").help(
        "let the program find it in its container, in a variable or a file; replace the secret if anybody else could read this file",
    );
    context.findings.push(finding);
}

fn template(text: &At<String>, context: &mut Context<'_>) -> Option<TaskTemplate> {
    if secrets::is_literal(&text.value) {
        secret(text.span, context);
        return None;
    }
    let error = match text.value.parse() {
        Ok(template) => return Some(template),
        Err(error) => error,
    };
    let finding = Finding::new(Kind::Rollout, error.to_string());
    let finding = match &error {
        TaskTemplateError::Placeholder(name) => {
            let written = format!("{{{name}}}");
            let at = text.value.find(&written).unwrap_or_default();
            let part = at..at + written.len();
            let span = context.source.within(text.span, &text.value, part);
            let finding = finding.at(span, "not a placeholder");
            match task_template::meant(name) {
                Some(meant) => finding.did_you_mean(Some(&format!("{{{meant}}}"))),
                None => finding.help(PLACEHOLDERS),
            }
        }
        TaskTemplateError::Brace(_) => finding.at(text.span, "one brace alone").help(PLACEHOLDERS),
        // Only of a task.
        TaskTemplateError::Absent(_) | TaskTemplateError::Hostname(_) => finding,
    };
    context.findings.push(finding);
    None
}

const PLACEHOLDERS: &str = "the placeholders are `{task.address}`, `{task.slot}`, `{node.hostname}` and `{node.address}`; braces for anything else go into a script in the image";
