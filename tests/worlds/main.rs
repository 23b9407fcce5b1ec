//! Properties that hold in every world: many small ones, drawn from seeds.
//!
//! A world is nodes, registries, images and services in whatever state they
//! came to be, and a spec about them. The product's own crates observe it,
//! plan for it and carry the plan out, over the simulation's sockets, in this
//! process and in a time that passes when nobody has anything to do. What they
//! say is held against what is so.
//!
//! `IMGSTACK_WORLDS` is how many worlds are drawn, 1,000 unless it says
//! otherwise. `IMGSTACK_SEED` plays the world of one seed; without it the
//! seeds are others each time, and are printed.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a world that cannot go on has failed"
)]

mod bad_days;
mod claims;
mod crowd;
mod design;
mod draw;
mod good_days;
mod order;
mod seeds;
mod tally;
mod truth;
mod unknown;
mod world;
