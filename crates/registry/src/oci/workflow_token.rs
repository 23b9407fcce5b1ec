//! In whose name a workflow is started, and a pull request is commented on.
//!
//! What GHCR takes (a classic token with `read:packages`) need not start
//! workflows, and what starts workflows best (a fine-grained token for one
//! repository) GHCR does not take. So that is looked for first where GitHub's
//! own programs look; only then is the credential for GHCR taken, if GitHub
//! does not say that it lacks the scope.

use imgstack_spec::{GitHubWorkflow, RegistryHost};

use super::client::Client;
use crate::github::{self, ApiToken, GHCR, TokenFacts};

/// What lets a classic token start workflows; the second of public
/// repositories only, which GitHub tells when it comes to it.
const SCOPES: [&str; 2] = ["repo", "public_repo"];

impl Client {
    /// The token to comment with: what the variable holds, or without one the
    /// first of `GH_TOKEN`, `GITHUB_TOKEN` and what `gh auth token` gives. The
    /// credential for GHCR is for pulls, and is not taken.
    pub async fn comment_token(&self, variable: Option<&str>) -> Option<ApiToken> {
        let keychain = &self.0.session.keychain;
        let found = match variable {
            Some(name) => keychain.github_in(name),
            None => keychain.github().await,
        };
        found.as_ref().and_then(ApiToken::of)
    }

    /// The token to start the workflow with, and to watch it: `GH_TOKEN`, else
    /// `GITHUB_TOKEN`, else what `gh auth token` gives, else the credential for
    /// GHCR, of which GitHub is then asked what it may.
    ///
    /// # Errors
    /// [`github::Error::NoToken`], with why the last one will not do.
    pub async fn workflow_token(
        &self,
        workflow: &GitHubWorkflow,
    ) -> Result<ApiToken, github::Error> {
        let own = self.0.session.keychain.github().await;
        if let Some(token) = own.as_ref().and_then(ApiToken::of) {
            return Ok(token);
        }
        let none = |seen: Option<String>| github::Error::NoToken {
            workflow: Box::new(workflow.clone()),
            seen,
        };
        let found = self.credential(&RegistryHost::new(GHCR)).await;
        let credential = match found {
            Ok(Some(credential)) => credential,
            Ok(None) => return Err(none(None)),
            Err(error) => return Err(none(Some(error.to_string()))),
        };
        let source = credential.source();
        match self.github().token_facts(&credential).await {
            Ok(facts) if may_start(&facts) => {
                let token = ApiToken::of(&credential);
                token.ok_or_else(|| none(None))
            }
            Ok(_) => Err(none(Some(format!(
                "the one from {source} has no scope `repo`"
            )))),
            Err(error) => Err(none(Some(error.to_string()))),
        }
    }
}

/// Of a token without scopes GitHub tells nothing until it is used.
fn may_start(facts: &TokenFacts) -> bool {
    let scopes = facts.scopes.as_ref();
    scopes.is_none_or(|scopes| SCOPES.iter().any(|scope| scopes.contains(*scope)))
}
