//! What helps against what went wrong.

use imgstack_spec::GitHubWorkflow;

use super::error::{Error, NotAsked, NotStarted};
use super::token::TokenKind;
use super::wanted::{Wanted, page_of};
use crate::http::Answer;

impl Error {
    /// What helps.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::NotAsked { origin, why } => not_asked(origin, *why),
            Self::NoToken { workflow, .. } => format!(
                "export GH_TOKEN with {}, or log in with: gh auth login",
                a_token_that_starts(workflow)
            ),
            Self::TokenRejected { origin, wanted, .. } => rejected(origin, wanted),
            Self::SignOnRequired { origin, .. } => format!(
                "authorise the token from {origin} for the organisation, under Configure SSO in \
                 GitHub's list of tokens"
            ),
            Self::Forbidden {
                origin,
                kind,
                wanted,
                answer,
            } => forbidden(origin, *kind, wanted, answer),
            Self::NotFound { wanted, .. } => not_found(wanted),
            Self::NotStarted { workflow, why, .. } => not_started(workflow, *why),
            Self::Lost { workflow, .. } => format!(
                "it is not started again, for it may well run: look at {}, and type the command \
                 again if there is no new run",
                page_of(workflow)
            ),
            Self::Unseen { workflow, .. } => format!("look at {}", page_of(workflow)),
            Self::CommentLost { .. } => "it is not posted again, for it may well be there: run \
                                         the command again, which looks for it first"
                .to_owned(),
            Self::NoPullRequest(_) => "name the number of a pull request".to_owned(),
            Self::RateLimited { resets_in, .. } => {
                let when = if resets_in.is_some() {
                    "when the limit has reset"
                } else {
                    "in some minutes"
                };
                format!("run it again {when}")
            }
            Self::Tls { .. } => "have this machine trust the certificate of api.github.com, or \
                                 of the proxy in between"
                .to_owned(),
            Self::Unavailable { .. } => {
                "check that api.github.com is reachable from this machine".to_owned()
            }
            Self::Protocol { .. } => {
                "check that no proxy or login page answers in place of api.github.com".to_owned()
            }
        }
    }
}

fn not_asked(origin: &str, why: NotAsked) -> String {
    match why {
        NotAsked::NoToken => format!(
            "put a classic personal access token with `read:packages` into {origin}: GHCR takes \
             no other password"
        ),
        NotAsked::NoAccount => {
            "it ends with its workflow, after a day at most: give the services a classic personal \
             access token with `read:packages`, since nodes pull when they have to"
                .to_owned()
        }
        NotAsked::OtherWorld => {
            "add `api.github.com=URL` to IMGSTACK_ENDPOINTS, beside ghcr.io".to_owned()
        }
    }
}

/// The two ways to a token that is good enough.
fn a_token_that_starts(workflow: &GitHubWorkflow) -> String {
    format!(
        "a fine-grained token for {} with the permission `Actions: read and write`, or a classic \
         one with the scope `repo`",
        workflow.repository
    )
}

fn rejected(origin: &str, wanted: &Wanted) -> String {
    match wanted {
        Wanted::Account | Wanted::Package(_) => format!(
            "the credential from {origin} is wrong, expired or revoked: make a new one (classic, \
             with `read:packages`) and put it there"
        ),
        Wanted::Runs(workflow) | Wanted::Start(workflow) => format!(
            "the credential from {origin} is wrong, expired or revoked: put {} there",
            a_token_that_starts(workflow)
        ),
        Wanted::Pulls(_) | Wanted::PullRequest(_) | Wanted::Comment(_) | Wanted::Labels(_) => {
            format!(
                "the credential from {origin} is wrong, expired or revoked: put one there that may \
                 write pull requests; in a workflow that is `${{{{ github.token }}}}`"
            )
        }
    }
}

fn forbidden(origin: &str, kind: Option<TokenKind>, wanted: &Wanted, answer: &Answer) -> String {
    let app = kind == Some(TokenKind::Installation);
    match (wanted, kind) {
        (Wanted::Labels(_), _) if makes_labels(answer) => new_label(app),
        (Wanted::Comment(pull), _) if is_locked(answer) => {
            format!("unlock the conversation of {pull}, or let it be without a comment")
        }
        (Wanted::Pulls(_) | Wanted::PullRequest(_), _) => pulls(origin, app, "read"),
        (Wanted::Comment(_) | Wanted::Labels(_), _) => pulls(origin, app, "write"),
        (Wanted::Account, _) => format!(
            "check in GitHub's list of tokens what the one from {origin} may, and when it ends"
        ),
        (Wanted::Package(_), Some(TokenKind::Installation)) => {
            "add `packages: read` to the `permissions` of the workflow that runs this".to_owned()
        }
        (Wanted::Package(_), _) => format!(
            "GitHub lists packages for classic tokens with `read:packages` alone: put one into \
             {origin}"
        ),
        (Wanted::Runs(_), Some(TokenKind::Installation)) => {
            "add `actions: read` to the `permissions` of the workflow that runs this".to_owned()
        }
        (Wanted::Start(_), Some(TokenKind::Installation)) => {
            "add `actions: write` to the `permissions` of the workflow that runs this".to_owned()
        }
        (Wanted::Runs(workflow), _) => format!(
            "give the token the permission `Actions: read` for {}, in GitHub's list of tokens",
            workflow.repository
        ),
        (Wanted::Start(workflow), Some(TokenKind::FineGrained)) => format!(
            "give the token the permission `Actions: read and write` for {}, in GitHub's list of \
             fine-grained tokens; or put another one into GH_TOKEN",
            workflow.repository
        ),
        (Wanted::Start(workflow), _) => {
            format!("put into GH_TOKEN {}", a_token_that_starts(workflow))
        }
    }
}

/// Whether it was refused to make a label that is not there.
fn makes_labels(answer: &Answer) -> bool {
    let words = answer.message.as_deref().unwrap_or_default();
    words.contains("create labels")
}

/// Whether nobody may comment there.
fn is_locked(answer: &Answer) -> bool {
    let words = answer.message.as_deref().unwrap_or_default();
    words.contains("locked")
}

/// GitHub makes a label that is given for the first time. That takes what is
/// for issues, also where a pull request gets it.
fn new_label(app: bool) -> String {
    let permission = match app {
        true => {
            "add `issues: write` to the `permissions` of the job, beside `pull-requests: write`"
        }
        false => "give the token the permission `Issues: read and write`",
    };
    format!("{permission}; or make the labels once by hand, in the repository's list of labels")
}

/// For comments and labels of pull requests GitHub's own header offers
/// `issues: write` as another way, which it then refuses.
fn pulls(origin: &str, app: bool, level: &str) -> String {
    match (app, level) {
        (true, level) => {
            format!("add `pull-requests: {level}` to the `permissions` of the job that runs this")
        }
        (false, "read") => {
            format!("give the token from {origin} the permission `Pull requests: read`")
        }
        (false, _) => format!(
            "give the token from {origin} the permission `Pull requests: read and write`, or take \
             a classic one with the scope `repo`"
        ),
    }
}

fn not_found(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Account => "check the token in GitHub's list of tokens".to_owned(),
        Wanted::Package(_) => "check the owner and the name; GitHub says the same of a package \
                               that the token may not read: it takes `read:packages`, and access \
                               to the package in its settings"
            .to_owned(),
        Wanted::Runs(workflow) | Wanted::Start(workflow) => format!(
            "check `build.github` in the spec, and that the file is on the default branch; GitHub \
             says the same of a private repository that the token may not see: it takes {}",
            a_token_that_starts(workflow)
        ),
        Wanted::Pulls(_) | Wanted::PullRequest(_) | Wanted::Comment(_) | Wanted::Labels(_) => {
            "check the repository and the number; GitHub says the same of a private repository \
             that the token may not see: it takes `pull-requests: write`"
                .to_owned()
        }
    }
}

fn not_started(workflow: &GitHubWorkflow, why: NotStarted) -> String {
    let file = format!(".github/workflows/{}", workflow.workflow);
    match why {
        NotStarted::NoTrigger => format!(
            "add `workflow_dispatch:` below `on:` in {file}, on the branch {}",
            workflow.reference
        ),
        NotStarted::NoRef => {
            "write a branch of the repository as `ref` of `build.github` in the spec".to_owned()
        }
        NotStarted::MissingInput => format!("give the input a `default` in {file}"),
        NotStarted::StrangeInput | NotStarted::Other => format!("look at {}", page_of(workflow)),
    }
}
