//! A lock as it stands in the cluster.

use std::collections::BTreeMap;

use imgstack_spec::StackName;
use imgstack_swarm::{Config, Error, Manager};
use jiff::Timestamp;

use super::{Claim, Holder};
use crate::stack_key;

/// The label that marks a lock; its value is the stack.
const LABEL: &str = "dev.imgstack.lock";
/// Tells one taking of the lock from all others.
const TOKEN: &str = "dev.imgstack.lock.token";
const OWNER: &str = "dev.imgstack.lock.owner";
const HOST: &str = "dev.imgstack.lock.host";
const PROCESS: &str = "dev.imgstack.lock.process";
const COMMAND: &str = "dev.imgstack.lock.command";
const SINCE: &str = "dev.imgstack.lock.since";
const HEARTBEAT: &str = "dev.imgstack.lock.heartbeat";
/// The lock is nobody's any more, and is to be removed.
const CONDEMNED: &str = "dev.imgstack.lock.condemned";

/// What a config holds that is only a name: it may not be empty.
pub(super) const DATA: &[u8] = b"A lock of imgstack's; its labels say whose.\n";

/// A lock that somebody has, or has had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Who.
    pub holder: Holder,
    /// Tells this taking of the lock from all others; releases name it.
    pub token: String,
    pub(super) config: Config,
}

/// The lock's name in the Swarm: `imgstack.lock.STACK`, in small letters, since
/// the Swarm's names are one in any case. A stack's name has at most forty
/// characters, so that it fits into the Swarm's 64, here and in the journal.
#[must_use]
pub fn config_name(stack: &StackName) -> String {
    format!("imgstack.lock.{}", stack_key(stack))
}

/// The lock of a stack, if somebody has it.
///
/// # Errors
/// See [`Error`].
pub async fn standing(manager: &Manager, stack: &StackName) -> Result<Option<Standing>, Error> {
    let config = manager.config(&config_name(stack)).await?;
    Ok(config.map(Standing::of))
}

impl Standing {
    pub(super) fn of(config: Config) -> Self {
        let text = |key| config.label(key).unwrap_or_default().to_owned();
        let time = |key| config.label(key)?.parse().ok();
        let holder = Holder {
            owner: text(OWNER),
            host: text(HOST),
            process: config.label(PROCESS).and_then(|it| it.parse().ok()),
            command: text(COMMAND),
            since: time(SINCE),
            heartbeat: time(HEARTBEAT),
        };
        Self {
            holder,
            token: text(TOKEN),
            config,
        }
    }

    /// Whether it is nobody's any more.
    pub(super) fn is_condemned(&self) -> bool {
        self.config.label(CONDEMNED).is_some()
    }

    /// Its labels with a sign of life.
    pub(super) fn with_heartbeat(&self, now: Timestamp) -> BTreeMap<String, String> {
        let mut labels = self.config.labels.clone();
        labels.insert(HEARTBEAT.to_owned(), now.to_string());
        labels
    }

    /// Its labels once it is nobody's any more; with who says so.
    pub(super) fn condemned(&self, by: &str) -> BTreeMap<String, String> {
        let mut labels = self.config.labels.clone();
        labels.insert(CONDEMNED.to_owned(), by.to_owned());
        labels
    }
}

/// The labels of a lock that is taken now.
pub(super) fn labels(
    stack: &StackName,
    claim: &Claim,
    token: &str,
    now: Timestamp,
) -> BTreeMap<String, String> {
    let labels = [
        (LABEL, stack_key(stack)),
        (TOKEN, token.to_owned()),
        (OWNER, claim.owner.clone()),
        (HOST, claim.host.clone()),
        (PROCESS, claim.process.to_string()),
        (COMMAND, claim.command.clone()),
        (SINCE, now.to_string()),
        (HEARTBEAT, now.to_string()),
    ];
    labels
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use imgstack_swarm::ConfigId;

    use super::*;

    fn config(labels: BTreeMap<String, String>) -> Config {
        Config {
            id: ConfigId::new("x"),
            version: 7,
            name: "imgstack.lock.shop".to_owned(),
            labels,
            data: DATA.to_vec(),
        }
    }

    #[test]
    fn every_name_of_a_stack_fits_and_case_makes_no_other() {
        for (stack, name) in [
            ("shop", "imgstack.lock.shop"),
            ("Postgres-HA", "imgstack.lock.postgres-ha"),
            ("a.b_c", "imgstack.lock.a.b_c"),
        ] {
            assert_eq!(config_name(&stack.parse().unwrap()), name);
        }
        let longest: StackName = "a".repeat(40).parse().unwrap();
        assert!(config_name(&longest).len() <= 64);
    }

    #[test]
    fn what_is_written_is_read() {
        let claim = Claim {
            owner: "root".to_owned(),
            host: "ci-1".to_owned(),
            process: 17,
            command: "imgstack apply".to_owned(),
        };
        let now: Timestamp = "2026-08-01T10:00:00Z".parse().unwrap();
        let labels = labels(&"Shop".parse().unwrap(), &claim, "t1", now);
        assert_eq!(labels["dev.imgstack.lock"], "shop");
        let standing = Standing::of(config(labels));
        let expected = Holder {
            owner: "root".to_owned(),
            host: "ci-1".to_owned(),
            process: Some(17),
            command: "imgstack apply".to_owned(),
            since: Some(now),
            heartbeat: Some(now),
        };
        assert_eq!(standing.holder, expected);
        assert_eq!(standing.token, "t1");
        assert!(!standing.is_condemned());
        let later: Timestamp = "2026-08-01T10:00:05Z".parse().unwrap();
        let beaten = Standing::of(config(standing.with_heartbeat(later)));
        assert_eq!(beaten.holder.heartbeat, Some(later));
        assert_eq!(beaten.holder.since, Some(now));
        let condemned = Standing::of(config(standing.condemned("t2")));
        assert!(condemned.is_condemned());
        assert_eq!(condemned.token, "t1");
    }

    #[test]
    fn a_config_that_somebody_made_by_hand_is_a_lock_of_nobody_known() {
        let standing = Standing::of(config(BTreeMap::new()));
        assert_eq!(standing.holder, Holder::default());
        assert!(!standing.is_condemned());
    }
}
