//! One source, two worlds: a test on the lab and one on the simulation for each
//! story.

/// Stories that need real engines: their ssh, their TLS.
#[macro_export]
macro_rules! lab {
    ($($story:ident),* $(,)?) => {
        mod on_the_lab {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs the lab"]
                async fn $story() {
                    super::$story($crate::world::World::lab()).await;
                }
            )*
        }
    };
}

/// Stories that change the lab itself, so that no other may be there.
#[macro_export]
macro_rules! alone {
    ($($story:ident),* $(,)?) => {
        mod alone_on_the_lab {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs the lab"]
                async fn $story() {
                    super::$story($crate::world::World::lab_alone()).await;
                }
            )*
        }
    };
}

/// Stories that need more of a world than there is room for, and make their own.
#[macro_export]
macro_rules! simulated {
    ($($story:ident),* $(,)?) => {
        mod on_the_simulation {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs docker's client"]
                async fn $story() {
                    super::$story().await;
                }
            )*
        }
    };
}

/// Stories that need a bad day at will, which real registries do not have.
#[macro_export]
macro_rules! simulation {
    ($($story:ident),* $(,)?) => {
        mod on_the_simulation {
            $(
                #[tokio::test(flavor = "multi_thread")]
                #[ignore = "needs docker's client"]
                async fn $story() {
                    super::$story($crate::world::World::simulation()).await;
                }
            )*
        }
    };
}

/// Stories that are the same in both worlds.
#[macro_export]
macro_rules! both {
    ($($story:ident),* $(,)?) => {
        $crate::lab! { $($story),* }
        $crate::simulation! { $($story),* }
    };
}
