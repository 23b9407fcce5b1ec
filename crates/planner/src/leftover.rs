//! Services that were made for pulls through a manager and are still there.
//!
//! An apply that was killed leaves one; an apply that is going on has one. As
//! long as nobody can tell the two apart for certain, one that somebody else
//! made and that is still at work stays.

use imgstack_spec::Address;

use crate::Inventory;
use crate::report::{Code, Finding, Severity};
use crate::service::finding;
use crate::step::{Action, RemoveLeftover, Step};

/// What goes, and what is only told.
pub(crate) fn judge(inventory: &Inventory) -> (Vec<Step>, Vec<Finding>) {
    let (mut steps, mut findings) = (Vec::new(), Vec::new());
    for (service, left) in &inventory.leftovers {
        let made = format!("{} made it for pulls at {}", left.owner, left.created);
        if left.busy && left.owner != inventory.observer {
            findings.push(Finding {
                hint: Some(format!(
                    "let it end; if that apply was killed: docker service rm {service}"
                )),
                ..finding(
                    Severity::Attention,
                    Code::PullsElsewhere,
                    &Address::Service(service.clone()),
                    format!("nodes pull by it now: {made}"),
                )
            });
            continue;
        }
        let action = Action::RemoveLeftover(RemoveLeftover {
            service: service.clone(),
            service_id: left.service_id.clone(),
        });
        let reason = format!("left behind by an apply that was killed: {made}");
        steps.push(Step::new(action, Vec::new(), vec![reason]));
    }
    (steps, findings)
}
