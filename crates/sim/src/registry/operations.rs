//! What a world does to its registry without asking: builds arrive, clean-ups
//! run, rights change, things break.

use imgstack_spec::Digest;
use jiff::Timestamp;

use super::Registry;
use super::access::User;
use super::build::{Build, Pushed};
use super::compose::compose;

/// A manifest as GitHub's list of package versions has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Of the manifest or index.
    pub digest: String,
    /// The tags that lead to it, the newest first.
    pub tags: Vec<String>,
    /// When it was first pushed.
    pub pushed: Timestamp,
}

impl Registry {
    /// Pushes a build, and points the tags at it.
    pub fn push_build(&self, build: &Build, tags: &[&str]) -> Pushed {
        let (composed, now) = (compose(build), self.0.clock.now());
        let (name, mut state) = (&build.repository, self.state());
        for piece in composed.blobs {
            state.keep_blob(name, &piece.digest, piece.blob);
        }
        let mut pushed = Pushed {
            digest: String::new(),
            manifests: std::collections::BTreeMap::new(),
        };
        for (platform, piece) in composed.manifests {
            let bytes = piece.blob.bytes;
            pushed.digest = state.keep_manifest(name, piece.media_type, bytes, now);
            pushed.manifests.insert(platform, pushed.digest.clone());
        }
        for piece in composed.attestations.into_iter().chain(composed.index) {
            let bytes = piece.blob.bytes;
            pushed.digest = state.keep_manifest(name, piece.media_type, bytes, now);
        }
        for tag in tags {
            state.point(name, tag, &pushed.digest);
        }
        pushed
    }

    /// Adds a user, or replaces the one of that name.
    pub fn add_user(&self, user: User) {
        self.state().users.insert(user.name.clone(), user);
    }

    /// Makes a user's password good no more. Tokens that were given for it
    /// live on.
    pub fn revoke(&self, user: &str) {
        if let Some(user) = self.state().users.get_mut(user) {
            user.revoked = true;
        }
    }

    /// Ends all tokens that were given so far.
    pub fn expire_tokens(&self) {
        self.state().tokens.clear();
    }

    /// Whether a repository can be read without a login; it need not exist yet.
    pub fn set_public(&self, repository: &str, public: bool) {
        let mut state = self.state();
        if public {
            state.public.insert(repository.to_owned());
        } else {
            state.public.remove(repository);
        }
    }

    /// Whether a repository can be read without a login.
    #[must_use]
    pub fn is_public(&self, repository: &str) -> bool {
        self.state().public.contains(repository)
    }

    /// Where clients are sent for tokens: the base URL of the server. Without
    /// it they are sent to wherever they asked.
    pub fn set_base_url(&self, url: &str) {
        self.state().base_url = Some(url.to_owned());
    }

    /// Switches the registry off or on. Off, engines find nobody there, and a
    /// socket answers 503.
    pub fn set_off(&self, off: bool) {
        self.state().off = off;
    }

    /// Answers the next `requests` with a 429.
    pub fn throttle_next(&self, requests: usize) {
        self.state().throttled = requests;
    }

    /// Points a tag at a digest that is there or not.
    pub fn set_tag(&self, repository: &str, tag: &str, digest: &Digest) {
        self.state().point(repository, tag, digest.as_str());
    }

    /// Says another digest than the true one when asked for a tag; None ends
    /// that. Whether there is such a tag.
    pub fn mislead(&self, repository: &str, tag: &str, digest: Option<&Digest>) -> bool {
        let mut state = self.state();
        let shelf = state.repositories.get_mut(repository);
        let tag = shelf.and_then(|shelf| shelf.tags.get_mut(tag));
        tag.map(|tag| tag.lie = digest.map(|it| it.as_str().to_owned()))
            .is_some()
    }

    /// Deletes a tag; whether it was there.
    pub fn delete_tag(&self, repository: &str, tag: &str) -> bool {
        let mut state = self.state();
        let shelf = state.repositories.get_mut(repository);
        shelf.is_some_and(|shelf| shelf.tags.remove(tag).is_some())
    }

    /// Deletes a manifest or index and the tags that lead to it; whether it
    /// was there. What an index lists stays.
    pub fn delete_manifest(&self, repository: &str, digest: &str) -> bool {
        let mut state = self.state();
        let shelf = state.repositories.get_mut(repository);
        shelf.is_some_and(|shelf| shelf.remove(digest))
    }

    /// Deletes what an index lists and leaves the index, as clean-ups of
    /// untagged versions do; how many there were.
    pub fn delete_children(&self, repository: &str, digest: &str) -> usize {
        let mut state = self.state();
        let Some(shelf) = state.repositories.get_mut(repository) else {
            return 0;
        };
        let Some(content) = shelf
            .manifests
            .get(digest)
            .map(super::store::Manifest::content)
        else {
            return 0;
        };
        let children = content["manifests"].as_array().into_iter().flatten();
        let children = children.filter_map(|child| child["digest"].as_str());
        children.filter(|child| shelf.remove(child)).count()
    }

    /// What a tag leads to.
    #[must_use]
    pub fn digest(&self, repository: &str, tag: &str) -> Option<String> {
        let state = self.state();
        let tag = state.repositories.get(repository)?.tags.get(tag)?;
        Some(tag.digest.clone())
    }

    /// Everything that was pushed to a repository, the newest first. None:
    /// there is no such repository.
    #[must_use]
    pub fn versions(&self, repository: &str) -> Option<Vec<Version>> {
        let state = self.state();
        let shelf = state.repositories.get(repository)?;
        let mut manifests: Vec<_> = shelf.manifests.iter().collect();
        manifests.sort_by_key(|(_, manifest)| std::cmp::Reverse(manifest.serial));
        let version = |(digest, manifest): (&String, &super::store::Manifest)| {
            let mut tags: Vec<_> = shelf.tags.iter().collect();
            tags.retain(|(_, tag)| tag.digest == *digest);
            tags.sort_by_key(|(_, tag)| std::cmp::Reverse(tag.serial));
            Version {
                digest: digest.clone(),
                tags: tags.into_iter().map(|(name, _)| name.clone()).collect(),
                pushed: manifest.pushed,
            }
        };
        Some(manifests.into_iter().map(version).collect())
    }
}
