//! The source that the spec names for a registry. It must give something.

use std::path::Path;

use imgstack_spec::SecretSource;
use secrecy::SecretString;
use tokio::io::AsyncReadExt;

use super::environment::Environment;
use super::error::CredentialError;
use super::program;

/// No password is longer.
const LARGEST_FILE: u64 = 64 << 10;

/// The secret, and where it was read, in words.
pub(crate) async fn read(
    environment: &Environment,
    source: &SecretSource,
) -> Result<(SecretString, String), CredentialError> {
    match source {
        SecretSource::Env(name) => {
            let value = environment
                .get(name)
                .ok_or_else(|| CredentialError::Unset(name.clone()))?
                .to_str()
                .ok_or_else(|| CredentialError::NotText(name.clone()))?;
            let words = format!("{name} in the environment");
            Ok((SecretString::from(value.to_owned()), words))
        }
        SecretSource::File(path) => {
            let shown = environment.shown(path);
            let secret = file(path, &shown).await?;
            Ok((secret, format!("the file {shown}")))
        }
        SecretSource::Command(words) => command(environment, words).await,
    }
}

async fn file(path: &Path, shown: &str) -> Result<SecretString, CredentialError> {
    let unreadable = |cause: String| CredentialError::File {
        path: shown.to_owned(),
        cause,
    };
    let read = async {
        let mut text = String::new();
        let file = tokio::fs::File::open(path).await?;
        file.take(LARGEST_FILE).read_to_string(&mut text).await?;
        Ok(text)
    };
    let text = read
        .await
        .map_err(|error: std::io::Error| unreadable(error.to_string()))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(CredentialError::Empty(shown.to_owned()));
    }
    Ok(SecretString::from(secret.to_owned()))
}

async fn command(
    environment: &Environment,
    words: &[String],
) -> Result<(SecretString, String), CredentialError> {
    let [program, arguments @ ..] = words else {
        return Err(CredentialError::Empty("the command".to_owned()));
    };
    let output = program::run(environment, program, arguments, "").await?;
    if !output.status.success() {
        return Err(output.failure(program, &output.stderr));
    }
    let secret = output
        .first_line()
        .ok_or_else(|| CredentialError::Empty(format!("the output of `{program}`")))?;
    // Without its arguments: nobody can say what people put there.
    Ok((secret, format!("the command `{program}`")))
}
