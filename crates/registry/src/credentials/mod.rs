//! Where a registry's credential is read.
//!
//! The order: what the spec names for the registry (an environment variable, a
//! file, a command), else docker's configuration, in `DOCKER_AUTH_CONFIG` and in
//! its file with its credential helpers, else podman's `auth.json`, else none. What the spec names must be there: a
//! missing variable is an error, never silently nobody. What docker or podman
//! might have is optional: a broken configuration is a [`Problem`] to tell
//! people about, and the search goes on.
//!
//! Programs run aside, with a deadline and without a terminal. A secret is
//! held in `secrecy`'s types and is in no argument list, error or `Debug`.
//!
//! The crate `docker_credential` is left out: its helpers block with no way to
//! end them, a failing one puts its output into the error, and it reads the
//! process's environment, so that only a test that changes it could reach it.
//!
//! For docker's own programs a credential is written as they read it
//! ([`with_login`]). Deliberately absent: writing it anywhere; podman's entries for a
//! part of a registry (`quay.io/team`), since a registry has one credential
//! here, with one fingerprint and one end: the spec names it where it matters.

mod config_file;
mod credential;
mod environment;
mod error;
mod fingerprint;
mod github;
mod helper;
mod keychain;
mod login_file;
mod program;
mod spec_source;

pub use credential::{Credential, Identity};
pub use environment::Environment;
pub use error::CredentialError;
pub use fingerprint::Fingerprint;
pub use keychain::{Found, Keychain, Problem};
pub use login_file::{DockerLogin, NotAConfiguration, with_login};
