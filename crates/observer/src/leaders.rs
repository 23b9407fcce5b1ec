//! Who leads, of the services that the spec asks so where it can matter.
//!
//! Which those are the planner's own function says, so that nobody is asked
//! whose answer changes no plan.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use imgstack_planner::{Inventory, Known, Trouble, to_be_asked};
use imgstack_spec::{ServiceName, Stack};
use imgstack_swarm::probe::Asker;
use imgstack_swarm::{Node, Task};

/// Asks the tasks of those services, side by side. To be called once all else
/// that a plan is made from is in the inventory.
pub(crate) async fn leaders(
    stack: &Stack,
    inventory: &Inventory,
    asker: &Asker,
    tasks: &[Task],
    nodes: &[Node],
) -> BTreeMap<ServiceName, Known<bool>> {
    let Known::Known(services) = &inventory.services else {
        return BTreeMap::new();
    };
    let asked = to_be_asked(stack, inventory).into_iter();
    let asked = asked.filter_map(|service| {
        let last_if = service.last_if.as_ref()?;
        let id = &services.get(&service.name)?.seen.service_id;
        Some((service, last_if, id))
    });
    let answers = asked.map(|(service, last_if, id)| async move {
        let tasks = tasks.iter().filter(|task| task.service_id.as_str() == id);
        let leading = asker
            .leading(&last_if.question, last_if.timeout, tasks, nodes)
            .await;
        let answer = match leading {
            Ok(task) => Known::Known(task.is_some()),
            Err(unasked) => Known::Unknown(Trouble {
                why: unasked.why,
                hint: unasked.hint,
            }),
        };
        (service.name.clone(), answer)
    });
    join_all(answers).await.into_iter().collect()
}
