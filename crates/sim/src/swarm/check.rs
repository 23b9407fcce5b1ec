//! What cannot be a service, refused in the engine's words.

use imgstack_spec::ImageRef;
use serde_json::Value;

use super::{ApiError, Cluster};

/// Less than this no container can be given, in bytes.
const LEAST_MEMORY: i64 = 4 << 20;

/// What the engine itself refuses, before it asks the Swarm. Spoken of the
/// spec as it was sent.
///
/// # Errors
/// A field is missing, or says what is not known.
pub(super) fn sent(spec: &Value) -> Result<(), ApiError> {
    let bad = |words: String| Err(ApiError::plain(400, words));
    if !spec["TaskTemplate"]["ContainerSpec"].is_object() {
        return bad("mismatched Runtime and *Spec fields".to_owned());
    }
    let modes = ["Replicated", "Global", "ReplicatedJob", "GlobalJob"];
    let named = modes.iter().filter(|mode| spec["Mode"][**mode].is_object());
    if named.count() > 1 {
        return bad("must specify only one service mode".to_owned());
    }
    let actions: [(&str, &str, &[&str]); 2] = [
        (
            "UpdateConfig",
            "update",
            &["", "pause", "continue", "rollback"],
        ),
        ("RollbackConfig", "rollback", &["", "pause", "continue"]),
    ];
    for (field, word, known) in actions {
        let action = spec[field]["FailureAction"].as_str().unwrap_or_default();
        if !known.contains(&action) {
            return bad(format!("unrecognized {word} failure action {action}"));
        }
    }
    Ok(())
}

impl Cluster {
    /// What the Swarm refuses.
    ///
    /// # Errors
    /// The name or the image is malformed, a constraint or a reservation is
    /// none, or a config or secret does not exist.
    pub(super) fn check(&self, spec: &Value) -> Result<(), ApiError> {
        let template = &spec["TaskTemplate"];
        name(spec["Name"].as_str().unwrap_or_default())?;
        memory(&template["Resources"])?;
        constraints(&template["Placement"]["Constraints"])?;
        image(super::spec::image(template))?;
        let container = &template["ContainerSpec"];
        for (list, kind, objects) in [
            ("Configs", "Config", &self.configs),
            ("Secrets", "Secret", &self.secrets),
        ] {
            for used in container[list].as_array().into_iter().flatten() {
                let id = used[format!("{kind}ID")].as_str().unwrap_or_default();
                if !objects.has(id) {
                    let name = used[format!("{kind}Name")].as_str().unwrap_or_default();
                    let kind = kind.to_lowercase();
                    return Err(ApiError::invalid(format!("{kind} not found: {name}")));
                }
            }
        }
        Ok(())
    }
}

fn name(name: &str) -> Result<(), ApiError> {
    let plain = |c: char| c.is_ascii_alphanumeric();
    let fits = name.len() <= 63
        && name.starts_with(plain)
        && name.ends_with(plain)
        && name.chars().all(|c| plain(c) || "-_".contains(c));
    match fits {
        true => Ok(()),
        false => Err(ApiError::invalid(
            "name must be valid as a DNS name component",
        )),
    }
}

fn image(image: &str) -> Result<(), ApiError> {
    if image.is_empty() {
        return Err(ApiError::invalid(
            "ContainerSpec: image reference must be provided",
        ));
    }
    match image.parse::<ImageRef>() {
        Ok(_) => Ok(()),
        Err(_) => Err(ApiError::invalid(format!(
            "ContainerSpec: {image:?} is not a valid repository/tag"
        ))),
    }
}

fn memory(resources: &Value) -> Result<(), ApiError> {
    for field in ["Limits", "Reservations"] {
        let bytes = resources[field]["MemoryBytes"].as_i64().unwrap_or(0);
        if bytes != 0 && bytes < LEAST_MEMORY {
            return Err(ApiError::invalid(format!(
                "invalid memory value {bytes}: Must be at least 4MiB"
            )));
        }
    }
    Ok(())
}

fn constraints(constraints: &Value) -> Result<(), ApiError> {
    let mut texts = constraints.as_array().into_iter().flatten();
    let has_operator = |text: &Value| {
        let text = text.as_str().unwrap_or_default();
        text.contains("==") || text.contains("!=")
    };
    match texts.all(has_operator) {
        true => Ok(()),
        false => Err(ApiError::unknown(
            "constraint expected one operator from ==, !=",
        )),
    }
}
