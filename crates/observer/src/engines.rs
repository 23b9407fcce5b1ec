//! Connections to the engines of nodes, each made once however often it is
//! asked for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use imgstack_planner::Trouble;
use imgstack_spec::Endpoint;
use imgstack_swarm::{Environment, NodeEngine, Target};
use tokio::sync::OnceCell;
use tokio::time::timeout;

/// How long a connection may take. A host that is off answers nothing at all.
const PATIENCE: Duration = Duration::from_secs(20);

type Slot = Arc<OnceCell<Result<NodeEngine, Trouble>>>;

/// The engines of nodes that have been asked for. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Engines {
    environment: Environment,
    slots: Arc<Mutex<BTreeMap<Endpoint, Slot>>>,
}

impl Engines {
    /// None yet; TLS is as docker's variables in the environment have it.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self {
            environment,
            slots: Arc::default(),
        }
    }

    /// The engine at that endpoint, or why it cannot be reached.
    pub(crate) async fn at(&self, endpoint: &Endpoint) -> Result<NodeEngine, Trouble> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(endpoint.clone()).or_default())
        };
        slot.get_or_init(|| self.connect(endpoint)).await.clone()
    }

    async fn connect(&self, endpoint: &Endpoint) -> Result<NodeEngine, Trouble> {
        let target = Target::named(endpoint.clone(), "spec.nodes", &self.environment);
        let target = target.map_err(|error| Trouble {
            why: error.to_string(),
            hint: error.hint(),
        })?;
        match timeout(PATIENCE, NodeEngine::connect(&target)).await {
            Ok(Ok(engine)) => Ok(engine),
            Ok(Err(error)) => Err(Trouble {
                why: error.to_string(),
                hint: error.hint(),
            }),
            Err(_) => Err(Trouble {
                why: format!("{endpoint} does not answer within {} s", PATIENCE.as_secs()),
                hint: Some(format!(
                    "see whether it can be reached: docker -H {endpoint} info"
                )),
            }),
        }
    }
}
