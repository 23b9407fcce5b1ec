//! What the stories and the lab's own programs share.

pub mod build;
pub mod lab;
pub mod proxy;
pub mod story;
pub mod token_server;
