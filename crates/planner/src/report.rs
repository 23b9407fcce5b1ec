//! What the planner has to say apart from the steps.

use imgstack_spec::Address;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Everything found, most severe first, then by address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

/// One thing that blocks, waits or wants attention.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of finding, for programs.
    pub code: Code,
    /// What it is about.
    pub address: Address,
    /// What was found, as a lower-case fragment.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The way that a person goes instead, step by step, in sentences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub procedure: Vec<String>,
    /// What cannot be planned because of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<Address>,
}

/// How bad a finding is.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Something that the spec asks for cannot be planned.
    Blocked,
    /// Somebody should look at it.
    Attention,
    /// Good to know.
    Note,
}

/// The kinds of findings.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Code {
    /// The manager could not be asked.
    SwarmUnknown,
    /// No service of that name.
    ServiceNotFound,
    /// The service is a job: an update would run it again.
    ServiceIsJob,
    /// Somebody's update is still going on.
    UpdateInProgress,
    /// The registry says that there is no such image.
    ImageNotFound,
    /// The registry could not be asked, or did not let us.
    ImageUnknown,
    /// No tag of the repository is one that the policy means.
    NoMatch,
    /// The policy would lead below what runs, which stays.
    Downgrade,
    /// A build is too young as yet; what runs stays until then.
    Held,
    /// Whether the wanted build is old enough cannot be told.
    AgeUnknown,
    /// The wanted build has failed, for the service or for another one of its
    /// image.
    FailedBefore,
    /// The journal cannot be read, so that nobody knows which builds failed.
    JournalUnknown,
    /// A release of the journal cannot be read.
    JournalPageUnread,
    /// Old builds stay on nodes: one of them may be the way back.
    NotRemoved,
    /// Another major version: a migration.
    MajorUpgrade,
    /// The wanted build has nothing for a node that runs the service.
    PlatformMissing,
    /// A service that must come first is blocked.
    AfterBlocked,
    /// More than one service of a group answers as its leader.
    SeveralLeaders,
    /// Whether a service leads is not known.
    LeaderUnknown,
    /// No service of a group answers as its leader.
    NoLeader,
    /// Does not wait for what its `after` names, since a leader goes last.
    AfterSetAside,
    /// Asks for the wanted build, and not all of its tasks run.
    NotRunning,
    /// The engine stopped on the way to the wanted build.
    StoppedHalfWay,
    /// A task that an update does not reach, since its node is paused.
    NodePaused,
    /// Keeps what it runs, which is a tag without a digest: no build for sure.
    BareTag,
    /// The right build under another name: left as it is.
    OtherName,
    /// The last update of the service did not end well.
    LastUpdateFailed,
    /// The next deployment of the stack file would undo what the spec asks for.
    StackFileDiffers,
    /// What a stack file would bring is not known.
    StackFileUnknown,
    /// Carries the stack's label and is not in the spec.
    NotInSpec,
    /// The registry refused the credential, and answers without one.
    StaleCredential,
    /// A place where credentials are looked for cannot be read.
    CredentialSource,
    /// Steps left out by `--target`.
    NotTargeted,
    /// A node that may run services is down.
    NodeDown,
    /// A node takes no tasks, on purpose.
    NodeTakesNoTasks,
    /// What a node holds could not be asked of its engine.
    NodeUnknown,
    /// The spec names no way to the engines of some nodes.
    PresenceUnknown,
    /// Nodes pull through a service that somebody else made.
    PullsElsewhere,
    /// No room on a node for what it would have to pull.
    DiskFull,
    /// Less room on a node than the spec wants, with nothing to be pulled.
    DiskLow,
    /// How much room a node has is not known.
    DiskUnknown,
    /// A service waits for a node that has no room for its image.
    NodeBlocked,
    /// Something is wrong with a credential, refused by now or not.
    CredentialConcern,
    /// A credential ends soon, or has ended.
    CredentialExpires,
    /// The credential of a service is not changed now.
    NotRotated,
    /// The rollout settings of a service are not changed now.
    NotAdjusted,
    /// Whether a node is logged in could not be seen.
    LoginUnknown,
    /// A node is not logged in, for lack of a credential.
    LoginSkipped,
    /// The base of an image has moved since the image was built.
    BaseMoved,
    /// Whether the base of an image has moved is not known.
    BaseUnknown,
    /// The build of an image is older than the spec lets it become.
    BuildOverdue,
    /// How old the build of an image is, is not known.
    BuildAgeUnknown,
}

impl Report {
    /// Whether something that the spec asks for could not be planned.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Blocked)
    }

    /// Puts the findings in their order, each once: where services keep what
    /// they run, a node is looked at for each of several builds.
    pub(crate) fn sort(&mut self) {
        self.findings.sort_by(|a, b| {
            (a.severity, &a.address, a.code, &a.message)
                .cmp(&(b.severity, &b.address, b.code, &b.message))
        });
        self.findings.dedup();
    }
}
