//! One request to one engine, and what handlers ask about it.

use hyper::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::answers::{bad_request, not_found};
use super::filters::Filters;
use super::standing::Standing;
use super::version::{ApiVersion, OF_23};
use super::{Engines, auth};
use crate::swarm::ApiError;
use crate::{Asked, Credential};

/// A request whose version was taken.
pub(super) struct Call<'a> {
    pub(super) asked: &'a Asked,
    pub(super) engines: &'a Engines,
    /// Whose engine is asked.
    pub(super) hostname: &'a str,
    /// What the client speaks.
    pub(super) api: ApiVersion,
    /// What is asked, at this moment.
    pub(super) standing: &'a Standing,
}

impl Call<'_> {
    pub(super) fn method(&self) -> &Method {
        &self.asked.method
    }

    pub(super) fn now(&self) -> Timestamp {
        self.engines.clock().now()
    }

    /// The engine has no such path, or not with this method.
    pub(super) fn no_such_page(&self) -> ApiError {
        not_found("page not found")
    }

    /// A parameter; None if it is missing or empty.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let value = self.asked.parameter(name);
        value.filter(|value| !value.is_empty())
    }

    /// All values of a parameter that is given several times.
    pub(super) fn parameters(&self, name: &str) -> Vec<String> {
        let pairs = form_urlencoded::parse(self.asked.query.as_bytes());
        let of_name = pairs.filter(|(key, _)| key == name);
        of_name.map(|(_, value)| value.into_owned()).collect()
    }

    /// A parameter as engines read a yes: anything but a few words for no.
    pub(super) fn flag(&self, name: &str) -> bool {
        let value = self.parameter(name).unwrap_or_default();
        let no = ["", "0", "no", "false", "none"];
        !no.contains(&value.trim().to_lowercase().as_str())
    }

    /// The version index of an update; `kind` is for the refusal.
    pub(super) fn index(&self, kind: &str) -> Result<u64, ApiError> {
        let given = self.parameter("version").unwrap_or_default();
        let message = || {
            format!(
                "invalid {kind} version '{given}': strconv.ParseUint: parsing \"{given}\": \
                 invalid syntax"
            )
        };
        given.parse().map_err(|_| bad_request(message()))
    }

    /// A date in seconds, with or without nine digits of a fraction.
    pub(super) fn date(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let Some(given) = self.parameter(name).filter(|given| given != "0") else {
            return Ok(None);
        };
        let (whole, fraction) = given.split_once('.').unwrap_or((&given, "0"));
        let nanoseconds = format!("{fraction:0<9}");
        let date = whole
            .parse()
            .ok()
            .zip(nanoseconds.get(..9).and_then(|digits| digits.parse().ok()))
            .and_then(|(seconds, rest)| Timestamp::new(seconds, rest).ok());
        match date {
            Some(date) => Ok(Some(date)),
            None => Err(bad_request(format!(
                "invalid value for \"{name}\": {given}"
            ))),
        }
    }

    /// The filters of a list that knows these; of an empty list, any.
    pub(super) fn filters(&self, known: &[&str]) -> Result<Filters, ApiError> {
        let read = Filters::read(self.parameter("filters").as_deref(), known);
        read.map_err(|error| match self.standing.spoken().newest < OF_23 {
            // Once it began with a capital.
            true => ApiError {
                message: error.message.replacen("invalid", "Invalid", 1),
                ..error
            },
            false => error,
        })
    }

    /// The body, which must be a JSON object.
    pub(super) fn body(&self) -> Result<Value, ApiError> {
        let body = &self.asked.body;
        let of_type = self.asked.header("content-type").unwrap_or_default();
        if !body.is_empty() && !of_type.is_empty() && !of_type.starts_with("application/json") {
            return Err(bad_request(format!(
                "unsupported Content-Type header ({of_type}): must be 'application/json'"
            )));
        }
        if body.is_empty() {
            return Err(bad_request(
                "invalid JSON: got EOF while reading request body",
            ));
        }
        match serde_json::from_slice(body) {
            Ok(value @ Value::Object(_)) => Ok(value),
            Ok(_) => Err(bad_request("invalid JSON: an object was expected")),
            Err(error) => Err(bad_request(format!("invalid JSON: {error}"))),
        }
    }

    /// The credential; a malformed one is refused.
    pub(super) fn credential(&self) -> Result<Option<Credential>, ApiError> {
        auth::credential(self.asked)
    }

    /// The credential; a malformed one counts as none.
    pub(super) fn credential_if_any(&self) -> Option<Credential> {
        auth::credential_if_any(self.asked)
    }
}
