//! Pulls an image on a node, by its digest.
//!
//! By digest and without a tag, as Swarm's own pulls do: a tag would be taken
//! from the build that had it before. `docker image prune` there treats what
//! has no tag as dangling, and removes it once no container is made of it.
//!
//! An engine ends a pull when whoever asked for it hangs up, so a pull that is
//! dropped half-way goes no further.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use imgstack_spec::{Digest, ImageRef, Repository};
use serde::Deserialize;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use super::NodeEngine;
use crate::{Error, PullFailure, RegistryAuth};

const CALL: &str = "the pull";

/// The longest time without a word. An engine that waits for a registry, or
/// unpacks a layer, says so more often.
const SILENCE: Duration = Duration::from_secs(180);

/// A line of progress is a few hundred bytes.
const LONGEST_LINE: usize = 1 << 20;

/// How far a pull is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Compressed bytes that have come, of all layers.
    pub bytes: u64,
    /// Compressed bytes of the layers whose size the engine has told by now;
    /// grows while layers wait for their turn.
    pub total: u64,
    /// Layers of the image that the engine has named by now.
    pub layers: usize,
    /// Layers that are in place: unpacked, or there before.
    pub done: usize,
}

/// Why an image is not on the node after a pull.
#[derive(Debug, Error)]
pub enum PullError {
    /// The engine says why.
    #[error("{0}")]
    Failed(PullFailure),
    /// The engine could not be asked, or stopped telling. It may have pulled
    /// on or not; asking again does no harm.
    #[error(transparent)]
    Engine(#[from] Error),
    /// Nothing has come for so long, and the pull was given up.
    #[error("the pull stood still for {seconds} s")]
    Stalled {
        /// How long.
        seconds: u64,
    },
    /// It was not done in time, and was given up.
    #[error("the pull was not done within {seconds} s")]
    TimedOut {
        /// How long it was allowed to take.
        seconds: u64,
    },
    /// The engine says that it pulled, and does not have what was asked for.
    #[error("the engine pulled, and does not have {reference}: {found}")]
    Missing {
        /// What was asked for.
        reference: Box<ImageRef>,
        /// What it says that it has.
        found: String,
    },
}

impl PullError {
    /// What a person can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Failed(failure) => failure.hint().map(str::to_owned),
            Self::Engine(error) => error.hint(),
            Self::Stalled { .. } | Self::TimedOut { .. } => Some(
                "check the way from the node to the registry, then run the command again: layers that are done are not pulled twice"
                    .to_owned(),
            ),
            Self::Missing { reference, .. } => Some(format!(
                "look at the images there: docker images --digests {}",
                reference.repository.familiar()
            )),
        }
    }
}

impl NodeEngine {
    /// Pulls an image by its digest and makes sure that it is there. What is
    /// there already costs one question to the registry. `within` is the time
    /// for all of it; `progress` hears of every change.
    ///
    /// # Errors
    /// See [`PullError`].
    pub async fn pull(
        &self,
        repository: &Repository,
        digest: &Digest,
        auth: Option<&RegistryAuth>,
        within: Duration,
        progress: &(dyn Fn(PullProgress) + Sync),
    ) -> Result<(), PullError> {
        let reference = ImageRef {
            repository: repository.clone(),
            tag: None,
            digest: Some(digest.clone()),
        };
        let clock = Clock::of(within);
        let query = [
            ("fromImage", repository.to_string()),
            ("tag", digest.to_string()),
        ];
        let auth = auth.map(RegistryAuth::header);
        let begun = self
            .http
            .post_stream(CALL, "/images/create", &query, None, auth, SILENCE);
        let chunks = clock.limit(begun).await?;
        let chunks = chunks.map_err(|error| failed(error, &reference))?;
        Follower::new(&reference, progress)
            .follow(chunks, &clock)
            .await?;
        self.is_there(&reference, digest).await
    }

    /// The engine's word for it is not enough: a mirror may have answered with
    /// something else, and a prune may have come between.
    async fn is_there(&self, reference: &ImageRef, digest: &Digest) -> Result<(), PullError> {
        let missing = |found: String| PullError::Missing {
            reference: Box::new(reference.clone()),
            found,
        };
        let path = format!("/images/{reference}/json");
        let image: WireImage = match self.http.get("the pulled image", &path, &[]).await {
            Ok(image) => image,
            Err(Error::Refused {
                status: 404,
                message,
                ..
            }) => return Err(missing(message)),
            Err(error) => return Err(error.into()),
        };
        let names = image.repo_digests.unwrap_or_default();
        let is_it = |name: &String| {
            let read: Option<ImageRef> = name.parse().ok();
            read.is_some_and(|it| {
                it.repository == reference.repository && it.digest.as_ref() == Some(digest)
            })
        };
        if names.iter().any(is_it) {
            return Ok(());
        }
        Err(missing(match names.as_slice() {
            [] => "no digest at all".to_owned(),
            names => names.join(", "),
        }))
    }
}

/// `GET /images/NAME/json`, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct WireImage {
    repo_digests: Option<Vec<String>>,
}

/// What an engine's no means for a pull.
fn failed(error: Error, reference: &ImageRef) -> PullError {
    match error {
        Error::Refused { message, .. } => PullError::Failed(PullFailure::of(&message, reference)),
        Error::Deadline { seconds, .. } => PullError::Stalled { seconds },
        other => PullError::Engine(other),
    }
}

/// The time for the whole of a pull.
struct Clock {
    end: Instant,
    within: Duration,
}

impl Clock {
    fn of(within: Duration) -> Self {
        let now = Instant::now();
        // A clock ends somewhere.
        let end = now.checked_add(within).unwrap_or(now);
        Self { end, within }
    }

    async fn limit<T>(&self, work: impl Future<Output = T>) -> Result<T, PullError> {
        timeout_at(self.end, work)
            .await
            .map_err(|_| PullError::TimedOut {
                seconds: self.within.as_secs(),
            })
    }
}

/// Reads a pull's stream: one JSON object a line.
struct Follower<'a> {
    reference: &'a ImageRef,
    tell: &'a (dyn Fn(PullProgress) + Sync),
    told: Option<PullProgress>,
    layers: BTreeMap<String, Layer>,
}

#[derive(Clone, Copy, Default)]
struct Layer {
    bytes: u64,
    total: u64,
    done: bool,
}

impl<'a> Follower<'a> {
    fn new(reference: &'a ImageRef, tell: &'a (dyn Fn(PullProgress) + Sync)) -> Self {
        Self {
            reference,
            tell,
            told: None,
            layers: BTreeMap::new(),
        }
    }

    /// To the end of the stream, which must be a proper one.
    async fn follow(
        &mut self,
        mut chunks: BoxStream<'static, Result<Vec<u8>, Error>>,
        clock: &Clock,
    ) -> Result<(), PullError> {
        let mut pending: Vec<u8> = Vec::new();
        loop {
            let silent = Instant::now() + SILENCE;
            let chunk = clock.limit(timeout_at(silent, chunks.next())).await?;
            let Ok(chunk) = chunk else {
                let seconds = SILENCE.as_secs();
                return Err(PullError::Stalled { seconds });
            };
            let Some(chunk) = chunk.transpose()? else {
                return self.line(&pending);
            };
            pending.extend_from_slice(&chunk);
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                self.line(&line)?;
            }
            if pending.len() > LONGEST_LINE {
                return Err(nonsense("a line without end").into());
            }
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), PullError> {
        if line.trim_ascii().is_empty() {
            return Ok(());
        }
        let line: WireLine =
            serde_json::from_slice(line).map_err(|error| nonsense(&error.to_string()))?;
        if let Some(message) = line.failure() {
            return Err(PullError::Failed(PullFailure::of(&message, self.reference)));
        }
        self.note(line);
        let progress = self.progress();
        if self.told != Some(progress) && progress.layers > 0 {
            self.told = Some(progress);
            (self.tell)(progress);
        }
        Ok(())
    }

    fn note(&mut self, line: WireLine) {
        let status = line.status.unwrap_or_default();
        let Some(id) = line.id.filter(|_| is_of_layer(&status)) else {
            return;
        };
        let layer = self.layers.entry(id).or_default();
        match status.as_str() {
            "Downloading" => {
                let detail = line.progress_detail.unwrap_or_default();
                layer.total = count(detail.total).max(layer.total);
                // A download that is begun again begins at nothing.
                layer.bytes = count(detail.current);
            }
            // What is small is never told of while it comes.
            "Verifying Checksum" | "Download complete" => layer.bytes = layer.total,
            "Pull complete" | "Already exists" => {
                layer.bytes = layer.total;
                layer.done = true;
            }
            _ => {}
        }
    }

    fn progress(&self) -> PullProgress {
        let layers = self.layers.values();
        PullProgress {
            bytes: layers.clone().map(|layer| layer.bytes).sum(),
            total: layers.clone().map(|layer| layer.total).sum(),
            layers: self.layers.len(),
            done: layers.filter(|layer| layer.done).count(),
        }
    }
}

/// Whether a line is about a layer: the first names the tag or the digest in
/// the same field.
fn is_of_layer(status: &str) -> bool {
    const ALL: [&str; 8] = [
        "Pulling fs layer",
        "Waiting",
        "Downloading",
        "Verifying Checksum",
        "Download complete",
        "Extracting",
        "Pull complete",
        "Already exists",
    ];
    ALL.contains(&status) || status.starts_with("Retrying in")
}

fn count(number: Option<i64>) -> u64 {
    number.and_then(|it| u64::try_from(it).ok()).unwrap_or(0)
}

fn nonsense(cause: &str) -> Error {
    Error::Unintelligible {
        call: CALL.to_owned(),
        cause: cause.to_owned(),
    }
}

/// A line of the stream, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct WireLine {
    id: Option<String>,
    status: Option<String>,
    #[serde(rename = "progressDetail")]
    progress_detail: Option<WireDetail>,
    error: Option<String>,
    #[serde(rename = "errorDetail")]
    error_detail: Option<WireError>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireDetail {
    current: Option<i64>,
    total: Option<i64>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WireError {
    message: Option<String>,
}

impl WireLine {
    /// Why the pull ended badly, if this line says so.
    fn failure(&self) -> Option<String> {
        let detail = self.error_detail.as_ref();
        let detail = detail.map(|it| it.message.clone().unwrap_or_default());
        let told = detail.filter(|it| !it.is_empty());
        match (told, &self.error, &self.error_detail) {
            (Some(message), _, _) => Some(message),
            (None, Some(message), _) => Some(message.clone()),
            (None, None, Some(_)) => Some("the engine gives no reason".to_owned()),
            (None, None, None) => None,
        }
    }
}
