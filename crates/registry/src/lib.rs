//! Clients of image registries: what `imgstack` asks of GHCR, Docker Hub and
//! any other registry that speaks the OCI distribution protocol.
//!
//! - [`oci`]: digests of tags, manifests, configs, lists of tags, with as few
//!   requests as can be.
//! - [`credentials`]: where the credential of a registry is read, and the form
//!   in which a Swarm wants it.
//!
//! Everything here reads. Deliberately absent: pushing, and GitHub's own API.

pub mod credentials;
mod http;
pub mod oci;
