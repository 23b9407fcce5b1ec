//! Contracts: what a Swarm and its registries do when they are asked, one
//! source for the real ones and for the simulation. Where the two differ, the
//! simulation is wrong.
//!
//! A contract asks the engines and the registries themselves, so that nothing
//! of imgstack stands in between. Each has services, configs and images of its
//! own name; the few that drain a node have the lab to themselves meanwhile.
//!
//! Manners that one world alone has are no contracts, and are tested where they
//! are made:
//!
//! - The lab's registries are Distribution 2.8, which gives all tags on one
//!   page whatever is asked, and in no order. Pages and their `Link` are
//!   GHCR's manner, which the simulated private registry has; here they are
//!   only followed.
//! - The lab's token server judges before it gives a token, the simulated GHCR
//!   when the token is used; a wrong password is 401 `UNAUTHORIZED` at the
//!   first and 403 `DENIED` at the second; GHCR hides what does not exist
//!   behind `read_package`, and its tokens do not say how long they are good.
//!   What a client learns in the end is the contract.
//! - Engines other than the lab's 20.10, IPVS, lost nodes and managers that
//!   elect a leader.
//! - What listens in a container: the simulation runs no processes. Programs in
//!   containers do there what the label of a build says.
//! - A job's containers stay on the nodes of the lab when its service has gone.
//!   In the simulation a task that is forgotten leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a contract that cannot go on is broken")]

mod configs;
mod engine;
mod failures;
mod images;
mod nodes;
mod placement;
mod prepull;
mod programs;
mod registry;
mod restarts;
mod service;
mod services;
mod settings;
mod stage;
mod streams;
mod task;
mod updates;
