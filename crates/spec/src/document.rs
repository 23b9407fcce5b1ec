//! The documents of the language, section by section, as they are written.
//!
//! This is the one place where keys are declared; their comments are what an
//! editor shows. What the values mean is checked in `check`.
//!
//! Deliberately absent: defaults. What is not written is None here.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::diagnostic::{Finding, Kind};
use crate::duration;
use crate::section::{At, Context, Read, sections};
use crate::source::Span;
use crate::yaml::{Node, Value};

/// The version of the language that is read here.
pub(crate) const API_VERSION: &str = "imgstack.dev/v1alpha1";

/// The kind of document that is read here.
pub(crate) const KIND: &str = "ImageStack";

/// Text of which more is known than that it is text: what the schema tells an
/// editor. Reading leaves the check to `check`, whose words are better than a
/// pattern's.
macro_rules! texts {
    ($($(#[$doc:meta])* $type:ident = $schema:tt;)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $type(pub(crate) At<String>);

        impl Read for $type {
            fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
                At::<String>::read(node, what, context).map(Self)
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

texts! {
    /// `apiVersion`.
    ApiVersionText = {"type": "string", "const": API_VERSION};
    /// `kind`.
    KindText = {"type": "string", "const": KIND};
    /// A tag, which a plain number is as well.
    TagText = {"type": ["string", "number"]};
    /// A duration such as `10m`.
    DurationText = {"type": "string", "minLength": 2, "pattern": duration::PATTERN};
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
        /// Use plain http. Registries on this machine may always.
        optional "insecure" insecure: At<bool>;
    }

    /// An image that services run.
    struct Image "image" {
        /// The name that services refer to.
        required "name" name: At<String>, "name: my-image";
        /// What the image is for; shown by `plan` and `status`.
        optional "purpose" purpose: At<String>;
        /// Registry host and path, without tag or digest.
        required "repository" repository: At<String>, "repository: ghcr.io/owner/name";
        /// The mutable tag to follow. What is deployed is always the digest it
        /// points to.
        required "tag" tag: TagText, "tag: \"16\"";
        /// Holds this build, a tag or `sha256:…`, until the line goes.
        optional "pin" pin: TagText;
    }

    /// A Swarm service whose image is managed.
    struct Service "service" {
        /// The name of the service in the Swarm.
        required "name" name: At<String>, "name: stack_service";
        /// The name of the image it runs, as defined under `images`.
        required "image" image: At<String>, "image: my-image";
        /// Services that must have been rolled out first.
        optional "after" after: At<Vec<At<String>>>;
        /// How the service is rolled out.
        optional "rollout" rollout: Rollout;
    }

    /// How a service is rolled out.
    struct Rollout "`rollout`" {
        /// How long the service may take to converge, such as `90s` or
        /// `1h30m`. Default: `10m`.
        optional "timeout" timeout: DurationText;
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
