//! The language of desired state.
//!
//! Reads `ImageStack` documents with source spans, checks them, and yields
//! [`Stack`]s: plain data that the planner compares with the world. Also the
//! vocabulary that every other crate shares: image references, digests,
//! addresses, platforms, endpoints. And what the language's rules about tags
//! come to: [`policy`] chooses among them, [`major`] guards their steps.
//!
//! The way of a text: [`load`] (files) → `decode` (bytes to text) → `yaml` (a
//! tree with places) → `document` (sections and keys) → `check` (meaning) →
//! `model`. Mistakes of every step are collected as `diagnostic`s, and no step
//! stops at the first.
//!
//! [`edit`] goes the other way: it changes one pin or one image in a text that
//! a person has written, and leaves every other byte.
//!
//! Deliberately absent: anything that touches a network or an engine, and
//! printing.

mod address;
mod check;
mod decode;
mod diagnostic;
mod document;
mod duration;
pub mod edit;
mod endpoint;
mod engine_template;
mod github;
mod load;
pub mod major;
mod model;
mod name;
mod near;
mod platform;
pub mod policy;
mod reading;
mod reference;
mod schedule;
mod schema;
mod secrets;
mod section;
mod size;
mod source;
mod task_template;
mod version;
mod yaml;

pub use address::{Address, AddressError};
pub use diagnostic::{Diagnostics, Kind, Mistake};
pub use duration::{parse_duration, write_duration};
pub use endpoint::{Endpoint, EndpointError};
pub use engine_template::{EngineTemplate, EngineTemplateError};
pub use github::{GitHubError, GitHubRepository, GitRef, WorkflowFile};
pub use load::{Input, is_yaml, load};
pub use model::{
    BuildSource, DEFAULT_ANSWER, DEFAULT_DOCKERFILE, DEFAULT_EVERY, DEFAULT_TIMEOUT,
    DEFAULT_WARN_BEFORE_EXPIRY, FailureAction, Follow, GitHubWorkflow, Image, LastIf, LeaderChange,
    MajorUpgrade, NodeMatch, NodeRole, NodeRule, NodeSettings, Pin, Probe, Question, Registry,
    RolloutSettings, SecretSource, Selector, Service, Stack, StackFile, StackSet, UpdateOrder,
};
pub use name::{ImageName, NameError, NodeName, ServiceName, StackName};
pub use near::nearest;
pub use platform::Platform;
pub use reading::read;
pub use reference::{Digest, ImageRef, ReferenceError, RegistryHost, Repository, Tag};
pub use schedule::{Schedule, ScheduleError};
pub use schema::{schema, schema_text, written_schema};
pub use size::{ByteSize, SizeError};
pub use task_template::{TaskPlace, TaskTemplate, TaskTemplateError};
