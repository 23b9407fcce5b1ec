//! Refusals in the engine's words, with the status that it gives them.

use super::ApiError;

impl ApiError {
    /// An error of the engine itself.
    pub(super) fn plain(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    fn rpc(status: u16, code: &str, text: &str) -> Self {
        Self::plain(status, format!("rpc error: code = {code} desc = {text}"))
    }

    /// What was sent cannot be.
    pub(super) fn invalid(text: impl AsRef<str>) -> Self {
        Self::rpc(400, "InvalidArgument", text.as_ref())
    }

    /// The state of things is against it.
    pub(super) fn precondition(text: impl AsRef<str>) -> Self {
        Self::rpc(400, "FailedPrecondition", text.as_ref())
    }

    /// The name is taken.
    pub(super) fn exists(text: impl AsRef<str>) -> Self {
        Self::rpc(409, "AlreadyExists", text.as_ref())
    }

    /// Swarm does not do that.
    pub(super) fn unimplemented(text: impl AsRef<str>) -> Self {
        Self::rpc(501, "Unimplemented", text.as_ref())
    }

    /// Anything else.
    pub(super) fn unknown(text: impl AsRef<str>) -> Self {
        Self::rpc(500, "Unknown", text.as_ref())
    }

    /// Somebody wrote in between.
    pub(super) fn out_of_sequence() -> Self {
        Self::unknown("update out of sequence")
    }

    /// `service web not found`
    pub(super) fn not_found(kind: &str, name: &str) -> Self {
        Self::plain(404, format!("{kind} {name} not found"))
    }
}
