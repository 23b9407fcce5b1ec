//! The language of desired state.
//!
//! Reads `ImageStack` documents with source spans, checks them, and yields
//! [`Stack`]s: plain data that the planner compares with the world. Also the
//! vocabulary that every other crate shares: image references, digests,
//! addresses, platforms, endpoints.
//!
//! Deliberately absent: anything that touches a network or an engine.

mod address;
mod endpoint;
mod model;
mod name;
mod nearest;
mod platform;
mod reference;

pub use address::{Address, AddressError};
pub use endpoint::{Endpoint, EndpointError};
pub use model::{DEFAULT_TIMEOUT, Image, Pin, Registry, SecretSource, Service, Stack, StackSet};
pub use name::{ImageName, NameError, ServiceName, StackName};
pub use nearest::nearest;
pub use platform::Platform;
pub use reference::{Digest, ImageRef, ReferenceError, RegistryHost, Repository, Tag};
