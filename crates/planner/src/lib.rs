//! Compares what should be with what is, and makes a plan.
//!
//! [`plan`] takes a stack (desired), an [`Inventory`] (observed) and
//! [`Options`], and yields a [`StackPlan`]: steps with literal values in the
//! order in which they are to be done, and a [`Report`] of what blocks, waits
//! or wants attention. The same input gives the same bytes.
//!
//! [`spec_diff`] says what a change of the spec means, without a cluster.
//!
//! Deliberately absent: any I/O, clock or randomness. This crate depends on no
//! client and on no runtime, which a test of the workspace checks.

mod choice;
mod credential;
mod disk;
mod drift;
mod failed;
mod finish;
mod follow;
mod freshness;
mod hash;
mod holdings;
mod inventory;
mod leader;
mod leftover;
mod login;
mod major;
mod observed;
mod order;
mod plan;
mod planner;
mod platforms;
mod presence;
mod removal;
mod report;
mod rollout;
mod running;
mod schema;
mod service;
mod settings;
pub mod spec_diff;
mod stack_file;
mod step;
mod target;

pub use choice::{choice, running_builds, undated, unled};
pub use credential::CREDENTIAL_LABELS;
pub use drift::{Drift, Moved, Unseen, drift};
pub use freshness::freshest;
pub use hash::{HashError, PlanHash};

pub use holdings::{Held, Holding};
pub use inventory::{
    Acceptance, Availability, BaseState, Build, Disk, Evidence, FailedBuild, Freshness, GoodBuild,
    History, Inventory, LastRun, Leftover, LoginState, MovedBase, ObservedCredential,
    ObservedEngine, ObservedImage, ObservedNode, ObservedService, ObservedTags, ObservedTask, Past,
    PlatformContent, PullSize, References, RegistryWarning, RunState, ServiceMode, StackFileImage,
    StoredBuild, UnreadRelease, UpdateSettings, UpdateState, UpdateStatus, same_content,
};
pub use leader::{Leader, Leadership, leaders, leadership, several, to_be_asked};
pub use observed::{Known, Observed, Trouble};
pub use order::{Place, arrange, service_order};
pub use plan::{
    Commit, FORMAT_VERSION, PLAN_FORMAT_VERSION, Plan, PlannedImage, RunningBuild, Seen, StackPlan,
    Summary,
};
pub use planner::{Only, Options, plan};
pub use report::{Code, Finding, Report, Severity};
pub use schema::schema_text;
pub use step::{
    Action, AdjustService, Change, Effect, LogIn, PullImage, RemoveImage, RemoveLeftover, Restarts,
    RotateCredential, SettingsChange, Step, StepId, UpdateService, Via,
};
pub use target::{TargetError, check_target_nodes, check_targets};
