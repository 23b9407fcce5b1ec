//! The keys of `rollout`: settings of the engine's, and what is asked of a
//! service's tasks.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::json;

use super::{
    CountOrAll, DurationText, FailureActionText, HttpText, LeaderChangeText, UpdateOrderText,
};
use crate::diagnostic::{Finding, Kind, quoted};
use crate::secrets;
use crate::section::{At, Context, Read, in_brackets, sections};
use crate::source::Span;
use crate::yaml::{Node, Value};

sections! {
    /// How a service is rolled out. `order`, `parallelism`, `monitor` and
    /// `onFailure` are written into its `update_config`; one that is absent
    /// stays as the service has it.
    struct RolloutKeys "`rollout`" {
        /// Whether the task that is there stops before the new one starts:
        /// `stop-first` or `start-first`.
        optional "order" order: UpdateOrderText;
        /// How many tasks are replaced at once; 0 is all of them.
        optional "parallelism" parallelism: CountOrAll;
        /// How long a new task is watched before it counts as good, such as
        /// `30s`.
        optional "monitor" monitor: DurationText;
        /// What the engine does when new tasks fail: goes back to what ran
        /// before (`rollback`), stops there (`pause`), or goes on (`continue`).
        optional "onFailure" on_failure: FailureActionText;
        /// How long the service may take to converge, such as `90s` or
        /// `1h30m`. Default: `10m`.
        optional "timeout" timeout: DurationText;
        /// What must hold of each task before the next service goes.
        optional "probe" probe: Asking<Probe>;
        /// Asks whether the service leads. Of the services of one image that
        /// have it, the leader goes last.
        optional "lastIf" last_if: Asking<LastIf>;
        /// What becomes of an apply in which another service leads than did
        /// when the plan was made: the order of what is left is worked out
        /// again (`replan`, the default), or nothing further is begun (`stop`).
        optional "onLeaderChange" on_leader_change: LeaderChangeText;
        /// What is run in a task of the leader before it goes.
        optional "beforeLast" before_last: Running<BeforeLast>;
    }

    /// What must hold of each task of a service before the next service goes:
    /// exactly one of `http`, `tcp` and `exec`. In each, `{task.address}`,
    /// `{task.slot}`, `{node.hostname}` and `{node.address}` stand for those of
    /// the task.
    struct Probe "`probe`" {
        /// A URL that is asked for with GET from the task's own node, such as
        /// `http://{task.address}:8008/readiness`; 200 to 299 is yes.
        optional "http" http: HttpText;
        /// A `HOST:PORT` that is connected to from the task's own node, such as
        /// `{task.address}:5432`; a connection is yes.
        optional "tcp" tcp: At<String>;
        /// A program and its arguments, which run in the task's container,
        /// without a shell, such as `[pg_isready, -q]`; exit code 0 is yes.
        optional "exec" exec: At<Vec<At<String>>>;
        /// How often a task is asked, such as `5s`. Default: `2s`.
        optional "every" every: DurationText;
        /// For how long every answer must have been yes, such as `30s`; a no
        /// begins it anew. Default: one yes of each task is enough.
        optional "for" hold: DurationText;
        /// How long one answer may take; a later one is no answer. Default:
        /// `5s`.
        optional "timeout" timeout: DurationText;
    }

    /// Asks whether the task of a service leads, such as the primary of a
    /// database: exactly one of `http`, `tcp` and `exec`, as in `probe`. Of the
    /// services of one image that have it, the one that answers yes goes last.
    struct LastIf "`lastIf`" {
        /// A URL that is asked for with GET from the task's own node, such as
        /// `http://{task.address}:8008/primary`; 200 to 299 is yes.
        optional "http" http: HttpText;
        /// A `HOST:PORT` that is connected to from the task's own node; a
        /// connection is yes.
        optional "tcp" tcp: At<String>;
        /// A program and its arguments, which run in the task's container,
        /// without a shell; exit code 0 is yes, any other is no.
        optional "exec" exec: At<Vec<At<String>>>;
        /// How long one answer may take; without one it is not known who leads.
        /// Default: `5s`.
        optional "timeout" timeout: DurationText;
    }

    /// What is run in a task of the leader before the leader goes, such as a
    /// switchover.
    struct BeforeLast "`beforeLast`" {
        /// A program and its arguments, which run in the task's container,
        /// without a shell, such as
        /// `[patronictl, switchover, --force]`. Exit code 0 is success; the
        /// leader goes once it no longer leads. Plans show the words, so a
        /// secret does not stand among them.
        required "exec" exec: At<Vec<At<String>>>, "exec: [patronictl, switchover, --force]";
    }
}

/// `rollout`. Written out for its schema, which says which keys go together.
#[derive(Debug)]
pub(crate) struct Rollout(pub(crate) RolloutKeys);

impl Read for Rollout {
    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        RolloutKeys::read(node, what, context).map(Self)
    }
}

impl JsonSchema for Rollout {
    fn schema_name() -> Cow<'static, str> {
        "Rollout".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = RolloutKeys::json_schema(generator);
        let with = json!({"onLeaderChange": ["lastIf"], "beforeLast": ["lastIf"]});
        schema.insert("dependentRequired".into(), with);
        schema
    }
}

/// A section that asks one question. Written out for its schema, which says that
/// there is one of three keys, and for the place of what has none.
#[derive(Debug)]
pub(crate) struct Asking<K> {
    pub(crate) keys: K,
    pub(crate) place: Span,
    /// Whether no mistake has been told of its keys.
    pub(crate) is_whole: bool,
}

impl<K: Read> Read for Asking<K> {
    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        if is_bare(node, what, context) {
            return None;
        }
        let before = context.findings.count();
        let keys = K::read(node, what, context)?;
        Some(Self {
            keys,
            place: node.span,
            is_whole: context.findings.count() == before,
        })
    }
}

impl<K: JsonSchema> JsonSchema for Asking<K> {
    fn schema_name() -> Cow<'static, str> {
        K::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = K::json_schema(generator);
        let one_of = json!([
            {"required": ["http"]}, {"required": ["tcp"]}, {"required": ["exec"]}
        ]);
        schema.insert("oneOf".into(), one_of);
        schema
    }
}

/// A section that runs a program.
#[derive(Debug)]
pub(crate) struct Running<K>(pub(crate) K);

impl<K: Read> Read for Running<K> {
    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        match is_bare(node, what, context) {
            true => None,
            false => K::read(node, what, context).map(Self),
        }
    }
}

impl<K: JsonSchema> JsonSchema for Running<K> {
    fn schema_name() -> Cow<'static, str> {
        K::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        K::json_schema(generator)
    }
}

/// Whether a program or a URL stands where a key belongs before it, which is
/// told then. A word that gives a secret is told of as any wrong type.
fn is_bare(node: &Node, what: &str, context: &mut Context<'_>) -> bool {
    let word = |node: &Node| match &node.value {
        Value::Scalar(it) => Some(it.text.clone()),
        _ => None,
    };
    let words: Option<Vec<String>> = match &node.value {
        Value::List(items) => items.iter().map(word).collect(),
        Value::Scalar(it) => Some(it.text.split_whitespace().map(str::to_owned).collect()),
        Value::Map(_) | Value::Unknown => None,
    };
    let Some(words) = words.filter(|it| !it.is_empty()) else {
        return false;
    };
    let all = words.join(" ");
    let is_secret = secrets::is_given(&all);
    if is_secret {
        context.findings.blacken(node.span);
    }
    let keys = match &*words {
        _ if is_secret => "{exec: […]}".to_owned(),
        [url] if url.starts_with("http") && url.contains("://") => format!("{{http: \"{url}\"}}"),
        words => format!(
            "{{exec: {}}}",
            in_brackets(words.iter().map(String::as_str))
        ),
    };
    let message = format!("{what} must be a mapping, not {}", node.noun());
    let finding = Finding::new(Kind::WrongType, message).at(node.span, "not a mapping");
    let help = format!("write {}", quoted(&keys));
    context.findings.push(finding.help(help));
    true
}
