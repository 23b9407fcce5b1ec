//! The token that somebody has for GitHub's own programs: what may start a
//! workflow is not what may pull an image, so it is looked for elsewhere.
//!
//! The order is that of GitHub's command line: `GH_TOKEN`, `GITHUB_TOKEN` (which
//! a workflow has), and what `gh auth login` has left, which `gh` itself is
//! asked for. Without `gh`, or when nobody is logged in there, there is none.

use secrecy::{ExposeSecret, SecretString};

use super::credential::{Credential, Identity};
use super::keychain::Keychain;
use super::program;

const VARIABLES: [&str; 2] = ["GH_TOKEN", "GITHUB_TOKEN"];
const PROGRAM: &str = "gh";
/// GitHub's own host, whichever `gh` is set to.
const ARGUMENTS: [&str; 4] = ["auth", "token", "--hostname", "github.com"];

impl Keychain {
    /// The token for GitHub's API that a variable holds, if it does.
    pub(crate) fn github_in(&self, name: &str) -> Option<Credential> {
        let value = self.environment().get(name)?.to_str()?.trim();
        let words = format!("{name} in the environment");
        let token = || SecretString::from(value.to_owned());
        (!value.is_empty()).then(|| credential(token(), &words))
    }

    /// The token for GitHub's API, if there is one.
    pub(crate) async fn github(&self) -> Option<Credential> {
        if let Some(found) = VARIABLES.iter().find_map(|name| self.github_in(name)) {
            return Some(found);
        }
        let arguments = ARGUMENTS.map(str::to_owned);
        let output = program::run(self.environment(), PROGRAM, &arguments, "").await;
        let output = output.ok().filter(|output| output.status.success())?;
        let line = output.first_line()?;
        let token = SecretString::from(line.expose_secret().trim().to_owned());
        Some(credential(token, "the command `gh auth token`"))
    }
}

/// GitHub asks for no name beside a token.
fn credential(password: SecretString, source: &str) -> Credential {
    let username = String::new();
    Credential::new(Identity::Password { username, password }, source)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::credentials::Environment;

    /// A folder with a `gh` that does that.
    fn gh(script: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gh");
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        folder
    }

    #[tokio::test]
    async fn where_a_token_is_found_first() {
        let good = gh("[ \"$*\" = 'auth token --hostname github.com' ] && echo gho_3");
        let other = gh("echo 'no oauth token found' >&2; exit 1");
        let silent = gh("true");
        let path = |folder: &tempfile::TempDir| folder.path().to_str().unwrap().to_owned();
        let (good, other, silent) = (path(&good), path(&other), path(&silent));
        let in_environment = |name: &str| format!("{name} in the environment");
        let command = "the command `gh auth token`".to_owned();
        let table = [
            (
                vec![("GH_TOKEN", "a\n"), ("GITHUB_TOKEN", "b"), ("PATH", &*good)],
                Some(("a", in_environment("GH_TOKEN"))),
            ),
            (
                vec![("GH_TOKEN", " "), ("GITHUB_TOKEN", "b"), ("PATH", &good)],
                Some(("b", in_environment("GITHUB_TOKEN"))),
            ),
            (vec![("PATH", &good)], Some(("gho_3", command))),
            (vec![("PATH", &other)], None),
            (vec![("PATH", &silent)], None),
            (vec![("PATH", "/nowhere")], None),
        ];
        for (variables, expected) in table {
            let environment: Environment = variables.iter().copied().collect();
            let found = Keychain::new(environment).github().await;
            let found = found.as_ref().map(|found| match found.identity() {
                Identity::Password { password, .. } => {
                    (password.expose_secret(), found.source().to_owned())
                }
                Identity::IdentityToken(_) => panic!("not a token of GitHub's"),
            });
            assert_eq!(found, expected, "{variables:?}");
        }
    }
}
