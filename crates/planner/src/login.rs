//! `docker login` on nodes, for people who type `docker pull` there.

use imgstack_spec::{Address, Endpoint, NodeName, RegistryHost};

use crate::inventory::{Acceptance, LoginState, ObservedCredential, ObservedEngine, ObservedNode};
use crate::planner::Only;
use crate::report::{Code, Finding, Severity};
use crate::service::finding;
use crate::step::{Action, LogIn, Step};
use crate::target::Scope;
use crate::{Inventory, Known};

/// The logins that are missing, and why some cannot be made.
pub(crate) fn judge(
    scope: Scope<'_>,
    inventory: &Inventory,
    only: Only,
) -> (Vec<Step>, Vec<Finding>) {
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
                (_, None) => findings.push(skipped(
                    host,
                    format!("is not logged in to {registry}: there is no credential for it"),
                    format!("name a credential for {registry} under `registries:` in the spec, or remove `login: true`"),
                )),
                // With everybody's own, two people would undo each other's plans.
                (Known::Known(LoginState::Other), Some(credential))
                    if !credential.named_by_spec && only == Only::Everything => {}
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
                    match login(host, node, engine, registry, *state, credential) {
                        Ok(step) => steps.push(step),
                        Err(finding) => findings.extend(finding.map(|it| *it)),
                    }
                }
            }
        }
    }
    (steps, findings)
}

/// The step, or why there is none. Nothing is said here of a credential that the
/// registry refuses: the registry's own finding says so.
fn login(
    host: &NodeName,
    node: &ObservedNode,
    engine: &ObservedEngine,
    registry: &RegistryHost,
    state: LoginState,
    credential: &ObservedCredential,
) -> Result<Step, Option<Box<Finding>>> {
    let not = |why: &str, hint: &str| {
        let words = format!("is not logged in to {registry}: {why}");
        Err(Some(Box::new(skipped(host, words, hint.to_owned()))))
    };
    let Some(username) = credential.username.clone() else {
        return not(
            "the credential is a token without an account",
            "name an account with its password under `registries:` in the spec",
        );
    };
    if !matches!(engine.endpoint, Endpoint::Ssh { .. }) {
        return not(
            "only a node that is reached by ssh can be",
            "give it an engine such as ssh://root@{hostname}",
        );
    }
    let mut access = credential.accepted.values();
    if access.clone().all(|it| *it == Acceptance::NotNeeded) {
        return not(
            "the registry asks nobody for a credential",
            "remove `login: true`",
        );
    }
    if !access.any(|it| *it == Acceptance::Accepted) {
        return Err(None);
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
    Ok(Step::new(action, Vec::new(), vec![reason]))
}

fn skipped(host: &NodeName, message: String, hint: String) -> Finding {
    Finding {
        hint: Some(hint),
        ..finding(
            Severity::Note,
            Code::LoginSkipped,
            &Address::Node(host.clone()),
            message,
        )
    }
}
