//! The order in which sources are asked.

use std::fmt;

use imgstack_spec::{Registry, RegistryHost};

use super::config_file;
use super::credential::{Credential, Identity};
use super::environment::Environment;
use super::error::CredentialError;
use super::spec_source;

/// A whole configuration, as CI systems hand it to their jobs.
const AUTH_CONFIG: &str = "DOCKER_AUTH_CONFIG";

/// All the places where a credential may be.
#[derive(Clone, Debug, Default)]
pub struct Keychain {
    environment: Environment,
}

/// What was found for a registry.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The first credential in the order of the sources. None: anonymous.
    pub credential: Option<Credential>,
    /// Sources that should have been asked and could not.
    pub problems: Vec<Problem>,
}

/// A source that could not be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The registry that a credential was looked for.
    pub host: RegistryHost,
    /// What happened.
    pub cause: CredentialError,
}

impl Found {
    /// Notes what a source gave; whether that ends the search.
    fn take(
        &mut self,
        host: &RegistryHost,
        given: Result<Option<Credential>, CredentialError>,
    ) -> bool {
        match given {
            Ok(credential) => self.credential = credential,
            Err(cause) => self.problems.push(Problem {
                host: host.clone(),
                cause,
            }),
        }
        self.credential.is_some()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.host, self.cause)
    }
}

impl Keychain {
    /// A keychain in those surroundings.
    #[must_use]
    pub fn new(environment: Environment) -> Self {
        Self { environment }
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The credential for a registry, of which the spec may say something.
    ///
    /// # Errors
    /// The source that the spec names gives none.
    pub async fn find(
        &self,
        host: &RegistryHost,
        spec: Option<&Registry>,
    ) -> Result<Found, CredentialError> {
        if let Some(registry) = spec
            && let Some(source) = &registry.password
        {
            let username = registry
                .username
                .clone()
                .ok_or(CredentialError::NoUsername)?;
            let (password, words) = spec_source::read(&self.environment, source).await?;
            let identity = Identity::Password { username, password };
            return Ok(Found {
                credential: Some(Credential::new(identity, words)),
                problems: Vec::new(),
            });
        }
        Ok(self.search(host).await)
    }

    async fn search(&self, host: &RegistryHost) -> Found {
        let docker = self.environment.docker_config().into_iter();
        let podman = self.environment.podman_auth().into_iter();
        let files = docker
            .map(|path| ("docker's configuration", path))
            .chain(podman.map(|path| ("podman's", path)));
        let mut found = Found::default();
        // Docker's own client has looked here first since version 28.3.
        let variable = config_file::find_in(&self.environment, AUTH_CONFIG, host);
        if found.take(host, variable) {
            return found;
        }
        for (owner, path) in files {
            let file = config_file::find(&self.environment, owner, &path, host).await;
            if found.take(host, file) {
                return found;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
