//! Stories: the client against a registry on loopback that does as told.

mod auth;
mod content;
mod resolve;
mod server;
mod tags;
mod ways;
