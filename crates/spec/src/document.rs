//! The documents of the language, section by section, as they are written.
//!
//! This is the one place where keys are declared; their comments are what an
//! editor shows. What the values mean is checked in `check`.
//!
//! Deliberately absent: defaults. What is not written is None here.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::json;

use crate::diagnostic::{Finding, Kind};
use crate::duration;
use crate::model::{FailureAction, LeaderChange, UpdateOrder};
use crate::near::nearest;
use crate::policy::Order;
use crate::section::{At, Context, Pairs, Read, sections};
use crate::size;
use crate::source::Span;
use crate::yaml::{Node, Value};

mod rollout;

pub(crate) use rollout::{Asking, Probe, Rollout, RolloutKeys};

/// The version of the language that is read here.
pub(crate) const API_VERSION: &str = "imgstack.dev/v1alpha1";

/// The kind of document that is read here.
pub(crate) const KIND: &str = "ImageStack";

/// Scalars of which more is known than their type: what the schema tells an
/// editor. Reading leaves the check to `check`, whose words are better than a
/// pattern's.
macro_rules! scalars {
    ($($(#[$doc:meta])* $type:ident($scalar:ty) = $schema:tt;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $type(pub(crate) At<$scalar>);

        impl Read for $type {
            fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
                At::<$scalar>::read(node, what, context).map(Self)
            }
        }

        impl JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    )*};
}

scalars! {
    /// `apiVersion`.
    ApiVersionText(String) = {"type": "string", "const": API_VERSION};
    /// `kind`.
    KindText(String) = {"type": "string", "const": KIND};
    /// A tag, which a plain number is as well.
    TagText(String) = {"type": ["string", "number"]};
    /// A duration such as `10m`.
    DurationText(String) = {"type": "string", "minLength": 2, "pattern": duration::PATTERN};
    /// A schedule such as `0 4 * * 1`.
    ScheduleText(String) = {"type": "string", "pattern": "^\\S+(\\s+\\S+){4}$"};
    /// A size such as `5GiB`; a plain number is bytes.
    SizeText(String) = {"type": ["string", "integer"], "pattern": size::PATTERN, "minimum": 1};
    /// How many of something.
    Count(u32) = {"type": "integer", "minimum": 1, "maximum": u32::MAX};
    /// How many of something, or 0 for all of them.
    CountOrAll(u32) = {"type": "integer", "minimum": 0, "maximum": u32::MAX};
    /// Which task comes first.
    UpdateOrderText(String) = {"type": "string", "enum": names(&UpdateOrder::NAMES)};
    /// What the engine does when new tasks fail.
    FailureActionText(String) = {"type": "string", "enum": names(&FailureAction::NAMES)};
    /// What becomes of an apply when the leader is another.
    LeaderChangeText(String) = {"type": "string", "enum": names(&LeaderChange::NAMES)};
    /// A URL that a task's node asks for.
    HttpText(String) = {"type": "string", "pattern": "^http://[^/?#]"};
    /// How a policy orders tags.
    OrderText(String) = {"type": "string", "enum": names(&Order::NAMES)};
    /// Whether a major version may change.
    MajorUpgradeText(String) = {"type": "string", "enum": ["block", "allow"]};
    /// The role of a node.
    RoleText(String) = {"type": "string", "enum": ["manager", "worker"]};
    /// The value of a label, which is text whatever it looks like.
    LabelText(String) = {"type": ["string", "number", "boolean"]};
}

sections! {
    /// The images that services of a Docker Swarm run, and how they are kept
    /// current.
    struct Document "document" {
        /// The version of the language.
        required "apiVersion" api_version: ApiVersionText, "apiVersion: imgstack.dev/v1alpha1";
        /// The kind of document.
        required "kind" kind: KindText, "kind: ImageStack";
        /// What the stack is called.
        required "metadata" metadata: Metadata, "metadata: {name: my-stack}";
        /// The desired state.
        required "spec" spec: Spec, "spec: {images: []}";
    }

    /// What the stack is called.
    struct Metadata "`metadata`" {
        /// The name of the stack: letters, digits, `_`, `.` and `-`, at most
        /// 40 of them. It stands in the names of the configs that imgstack
        /// keeps in the Swarm.
        required "name" name: At<String>, "name: my-stack";
    }

    /// The desired state.
    struct Spec "`spec`" {
        /// The Swarm to manage.
        optional "swarm" swarm: Swarm;
        /// How to talk to registries. One that is not named here is used as
        /// docker would use it.
        optional "registries" registries: At<Vec<Registry>>;
        /// The images that services run.
        required "images" images: At<Vec<Image>>, "images: []";
        /// How nodes are reached and kept. Without it, every node that may run
        /// a service is reached through the manager.
        optional "nodes" nodes: At<Vec<NodeRule>>;
        /// The Swarm services whose images are managed. Services of one image
        /// without `after` are rolled out one at a time, in this order.
        optional "services" services: At<Vec<Service>>;
    }

    /// The Swarm to manage.
    struct Swarm "`swarm`" {
        /// A manager's engine: `ssh://[USER@]HOST`, `tcp://HOST:PORT` or
        /// `unix:///PATH`. Default: the docker context in force, as docker
        /// itself finds it.
        optional "endpoint" endpoint: At<String>;
    }

    /// How to talk to a registry.
    struct Registry "registry" {
        /// The host, with its port if it has one, as image references name it:
        /// `ghcr.io`, `localhost:5000`.
        required "host" host: At<String>, "host: ghcr.io";
        /// The account that the password belongs to.
        optional "username" username: At<String>;
        /// Where to read the password. It never stands in this file. Default:
        /// the docker config.
        optional "password" password: Password;
        /// How long before a credential expires to warn of it, such as `14d`,
        /// which is the default.
        optional "warnBeforeExpiry" warn_before_expiry: DurationText;
        /// Use plain http. Registries on this machine may always.
        optional "insecure" insecure: At<bool>;
    }

    /// An image that services run. It follows exactly one of `tag` and `policy`.
    struct ImageKeys "image" {
        /// The name that services refer to.
        required "name" name: At<String>, "name: my-image";
        /// What the image is for; shown by `plan` and `status`.
        optional "purpose" purpose: At<String>;
        /// Registry host and path, without tag or digest.
        required "repository" repository: At<String>, "repository: ghcr.io/owner/name";
        /// The mutable tag to follow. What is deployed is always the digest it
        /// points to.
        optional "tag" tag: TagText;
        /// A rule that chooses the tag to follow among those of the repository.
        optional "policy" policy: Policy;
        /// Lets `policy` lead to a tag below the one that runs. Default:
        /// `false`, so that a tag that vanished leads to none.
        optional "allowDowngrade" allow_downgrade: At<bool>;
        /// How old a build must be before services move to it, such as `24h`;
        /// until then they keep what they run. A build that says no date waits.
        optional "minimumAge" minimum_age: DurationText;
        /// Holds this build, a tag or `sha256:…`, of whatever age, until the
        /// line goes. It wins over `tag` and `policy`.
        optional "pin" pin: TagText;
        /// The image that it is built on, with the tag to follow, such as
        /// `docker.io/library/postgres:16-alpine`. `plan` and `status` tell
        /// when it has moved since the last build.
        optional "base" base: At<String>;
        /// Where its builds come from.
        optional "build" build: BuildSource;
        /// Whether services may move to another major version, such as from 16
        /// to 17, which is a migration of their data: `block`, the default, or
        /// `allow`, until it is done.
        optional "majorUpgrade" major_upgrade: MajorUpgradeText;
        /// How many builds to keep on each node when old ones are removed. What
        /// runs, and what a service would be rolled back to, is kept as well.
        /// Without it nothing is removed.
        optional "keep" keep: Count;
    }

    /// Where the builds of an image come from.
    struct BuildSource "`build`" {
        /// The folder that is built, relative to the folder of this file.
        required "context" context: At<String>, "context: docker";
        /// The Dockerfile, relative to the context. Default: `Dockerfile`.
        optional "dockerfile" dockerfile: At<String>;
        /// The workflow of GitHub Actions that builds it.
        optional "github" github: GitHub;
        /// When it is built by itself, in the five fields of cron, UTC.
        optional "schedule" schedule: ScheduleText;
        /// How old the last build may be, such as `8d`; an older one means that
        /// a build did not come, which `plan` and `status` tell.
        optional "maximumAge" maximum_age: DurationText;
    }

    /// A workflow of GitHub Actions.
    struct GitHub "`github`" {
        /// The repository that has it, as `owner/name`.
        required "repository" repository: At<String>, "repository: owner/name";
        /// Its file in `.github/workflows`.
        required "workflow" workflow: At<String>, "workflow: build.yml";
        /// The branch it is started on. Default: `main`.
        optional "ref" reference: At<String>;
    }

    /// A Swarm service whose image is managed.
    struct Service "service" {
        /// The name of the service in the Swarm.
        required "name" name: At<String>, "name: stack_service";
        /// The name of the image it runs, as defined under `images`.
        required "image" image: At<String>, "image: my-image";
        /// Services that must have been rolled out first.
        optional "after" after: At<Vec<At<String>>>;
        /// The service in the stack file that `docker stack deploy` reads.
        optional "stackFile" stack_file: StackFile;
        /// How the service is rolled out.
        optional "rollout" rollout: Rollout;
    }

    /// Where a service stands in a stack file. A plan tells when its image
    /// there is not the one that the service is to run; `imgstack pin` and
    /// `unpin` write it.
    struct StackFile "`stackFile`" {
        /// The stack file, relative to the folder of this file.
        required "path" path: At<String>, "path: stack.yml";
        /// The name of the service in it, as it stands under `services`.
        required "service" service: At<String>, "service: web";
    }
}

sections! {
    /// A rule that chooses among tags: exactly one of `semver`, `regex` and
    /// `newest`.
    struct PolicyKeys "`policy`" {
        /// The highest version in this range, such as `~3.3`, `^16` or
        /// `>=16.2, <17`. A pre-release only where the range names one.
        optional "semver" semver: At<String>;
        /// What follows the version in the tags of one variant, such as
        /// `-alpine`. Only with `semver`. Default: nothing does.
        optional "suffix" suffix: At<String>;
        /// The first by `order` of the tags that match this regular expression
        /// as a whole. A group marks the part that is ordered.
        optional "regex" regex: At<String>;
        /// How what `regex` finds is ordered; the highest, last or latest is
        /// the one.
        optional "order" order: OrderText;
        /// The newest build of those whose tags match this regular expression
        /// as a whole. Each of them is asked for its date.
        optional "newest" newest: At<String>;
    }
}

/// An entry of `images`. Written out for its schema, which says that there is
/// one of two keys, and for what has neither.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) keys: ImageKeys,
    pub(crate) place: Span,
    /// Whether a key that names what to follow is there, readable or not, or
    /// misspelt.
    pub(crate) follows: bool,
}

impl Read for Image {
    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        let keys = ImageKeys::read(node, what, context)?;
        let follows = match &node.value {
            Value::Map(entries) => entries
                .iter()
                .any(|entry| nearest(&entry.key.text, FOLLOWED).is_some()),
            Value::Scalar(_) | Value::List(_) | Value::Unknown => true,
        };
        let place = keys.name.as_ref().map_or(node.span, |name| name.span);
        Some(Self {
            keys,
            place,
            follows,
        })
    }
}

/// What an image may follow.
const FOLLOWED: [&str; 2] = ["tag", "policy"];

impl JsonSchema for Image {
    fn schema_name() -> Cow<'static, str> {
        "Image".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = ImageKeys::json_schema(generator);
        let one_of = json!([{"required": ["tag"]}, {"required": ["policy"]}]);
        schema.insert("oneOf".into(), one_of);
        let with = json!({"allowDowngrade": ["policy"]});
        schema.insert("dependentRequired".into(), with);
        schema
    }
}

/// `policy`. Written out for its schema, and for the place of an empty one.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) keys: PolicyKeys,
    pub(crate) place: Span,
    /// Whether no mistake has been told of its keys.
    pub(crate) is_whole: bool,
}

impl Read for Policy {
    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        let before = context.findings.count();
        let keys = PolicyKeys::read(node, what, context)?;
        Some(Self {
            keys,
            place: node.span,
            is_whole: context.findings.count() == before,
        })
    }
}

impl JsonSchema for Policy {
    fn schema_name() -> Cow<'static, str> {
        "Policy".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = PolicyKeys::json_schema(generator);
        let one_of = json!([
            {"required": ["semver"]}, {"required": ["regex"]}, {"required": ["newest"]}
        ]);
        schema.insert("oneOf".into(), one_of);
        let with = json!({"regex": ["order"], "order": ["regex"], "suffix": ["semver"]});
        schema.insert("dependentRequired".into(), with);
        schema
    }
}

fn names<T>(names: &[(&'static str, T)]) -> Vec<&'static str> {
    names.iter().map(|(name, _)| *name).collect()
}

sections! {
    /// What is said of one node, or of those that a selector matches: exactly
    /// one of `name` and `selector`. Rules are merged: for each key the rule by
    /// `name` wins, then the first in the file that matches and gives it.
    struct NodeKeys "node rule" {
        /// The hostname of a node.
        optional "name" name: At<String>;
        /// The nodes that have these properties, also those that join later;
        /// `{}` is every node.
        optional "selector" selector: Selector;
        /// How to reach the node's own engine: `ssh://[USER@]HOST`,
        /// `tcp://HOST:PORT` (TLS) or `unix:///PATH`, in which `{hostname}` and
        /// `{address}` stand for those of the node. Default: through the
        /// manager.
        optional "engine" engine: At<String>;
        /// Log the node's docker in to the registries that have a credential,
        /// for people who type `docker pull` there. It needs an engine that is
        /// reached by ssh. Default: `false`.
        optional "login" login: At<bool>;
        /// The space that pulls must leave free where the engine keeps its
        /// images, such as `5GiB`.
        optional "minimumFreeDisk" minimum_free_disk: SizeText;
    }

    /// Properties that a node has, all of them.
    struct Selector "`selector`" {
        /// Its role: `manager` or `worker`.
        optional "role" role: RoleText;
        /// Its labels, those that a constraint calls `node.labels.NAME`, and
        /// their values.
        optional "labels" labels: Pairs<LabelText>;
    }
}

/// An entry of `nodes`. Written out for its schema, which says that there is
/// one of the two keys, and for the place of what has neither.
#[derive(Debug)]
pub(crate) struct NodeRule {
    pub(crate) keys: NodeKeys,
    pub(crate) place: Span,
    /// Whether no mistake has been told of its keys.
    pub(crate) is_whole: bool,
}

impl Read for NodeRule {
    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        let before = context.findings.count();
        let keys = NodeKeys::read(node, what, context)?;
        Some(Self {
            keys,
            place: node.span,
            is_whole: context.findings.count() == before,
        })
    }
}

impl JsonSchema for NodeRule {
    fn schema_name() -> Cow<'static, str> {
        "NodeRule".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = NodeKeys::json_schema(generator);
        let one_of = json!([{"required": ["name"]}, {"required": ["selector"]}]);
        schema.insert("oneOf".into(), one_of);
        schema
    }
}

/// `password`: where one is read. Written out, since a text in its place is the
/// one mistake whose message must not show what is written.
#[derive(Debug)]
pub(crate) enum Password {
    /// Where it is read.
    Source(PasswordSource),
    /// The password itself stands here.
    Literal(Span),
    /// Neither, which has been told.
    Wrong,
}

sections! {
    /// Where to read a password: exactly one of the keys.
    struct PasswordSource "`password`" {
        /// An environment variable.
        optional "env" env: At<String>;
        /// A file; one trailing line break is not part of the password.
        optional "file" file: At<String>;
        /// A program and its arguments; the first line of its output.
        optional "command" command: At<Vec<At<String>>>;
    }
}

impl Read for Password {
    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        if matches!(node.value, Value::Scalar(_)) {
            return Some(Self::Literal(node.span));
        }
        let before = context.findings.count();
        let Some(source) = PasswordSource::read(node, what, context) else {
            return Some(Self::Wrong);
        };
        let empty = source.env.is_none() && source.file.is_none() && source.command.is_none();
        // What stands there instead may have been told already.
        if empty && context.findings.count() == before {
            let finding = Finding::new(Kind::Credentials, "`password` has no source");
            let finding = finding.at(node.span, "empty");
            let help = "write `{env: NAME}`, `{file: PATH}` or `{command: [PROGRAM]}`";
            context.findings.push(finding.help(help));
        }
        Some(Self::Source(source))
    }
}

impl JsonSchema for Password {
    fn schema_name() -> Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = PasswordSource::json_schema(generator);
        schema.insert("minProperties".into(), 1.into());
        schema.insert("maxProperties".into(), 1.into());
        schema
    }
}
