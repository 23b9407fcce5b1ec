//! What the stories and the lab's own programs share.

pub mod build;
pub mod token_server;
