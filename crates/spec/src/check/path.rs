//! Paths of files and folders on this machine.

use std::path::PathBuf;

use crate::diagnostic::{Finding, Kind};
use crate::section::{At, Context};

/// What a path is for, and what to write where there is none.
pub(super) struct Purpose {
    pub(super) kind: Kind,
    /// Instead of what is no path at all.
    pub(super) example: &'static str,
    /// Instead of a URL.
    pub(super) instead: &'static str,
}

/// A path, taken as it is.
pub(super) fn of(
    text: &At<String>,
    key: &str,
    purpose: &Purpose,
    context: &mut Context<'_>,
) -> Option<PathBuf> {
    let told = |message: String| Finding::new(purpose.kind, message).at(text.span, "not a path");
    let value = text.value.as_str();
    let finding = if value.contains("://") || value.starts_with("git@") {
        told(format!("`{key}` is on this machine, and not a URL")).help(purpose.instead)
    } else if value.starts_with('~') || value.contains('$') {
        told(format!(
            "`{key}` is taken as it is: no `~` and no variables"
        ))
        .help("write the path in full, or from where it starts")
    } else if value.is_empty() || value.contains(char::is_control) {
        told(format!("`{key}` is not a path")).help(purpose.example)
    } else {
        return Some(PathBuf::from(value));
    };
    context.findings.push(finding);
    None
}
