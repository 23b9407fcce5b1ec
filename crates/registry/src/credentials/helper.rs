//! Docker's credential helpers: `docker-credential-NAME get`, the registry on
//! standard input, JSON on standard output.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::credential::Identity;
use super::environment::Environment;
use super::error::CredentialError;
use super::program;

/// The name under which a helper hands out an identity token.
const TOKEN_USER: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: SecretString,
}

/// What the helper has for the registry; None if it has nothing.
pub(crate) async fn get(
    environment: &Environment,
    name: &str,
    server: &str,
) -> Result<Option<Identity>, CredentialError> {
    let program = format!("docker-credential-{name}");
    let arguments = ["get".to_owned()];
    let output = program::run(environment, &program, &arguments, server).await?;
    let text = output.stdout.expose_secret();
    if !output.status.success() {
        // The protocol puts the complaint on standard output, some put it on
        // standard error; these words are how all of them say "not found".
        let both = format!("{text}{}", output.stderr).to_ascii_lowercase();
        if both.contains("credentials not found") {
            return Ok(None);
        }
        return Err(output.failure(&program, &output.stderr));
    }
    let answer: Answer =
        serde_json::from_str(text).map_err(|_| CredentialError::Unintelligible { program })?;
    if answer.secret.expose_secret().is_empty() {
        return Ok(None);
    }
    Ok(Some(if answer.username == TOKEN_USER {
        Identity::IdentityToken(answer.secret)
    } else {
        Identity::Password {
            username: answer.username,
            password: answer.secret,
        }
    }))
}
