//! `docker login` on nodes, for people who type `docker pull` there.

use imgstack_spec::{Address, Endpoint, NodeName, RegistryHost};

use crate::inventory::{LoginState, ObservedCredential, ObservedEngine, ObservedNode};
use crate::report::{Code, Finding, Severity};
use crate::service::finding;
use crate::step::{Action, LogIn, Step};
use crate::target::Scope;
use crate::{Inventory, Known};

/// The logins that are missing, and why some cannot be made.
pub(crate) fn judge(scope: Scope<'_>, inventory: &Inventory) -> (Vec<Step>, Vec<Finding>) {
    let (mut steps, mut findings) = (Vec::new(), Vec::new());
    let Known::Known(nodes) = &inventory.nodes else {
        return (steps, findings);
    };
    for (host, node) in nodes {
        let Some(Known::Known(engine)) = &node.engine else {
            continue;
        };
        for (registry, state) in &engine.logins {
            if !scope.has_node(host) && !scope.names_registry(registry) {
                continue;
            }
            match (state, inventory.credentials.get(registry)) {
                (Known::Known(LoginState::Same), _) => {}
                (_, None) => findings.push(skipped(host, registry)),
                (Known::Unknown(trouble), Some(_)) => findings.push(Finding {
                    hint: trouble.hint.clone(),
                    ..finding(
                        Severity::Attention,
                        Code::LoginUnknown,
                        &Address::Node(host.clone()),
                        format!(
                            "whether it is logged in to {registry} is not known: {}",
                            trouble.why
                        ),
                    )
                }),
                (Known::Known(state), Some(credential)) => {
                    steps.extend(login(host, node, engine, registry, *state, credential));
                }
            }
        }
    }
    (steps, findings)
}

/// None for a credential without an account, which docker cannot be given, and
/// for one that the registry refuses: the registry's own finding says so.
fn login(
    host: &NodeName,
    node: &ObservedNode,
    engine: &ObservedEngine,
    registry: &RegistryHost,
    state: LoginState,
    credential: &ObservedCredential,
) -> Option<Step> {
    let username = credential.username.clone()?;
    let accepted = credential
        .accepted
        .keys()
        .any(|it| credential.is_accepted_for(it));
    if !accepted || !matches!(engine.endpoint, Endpoint::Ssh { .. }) {
        return None;
    }
    let replaces = state == LoginState::Other;
    let reason = match replaces {
        true => format!("is logged in to {registry} with another credential"),
        false => format!("is not logged in to {registry}"),
    };
    let action = Action::LogIn(LogIn {
        node: host.clone(),
        node_id: node.id.clone(),
        engine: engine.endpoint.clone(),
        registry: registry.clone(),
        username,
        credential: credential.fingerprint.clone(),
        replaces,
    });
    Some(Step::new(action, Vec::new(), vec![reason]))
}

fn skipped(host: &NodeName, registry: &RegistryHost) -> Finding {
    Finding {
        hint: Some(format!(
            "name a credential for {registry} under `registries:` in the spec, or remove `login: true`"
        )),
        ..finding(
            Severity::Note,
            Code::LoginSkipped,
            &Address::Node(host.clone()),
            format!("is not logged in to {registry}: there is no credential for it"),
        )
    }
}
