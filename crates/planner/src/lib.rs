//! Compares what should be with what is, and makes a plan.
//!
//! [`plan`] takes a stack (desired), an [`Inventory`] (observed) and
//! [`Options`], and yields a [`StackPlan`]: steps with literal values in the
//! order in which they are to be done, and a [`Report`] of what blocks, waits
//! or wants attention. The same input gives the same bytes.
//!
//! Deliberately absent: any I/O, clock or randomness. This crate depends on no
//! client and on no runtime, which a test of the workspace checks.

mod drift;
mod inventory;
mod observed;
mod order;
mod plan;
mod planner;
mod platforms;
mod report;
mod running;
mod service;
mod target;

pub use drift::{Drift, Moved, Unseen, drift};
pub use inventory::{
    Build, FailureAction, Inventory, ObservedImage, ObservedNode, ObservedService, ObservedTask,
    RegistryWarning, ServiceMode, UpdateOrder, UpdateSettings, UpdateState, UpdateStatus,
};
pub use observed::{Known, Observed, Trouble};
pub use plan::{
    Action, Change, FORMAT_VERSION, Plan, PlannedImage, Restarts, RunningBuild, Seen, StackPlan,
    Step, Summary, UpdateService,
};
pub use planner::{Options, plan};
pub use report::{Code, Finding, Report, Severity};
pub use target::{TargetError, check_targets};
