//! The Swarm as tables of what happens when.

mod ground;
mod nodes;
mod objects;
mod pulls;
mod restarts;
mod services;
mod updates;
