//! Manifests and configs on disk, by digest.
//!
//! What a digest names never changes, so it is kept for ever, within a size.
//! Three rules keep the cache from ever being believed wrongly: a content is
//! hashed again when it is read; it appears under its name by a rename, whole
//! or not at all; and it is kept apart by registry and identity, so that
//! nobody reads what only somebody else was shown.
//!
//! A cache that fails (no space, no permission) is a cache that has nothing:
//! never an error. It may be deleted at any time.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use imgstack_spec::{Digest, RegistryHost};
use sha2::{Digest as _, Sha256};

use super::integrity;

/// Where the cache is, and how large it may become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheOptions {
    /// A folder of the cache's own; it is made when it is needed.
    pub path: PathBuf,
    /// The most that is kept, in bytes of content. What was not read for the
    /// longest time goes first.
    pub max_bytes: u64,
}

impl CacheOptions {
    /// A cache of up to 64 MiB: some ten thousand manifests.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            max_bytes: 64 << 20,
        }
    }
}

/// The part of the cache that one identity at one registry may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope(String);

impl Scope {
    /// `identity` tells identities apart; None is anonymous.
    pub(crate) fn new(host: &RegistryHost, identity: Option<&str>) -> Self {
        let mut hash = Sha256::new();
        hash.update(host.as_str());
        hash.update([0]);
        hash.update(identity.unwrap_or_default());
        let hex: String = hash
            .finalize()
            .iter()
            .take(16)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self(hex)
    }
}

/// The cache on disk.
#[derive(Clone)]
pub(crate) struct Cache {
    options: Arc<CacheOptions>,
    /// Bytes on disk; None until they were counted.
    size: Arc<Mutex<Option<u64>>>,
}

impl Cache {
    pub(crate) fn new(options: CacheOptions) -> Self {
        Self {
            options: Arc::new(options),
            size: Arc::default(),
        }
    }

    /// The content, if it is there and is what its digest says.
    pub(crate) async fn read(&self, scope: &Scope, digest: &Digest) -> Option<Vec<u8>> {
        let path = self.place(scope, digest);
        let digest = digest.clone();
        aside(move || {
            let content = fs::read(&path).ok()?;
            if !integrity::fits(&content, &digest) {
                let _ = fs::remove_file(&path);
                return None;
            }
            // The time of the last use, for the bound.
            let touch = fs::File::options().append(true).open(&path);
            let _ = touch.and_then(|file| file.set_modified(SystemTime::now()));
            Some(content)
        })
        .await
        .flatten()
    }

    /// Keeps a content that has been checked.
    pub(crate) async fn write(&self, scope: &Scope, digest: &Digest, content: Vec<u8>) {
        let path = self.place(scope, digest);
        let this = self.clone();
        aside(move || {
            if store(&path, &content).is_ok() {
                this.grown(content.len() as u64);
            }
        })
        .await;
    }

    fn place(&self, scope: &Scope, digest: &Digest) -> PathBuf {
        let name = format!("{}-{}", digest.algorithm(), digest.hex());
        self.options.path.join(&scope.0).join(name)
    }

    /// Keeps the size within its bound.
    fn grown(&self, by: u64) {
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        let now = match *size {
            Some(size) => size + by,
            None => entries(&self.options.path).iter().map(|it| it.size).sum(),
        };
        *size = Some(if now > self.options.max_bytes {
            evict(&self.options.path, self.options.max_bytes)
        } else {
            now
        });
    }
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    tokio::task::spawn_blocking(work).await.ok()
}

fn store(path: &Path, content: &[u8]) -> io::Result<()> {
    let Some(folder) = path.parent() else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    // Private images' manifests are nobody else's business.
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(content)?;
    file.persist(path)?;
    Ok(())
}

struct Entry {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

fn entries(root: &Path) -> Vec<Entry> {
    let folders = fs::read_dir(root).into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| fs::read_dir(folder.path()).into_iter().flatten());
    let entry = |file: fs::DirEntry| {
        let metadata = file.metadata().ok()?;
        Some(Entry {
            path: file.path(),
            size: metadata.len(),
            used: metadata.modified().ok()?,
        })
    };
    files.flatten().filter_map(entry).collect()
}

/// Removes what was not used for the longest time until a quarter of the room
/// is free again; what is left.
fn evict(root: &Path, max_bytes: u64) -> u64 {
    let mut entries = entries(root);
    entries.sort_by_key(|entry| entry.used);
    let mut size: u64 = entries.iter().map(|entry| entry.size).sum();
    for entry in entries {
        if size <= max_bytes / 4 * 3 {
            break;
        }
        if fs::remove_file(&entry.path).is_ok() {
            size -= entry.size;
        }
    }
    size
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;

    fn cache(folder: &TempDir, max_bytes: u64) -> Cache {
        Cache::new(CacheOptions {
            path: folder.path().join("cache"),
            max_bytes,
        })
    }

    fn scope(identity: Option<&str>) -> Scope {
        Scope::new(&RegistryHost::new("ghcr.io"), identity)
    }

    async fn keep(cache: &Cache, scope: &Scope, content: &[u8]) -> Digest {
        let digest = integrity::sha256(content).unwrap();
        cache.write(scope, &digest, content.to_vec()).await;
        digest
    }

    #[tokio::test]
    async fn what_is_kept_is_found_by_its_owner_only() {
        let folder = TempDir::new().unwrap();
        let cache = cache(&folder, 1 << 20);
        let mine = scope(Some("user me"));
        let digest = keep(&cache, &mine, b"content").await;
        assert_eq!(cache.read(&mine, &digest).await.unwrap(), b"content");
        let elsewhere = Scope::new(&RegistryHost::new("quay.io"), Some("user me"));
        for other in [scope(None), scope(Some("user you")), elsewhere] {
            assert_eq!(cache.read(&other, &digest).await, None);
        }
    }

    #[tokio::test]
    async fn a_changed_content_is_not_believed() {
        let folder = TempDir::new().unwrap();
        let cache = cache(&folder, 1 << 20);
        let digest = keep(&cache, &scope(None), b"content").await;
        let path = cache.place(&scope(None), &digest);
        fs::write(&path, b"contend").unwrap();
        assert_eq!(cache.read(&scope(None), &digest).await, None);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn the_size_is_bounded_and_the_unused_go_first() {
        let folder = TempDir::new().unwrap();
        let cache = cache(&folder, 4000);
        let mut kept = Vec::new();
        for n in 0..4u64 {
            kept.push(keep(&cache, &scope(None), &[u8::try_from(n).unwrap(); 1000]).await);
            let path = cache.place(&scope(None), &kept[kept.len() - 1]);
            let long_ago = SystemTime::now() - Duration::from_secs(100 - n);
            fs::File::options()
                .append(true)
                .open(path)
                .unwrap()
                .set_modified(long_ago)
                .unwrap();
        }
        // Reading it makes the oldest the youngest.
        assert!(cache.read(&scope(None), &kept[0]).await.is_some());
        kept.push(keep(&cache, &scope(None), &[9; 1000]).await);
        let mut there = Vec::new();
        for digest in &kept {
            there.push(cache.read(&scope(None), digest).await.is_some());
        }
        assert_eq!(there, [true, false, false, true, true]);
    }

    #[tokio::test]
    async fn a_cache_that_cannot_be_is_no_error() {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("cache"), "a file").unwrap();
        let cache = cache(&folder, 1 << 20);
        let digest = keep(&cache, &scope(None), b"content").await;
        assert_eq!(cache.read(&scope(None), &digest).await, None);
    }
}
