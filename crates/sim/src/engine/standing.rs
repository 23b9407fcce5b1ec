//! What an engine is at this moment: its version, its platform, its role.

use serde_json::Value;

use super::Engines;
use super::answers::unavailable;
use super::version::Spoken;
use crate::swarm::ApiError;

const NO_MANAGER: &str = "This node is not a swarm manager. Worker nodes can't be used to view \
     or modify cluster state. Please run this command on a manager node or promote the current \
     node to a manager.";

/// An engine that is there, read once a request from its `/info`.
pub(super) struct Standing {
    info: Value,
    /// Why no call about the Swarm can be answered.
    trouble: Option<ApiError>,
}

impl Standing {
    /// None if the host is gone: it answers nothing.
    pub(super) fn of(engines: &Engines, hostname: &str) -> Option<Self> {
        engines.read(|cluster| {
            let reachable = cluster.reachable(hostname);
            reachable.then(|| Self {
                info: cluster.info(hostname),
                trouble: cluster.available().err(),
            })
        })
    }

    /// As `/info` answers it.
    pub(super) fn info(&self) -> &Value {
        &self.info
    }

    /// `20.10.24`
    pub(super) fn version(&self) -> &str {
        self.text("ServerVersion")
    }

    pub(super) fn spoken(&self) -> Spoken {
        Spoken::by(self.version())
    }

    /// `linux`
    pub(super) fn os(&self) -> &str {
        match self.text("OSType") {
            "" => "linux",
            os => os,
        }
    }

    /// As images name it: `amd64`.
    pub(super) fn architecture(&self) -> &str {
        match self.text("Architecture") {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        }
    }

    /// What `/_ping` says of the Swarm.
    pub(super) fn in_swarm(&self) -> String {
        let state = &self.info["Swarm"]["LocalNodeState"];
        match state.as_str().unwrap_or("inactive") {
            "active" if self.manages() => "active/manager".to_owned(),
            "active" => "active/worker".to_owned(),
            other => other.to_owned(),
        }
    }

    pub(super) fn manages(&self) -> bool {
        self.info["Swarm"]["ControlAvailable"] == Value::Bool(true)
    }

    /// # Errors
    /// A worker says that it is none; a manager without a leader, that it has
    /// none.
    pub(super) fn must_manage(&self) -> Result<(), ApiError> {
        match &self.trouble {
            _ if !self.manages() => Err(unavailable(NO_MANAGER)),
            Some(trouble) => Err(trouble.clone()),
            None => Ok(()),
        }
    }

    fn text(&self, field: &str) -> &str {
        self.info[field].as_str().unwrap_or_default()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// An engine by what its `/info` says.
    pub(in super::super) fn standing(info: Value) -> Standing {
        Standing {
            info,
            trouble: None,
        }
    }

    #[test]
    fn a_worker_refuses_what_a_manager_without_a_leader_cannot_answer() {
        let no_leader = ApiError {
            status: 500,
            message: "rpc error".to_owned(),
        };
        let swarm = |manages: bool| json!({"Swarm": {"ControlAvailable": manages, "LocalNodeState": "active"}});
        let mut manager = standing(swarm(true));
        assert_eq!(manager.must_manage(), Ok(()));
        assert_eq!(manager.in_swarm(), "active/manager");
        manager.trouble = Some(no_leader.clone());
        assert_eq!(manager.must_manage(), Err(no_leader.clone()));
        let mut worker = standing(swarm(false));
        worker.trouble = Some(no_leader);
        let refusal = worker.must_manage().unwrap_err();
        assert_eq!(
            (refusal.status, refusal.message.as_str()),
            (503, NO_MANAGER)
        );
        assert_eq!(worker.in_swarm(), "active/worker");
        assert_eq!(standing(json!({})).in_swarm(), "inactive");
    }
}
