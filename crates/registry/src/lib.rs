//! Clients of image registries: what `imgstack` asks of GHCR, Docker Hub and
//! any other registry that speaks the OCI distribution protocol.
//!
//! - [`oci`]: digests of tags, manifests, configs, lists of tags, with as few
//!   requests as can be.
//! - [`github`]: what GitHub tells of a token and of packages, which its registry
//!   does not, the workflow that builds an image, and comments on a pull request.
//! - [`credentials`]: where the credential of a registry is read, and the form
//!   in which a Swarm wants it.
//!
//! Everything here reads, but for the start of a workflow, comments and labels, and
//! one more tag that a build is given. Deliberately absent: pushing builds.

pub mod credentials;
pub mod github;
mod http;
pub mod oci;
