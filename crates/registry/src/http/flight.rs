//! One question, asked once, however many callers have it.
//!
//! A [`Flight`] is a place for one answer: the first caller fetches it, the
//! others wait for the same answer. Answers stay for the client's life, which
//! is one run. A failure that may pass is handed to those who waited for it,
//! and the next caller asks anew; a failure that cannot pass stays, too.
//!
//! When the caller that fetches is dropped, the next one that waits fetches.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::Instant;

/// An error that may be about the moment alone.
pub(crate) trait Passing {
    /// Whether the same question may be answered later, with nothing changed
    /// by anybody.
    fn is_passing(&self) -> bool;
}

/// The place of one answer.
pub(crate) struct Flight<T, E> {
    slot: tokio::sync::Mutex<Option<Landed<T, E>>>,
}

struct Landed<T, E> {
    at: Instant,
    result: Result<T, E>,
}

impl<T, E> Default for Flight<T, E> {
    fn default() -> Self {
        Self {
            slot: tokio::sync::Mutex::new(None),
        }
    }
}

impl<T: Clone, E: Clone + Passing> Flight<T, E> {
    /// An answer known beforehand.
    pub(crate) fn landed(value: T) -> Self {
        Self {
            slot: tokio::sync::Mutex::new(Some(Landed {
                at: Instant::now(),
                result: Ok(value),
            })),
        }
    }

    /// The answer that is there, if it is `usable`; otherwise what `fetch`
    /// brings.
    pub(crate) async fn get<F>(
        &self,
        usable: impl Fn(&T) -> bool,
        fetch: impl FnOnce() -> F,
    ) -> Result<T, E>
    where
        F: Future<Output = Result<T, E>>,
    {
        let asked = Instant::now();
        let mut slot = self.slot.lock().await;
        match slot.as_ref().map(|landed| (landed.at, &landed.result)) {
            Some((_, Ok(value))) if usable(value) => return Ok(value.clone()),
            Some((at, Err(error))) if !error.is_passing() || at >= asked => {
                return Err(error.clone());
            }
            _ => {}
        }
        let result = fetch().await;
        *slot = Some(Landed {
            at: Instant::now(),
            result: result.clone(),
        });
        result
    }

    /// Replaces the answer.
    pub(crate) async fn put(&self, value: T) {
        *self.slot.lock().await = Some(Landed {
            at: Instant::now(),
            result: Ok(value),
        });
    }

    /// Drops the answer if it is `stale`, so that the next caller asks anew.
    pub(crate) async fn forget(&self, stale: impl Fn(&T) -> bool) {
        let mut slot = self.slot.lock().await;
        if let Some(Landed {
            result: Ok(value), ..
        }) = &*slot
            && stale(value)
        {
            *slot = None;
        }
    }
}

/// Flights by key.
pub(crate) struct Flights<K, T, E>(Mutex<HashMap<K, Arc<Flight<T, E>>>>);

impl<K, T, E> Default for Flights<K, T, E> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, T, E> Flights<K, T, E> {
    /// The flight for that question.
    pub(crate) fn to(&self, key: K) -> Arc<Flight<T, E>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(flights.entry(key).or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use super::*;

    #[derive(Clone, Debug)]
    struct Down;

    impl Passing for Down {
        fn is_passing(&self) -> bool {
            true
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_passing_failure_is_shared_by_those_who_waited_and_then_forgotten() {
        let flight = Arc::new(Flight::<u32, Down>::default());
        let asked = Arc::new(AtomicU32::new(0));
        let callers: Vec<_> = (0..10)
            .map(|_| {
                let (flight, asked) = (Arc::clone(&flight), Arc::clone(&asked));
                tokio::spawn(async move {
                    let fetch = || async {
                        asked.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        Err(Down)
                    };
                    flight.get(|_| true, fetch).await
                })
            })
            .collect();
        for caller in callers {
            assert!(caller.await.unwrap().is_err());
        }
        assert_eq!(asked.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(flight.get(|_| true, || async { Ok(7) }).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_dropped_fetcher_leaves_the_question_to_the_next() {
        let flight = Flight::<u32, Down>::default();
        let never = flight.get(|_| true, std::future::pending);
        let _ = tokio::time::timeout(Duration::from_millis(5), never).await;
        assert_eq!(flight.get(|_| true, || async { Ok(7) }).await.unwrap(), 7);
    }
}
