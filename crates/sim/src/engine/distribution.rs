//! `/distribution/{name}/json`: what the registry says of a reference, asked
//! by the engine on behalf of a client. Only docker's own client does so.

use serde_json::json;

use super::answers::{Outcome, ok};
use super::call::Call;
use super::images::reference;
use crate::swarm::ApiError;
use crate::{Credential, Pull, PullError};

/// `GET /distribution/{name}/json`
pub(super) fn answer(call: &Call<'_>, name: &str) -> Outcome {
    let reference = reference(name, None)?;
    let credential = call.credential_if_any();
    let descriptor = call.engines.upstream().describe(&Pull {
        reference: &reference,
        credential: credential.as_ref(),
        os: call.standing.os(),
        architecture: call.standing.architecture(),
        node: call.hostname,
        at: call.now(),
    });
    let found = descriptor.map_err(|error| refusal(&error))?;
    Ok(ok(&json!({
        "Descriptor": {
            "mediaType": found.media_type,
            "digest": found.digest,
            "size": found.size,
        },
        "Platforms": found.platforms,
    })))
}

/// `POST /auth`: what `docker login` asks. The client keeps the password, and
/// the engine forgets it.
pub(super) fn login(call: &Call<'_>) -> Outcome {
    let body = call.body()?;
    let word = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let credential = Credential {
        username: word("username"),
        password: word("password").into(),
    };
    let address = word("serveraddress");
    let host = address
        .split_once("://")
        .map_or(&*address, |(_, host)| host);
    let host = host.split('/').next().unwrap_or_default();
    let let_in = call.engines.upstream().login(host, &credential);
    let_in.map_err(|error| match error {
        PullError::Denied(words) => ApiError {
            status: 401,
            message: words,
        },
        other => refusal(&other),
    })?;
    Ok(ok(
        &json!({"Status": "Login Succeeded", "IdentityToken": ""}),
    ))
}

/// The registry's status and words, without what a pull puts before them.
fn refusal(error: &PullError) -> ApiError {
    let text = error.to_string();
    let wrapped = text
        .split_once("'docker login': ")
        .or_else(|| text.split_once(" not found: "));
    let message = wrapped.map_or(text.as_str(), |(_, words)| words).to_owned();
    let status = match error {
        PullError::Denied(_) if message.contains("denied") => 403,
        PullError::Denied(_) => 401,
        PullError::NotFound(_) => 404,
        PullError::Unreachable(_) | PullError::NoPlatform(_) | PullError::Failed(_) => 500,
    };
    ApiError { status, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_registrys_words() {
        let denied = "pull access denied for a/b, repository does not exist or may require \
                      'docker login': denied: requested access to the resource is denied";
        let table = [
            (
                PullError::Denied(denied.to_owned()),
                (403, "denied: requested access to the resource is denied"),
            ),
            (
                PullError::Denied("unauthorized: authentication required".to_owned()),
                (401, "unauthorized: authentication required"),
            ),
            (
                PullError::NotFound(
                    "manifest for a/b:1 not found: manifest unknown: gone".to_owned(),
                ),
                (404, "manifest unknown: gone"),
            ),
            (PullError::Unreachable("EOF".to_owned()), (500, "EOF")),
        ];
        for (error, expected) in table {
            let refusal = refusal(&error);
            assert_eq!((refusal.status, refusal.message.as_str()), expected);
        }
    }
}
