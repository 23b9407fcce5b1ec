//! What the stories and the lab's own programs share.

#![expect(clippy::expect_used, reason = "a story that cannot go on has failed")]

pub mod build;
pub mod guest;
pub mod lab;
pub mod proxy;
pub mod sim;
pub mod story;
pub mod token_server;
pub mod world;
