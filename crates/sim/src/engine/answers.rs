//! Answers and refusals in the Engine API's shapes.

use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

use crate::Answer;
use crate::swarm::ApiError;

/// What a handler gives.
pub(super) type Outcome = Result<Answer, ApiError>;

/// 200 with JSON.
pub(super) fn ok(value: &impl Serialize) -> Answer {
    Answer::json(StatusCode::OK, value)
}

/// A refusal as the engine words it: `{"message": …}`.
pub(super) fn refusal(error: &ApiError) -> Answer {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    Answer::json(status, &json!({ "message": error.message }))
}

/// 400
pub(super) fn bad_request(message: impl Into<String>) -> ApiError {
    refused(StatusCode::BAD_REQUEST, message)
}

/// 403
pub(super) fn forbidden(message: impl Into<String>) -> ApiError {
    refused(StatusCode::FORBIDDEN, message)
}

/// 404
pub(super) fn not_found(message: impl Into<String>) -> ApiError {
    refused(StatusCode::NOT_FOUND, message)
}

/// 409
pub(super) fn conflict(message: impl Into<String>) -> ApiError {
    refused(StatusCode::CONFLICT, message)
}

/// 500
pub(super) fn broken(message: impl Into<String>) -> ApiError {
    refused(StatusCode::INTERNAL_SERVER_ERROR, message)
}

/// 503
pub(super) fn unavailable(message: impl Into<String>) -> ApiError {
    refused(StatusCode::SERVICE_UNAVAILABLE, message)
}

fn refused(status: StatusCode, message: impl Into<String>) -> ApiError {
    ApiError {
        status: status.as_u16(),
        message: message.into(),
    }
}
