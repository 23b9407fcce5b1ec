//! Stories: what a person does, what the cluster does.
//!
//! Each is ignored unless asked for, since it needs the lab, or docker's client
//! at least; `tests/run` brings both and asks for all of them.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

/// Stories that need real engines: their ssh, their TLS.
macro_rules! lab {
    ($($story:ident),* $(,)?) => {
        mod on_the_lab {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs the lab"]
                async fn $story() {
                    super::$story(imgstack_tests::world::World::lab()).await;
                }
            )*
        }
    };
}

/// Stories that need a bad day at will, which real registries do not have.
macro_rules! simulation {
    ($($story:ident),* $(,)?) => {
        mod on_the_simulation {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs docker's client"]
                async fn $story() {
                    super::$story(imgstack_tests::world::World::simulation()).await;
                }
            )*
        }
    };
}

/// Stories that are the same in both worlds.
macro_rules! both {
    ($($story:ident),* $(,)?) => {
        lab! { $($story),* }
        simulation! { $($story),* }
    };
}

mod credentials;
mod failures;
mod lists;
mod plans;
mod policies;
mod reach;
mod rollout;
mod untouched;
