//! Whether a registry lets the credential into a repository.
//!
//! Most often this run knows already, because it has asked for a tag; then
//! nothing is asked. Otherwise the tag itself is resolved, which a plan would
//! do anyway, and whose answer it then shares.

use imgstack_spec::{ImageRef, Repository};

use super::client::Client;
use super::error::Error;
use super::host::Standing;

/// What a registry makes of the credential at one repository.
#[derive(Clone, Debug)]
pub enum Access {
    /// It is let in.
    Accepted,
    /// It is refused.
    Rejected {
        /// Why.
        cause: Error,
        /// The repository is read out to anybody, so that pulls go on without
        /// the credential: it is stale, and nobody is kept from anything yet.
        public: bool,
    },
    /// None is needed: the repository is read out to anybody, and there is no
    /// credential, or the registry does not ask for one.
    NotNeeded,
    /// There is none, and the registry wants one, or hides that there is no
    /// such repository.
    Missing(Error),
    /// It cannot be told: no answer, or one that says nothing of it.
    Unknown(Error),
}

impl Client {
    /// Whether the registry lets the credential pull from the image's
    /// repository.
    ///
    /// No request, if this run has asked for anything there. Otherwise one HEAD
    /// (and the registry's token); where the tag is not there, the list of tags
    /// tells instead.
    pub async fn access(&self, image: &ImageRef) -> Access {
        if let Some(known) = self.known_access(&image.repository) {
            return known;
        }
        let error = match self.resolve(image).await {
            Ok(_) => None,
            Err(error @ (Error::TagNotFound { .. } | Error::ManifestDeleted { .. })) => {
                // Registries say so of what they hide, too. If the list says
                // nothing either, this is what is known.
                self.tags(&image.repository).await.err().map(|_| error)
            }
            Err(error) => Some(error),
        };
        let known = self.known_access(&image.repository);
        match (known, error) {
            (Some(known), _) => known,
            (None, Some(error)) => Access::Unknown(error),
            // An answer leaves a standing behind.
            (None, None) => Access::NotNeeded,
        }
    }

    /// What this run knows already.
    fn known_access(&self, repository: &Repository) -> Option<Access> {
        Some(match self.0.session.standing(repository)? {
            Standing::Accepted(_) => Access::Accepted,
            Standing::Refused(cause) => Access::Rejected {
                cause,
                public: true,
            },
            Standing::Open => Access::NotNeeded,
            Standing::ShutOut(cause @ Error::AuthenticationRequired { .. }) => {
                Access::Missing(cause)
            }
            Standing::ShutOut(cause) => Access::Rejected {
                cause,
                public: false,
            },
            Standing::Unanswered(cause) => Access::Unknown(cause),
        })
    }
}
