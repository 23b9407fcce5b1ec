//! What the stories and the lab's own programs share.

#![expect(clippy::expect_used, reason = "a story that cannot go on has failed")]

mod both;
pub mod build;
pub mod github;
pub mod guest;
pub mod lab;
pub mod loan;
pub mod marked;
pub mod proxy;
pub mod screen;
pub mod sim;
pub mod story;
pub mod token_server;
pub mod wire;
pub mod world;
