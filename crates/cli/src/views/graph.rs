//! The order of doing as a picture, in three languages.

pub(crate) mod dot;
mod layout;
pub(crate) mod mermaid;
pub(crate) mod svg;
