//! What lies on a node's disk: pulled, removed, pruned, counted.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::due::{Due, Id};
use super::events::attributes;
use super::store::{Names, Pulling, Stored};
use super::{ApiError, Cluster, PullTicket};
use crate::{Credential, Image, Pull, PullError};

/// What a registry's answers take, however small the image.
const LATENCY: SignedDuration = SignedDuration::from_millis(40);

impl Cluster {
    /// Whether the node has what the reference names; None where that has to
    /// be asked for, as for a tag.
    pub(super) fn present(&self, node: &Id, reference: &str) -> Option<Image> {
        let names = Names::of(reference)?;
        names.digest.as_ref()?;
        let stored = self.nodes.get(node)?.store.find(reference)?;
        Some(stored.image.clone())
    }

    /// What the node has under that name, be it as old as it may.
    pub(super) fn local(&self, node: &Id, reference: &str) -> Option<Image> {
        let stored = self.nodes.get(node)?.store.find(reference)?;
        Some(stored.image.clone())
    }

    /// Begins a pull, or joins one of the same reference.
    pub(super) fn pull(
        &mut self,
        node: &Id,
        reference: &str,
        credential: Option<&Credential>,
        waiting: Option<&Id>,
    ) -> Option<(Result<Image, PullError>, Timestamp)> {
        let (now, upstream) = (self.now, self.upstream.clone());
        let store = &mut self.nodes.get_mut(node)?.store;
        let mut going_on = store.pulls.values_mut();
        if let Some(pull) = going_on.find(|pull| pull.reference == reference) {
            pull.waiting.extend(waiting.cloned());
            return Some((pull.found.clone(), pull.done_at));
        }
        let setup = &self.nodes.get(node)?.setup;
        let architecture = match setup.architecture.as_str() {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            other => other,
        };
        let asked = Pull {
            reference,
            credential,
            os: &setup.os,
            architecture,
            node: &setup.hostname,
            at: now,
        };
        let found = match upstream {
            Some(upstream) => upstream.pull(&asked),
            None => Err(PullError::Unreachable(
                "no registry can be reached".to_owned(),
            )),
        };
        let store = &mut self.nodes.get_mut(node)?.store;
        let bytes = found.as_ref().map_or(0, |image| {
            let known = store.images.contains_key(&image.id);
            if known { 0 } else { image.compressed }
        });
        let millis = bytes.saturating_mul(1000) / store.bandwidth;
        let done_at = now
            + LATENCY
            + SignedDuration::from_millis(i64::try_from(millis).unwrap_or(i64::MAX / 4));
        store.begun += 1;
        let number = store.begun;
        store.outcomes.remove(reference);
        let pulling = Pulling {
            reference: reference.to_owned(),
            found: found.clone(),
            done_at,
            waiting: waiting.cloned().into_iter().collect(),
        };
        store.pulls.insert(number, pulling);
        let node = node.clone();
        self.queue
            .push(done_at, Due::PullEnds { node, pull: number });
        Some((found, done_at))
    }

    pub(super) fn pull_ends(&mut self, id: &Id, number: u64) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(id) else {
            return;
        };
        let Some(pull) = node.store.pulls.remove(&number) else {
            return;
        };
        let store = &mut node.store;
        let outcome = match pull.found {
            Ok(image) if !store.images.contains_key(&image.id) && image.size > store.free() => {
                Err("write /var/lib/docker/tmp/GetImageBlob: no space left on device".to_owned())
            }
            Ok(image) => {
                store.put(&image, &pull.reference, now);
                Ok(())
            }
            Err(error) => Err(error.to_string()),
        };
        store
            .outcomes
            .insert(pull.reference.clone(), outcome.clone());
        if outcome.is_ok() {
            let name = attributes([("name", pull.reference.clone())]);
            self.tell_local(id, ("image", "pull"), &pull.reference, name);
        }
        for task in pull.waiting {
            self.pulled(&task, &outcome);
        }
    }

    /// Begins a pull as a person asks for it.
    ///
    /// # Errors
    /// There is no such node, or the registry says no.
    pub fn begin_pull(
        &mut self,
        now: Timestamp,
        hostname: &str,
        reference: &str,
        auth: Option<Credential>,
    ) -> Result<PullTicket, ApiError> {
        self.advance(now);
        let node = self.find_node(hostname)?;
        let begun = self
            .present(&node, reference)
            .map(|image| (image, self.now));
        let (image, done_at, total_bytes) = match begun {
            Some((image, at)) => (image, at, 0),
            None => {
                let before: BTreeSet<String> =
                    self.nodes[&node].store.images.keys().cloned().collect();
                let begun = self.pull(&node, reference, auth.as_ref(), None);
                let (found, at) = begun.ok_or_else(|| ApiError::not_found("node", hostname))?;
                let image = found.map_err(|error| refusal(&error))?;
                let bytes = if before.contains(&image.id) {
                    0
                } else {
                    image.compressed
                };
                (image, at, bytes)
            }
        };
        Ok(PullTicket {
            image,
            done_at,
            total_bytes,
        })
    }

    /// How the last pull of this reference ended.
    ///
    /// # Errors
    /// It ended badly, as with a full disk, or goes on.
    pub fn pull_outcome(&self, hostname: &str, reference: &str) -> Result<(), ApiError> {
        let node = self.find_node(hostname)?;
        if self.present(&node, reference).is_some() {
            return Ok(());
        }
        match self.nodes[&node].store.outcomes.get(reference) {
            Some(Ok(())) => Ok(()),
            Some(Err(why)) => Err(ApiError::plain(500, why.clone())),
            None => Err(ApiError::plain(500, "the pull goes on")),
        }
    }

    /// `GET /images/json` of a node.
    #[must_use]
    pub fn node_images(&self, hostname: &str) -> Vec<Value> {
        let Some(node) = self.node_named(hostname) else {
            return Vec::new();
        };
        let stored = node.store.images.values();
        stored
            .map(|stored| self.image_row(hostname, stored))
            .collect()
    }

    fn image_row(&self, hostname: &str, stored: &Stored) -> Value {
        let created = stored.image.config["created"].as_str();
        let created = created.and_then(|text| text.parse::<Timestamp>().ok());
        json!({
            "Id": stored.image.id,
            "ParentId": "",
            "RepoTags": stored.tags,
            "RepoDigests": stored.digests,
            "Created": created.unwrap_or(stored.pulled).as_second(),
            "Size": stored.image.size,
            "VirtualSize": stored.image.size,
            "SharedSize": -1,
            "Labels": stored.image.config["config"]["Labels"],
            "Containers": self.users(hostname, &stored.image.id).len(),
        })
    }

    /// `GET /images/{name}/json` of a node.
    ///
    /// # Errors
    /// There is none.
    pub fn node_image(&self, hostname: &str, reference: &str) -> Result<Value, ApiError> {
        let node = self.node_named(hostname);
        let stored = node.and_then(|node| node.store.find(reference));
        let Some(stored) = stored else {
            return Err(ApiError::plain(404, format!("No such image: {reference}")));
        };
        let image = &stored.image;
        Ok(json!({
            "Id": image.id,
            "RepoTags": stored.tags,
            "RepoDigests": stored.digests,
            "Created": image.config["created"],
            "Architecture": image.config["architecture"],
            "Os": image.config["os"],
            "Size": image.size,
            "Config": image.config["config"],
            "RootFS": {"Type": "layers", "Layers": image.config["rootfs"]["diff_ids"]},
        }))
    }

    /// Containers on the node that were made from the image.
    fn users(&self, hostname: &str, image: &str) -> Vec<&super::Task> {
        let Some(id) = self.hostnames.get(hostname) else {
            return Vec::new();
        };
        let tasks = self.nodes[id]
            .busy
            .iter()
            .filter_map(|id| self.tasks.get(id));
        tasks
            .filter(|task| task.container.is_some())
            .filter(|task| task.image.as_ref().is_some_and(|it| it.id == image))
            .collect()
    }

    /// Takes a name away, and with the last one the image.
    ///
    /// # Errors
    /// There is none, or a container uses it and nobody insists.
    pub fn remove_image(
        &mut self,
        now: Timestamp,
        hostname: &str,
        reference: &str,
        force: bool,
    ) -> Result<Vec<Value>, ApiError> {
        self.advance(now);
        let node = self.find_node(hostname)?;
        let missing = || ApiError::plain(404, format!("No such image: {reference}"));
        let stored = self.nodes[&node]
            .store
            .find(reference)
            .ok_or_else(missing)?
            .clone();
        let id = stored.image.id.clone();
        if let (Some(user), false) = (self.users(hostname, &id).first(), force) {
            let container = user.container.as_ref().map_or("", |it| it.id.as_str());
            return Err(ApiError::plain(
                409,
                format!(
                    "conflict: unable to remove repository reference \"{reference}\" (must force) - container {container:.12} is using its referenced image {:.12}",
                    id.trim_start_matches("sha256:")
                ),
            ));
        }
        let names = Names::of(reference);
        let mut gone = Vec::new();
        let store = &mut self.nodes.get_mut(&node).ok_or_else(missing)?.store;
        if let Some(stored) = store.images.get_mut(&id) {
            let named: Vec<String> = names
                .into_iter()
                .flat_map(|names| [names.digest, names.tag])
                .flatten()
                .collect();
            let by_name = named
                .iter()
                .any(|it| stored.tags.contains(it) || stored.digests.contains(it));
            let all = stored.tags.iter().chain(&stored.digests).cloned();
            let untagged: Vec<String> = match by_name {
                true => all.filter(|it| named.contains(it)).collect(),
                false => all.collect(),
            };
            for name in untagged {
                stored.tags.remove(&name);
                stored.digests.remove(&name);
                gone.push(json!({"Untagged": name}));
            }
            // A digest alone holds no image once its tags are gone.
            if stored.tags.is_empty() {
                gone.extend(stored.digests.iter().map(|it| json!({"Untagged": it})));
                store.images.remove(&id);
                gone.push(json!({"Deleted": id}));
            }
        }
        self.tell_local(
            &node,
            ("image", "delete"),
            &id,
            attributes([("name", id.clone())]),
        );
        Ok(gone)
    }

    /// Removes what no container uses: images without a tag, or with `all`
    /// every one. Returns what went and how many bytes that freed.
    pub fn prune_images(&mut self, now: Timestamp, hostname: &str, all: bool) -> (Vec<Value>, u64) {
        self.advance(now);
        let Some(node) = self.hostnames.get(hostname).cloned() else {
            return (Vec::new(), 0);
        };
        let stored = self.nodes[&node].store.images.values();
        let unused = stored.filter(|stored| self.users(hostname, &stored.image.id).is_empty());
        // What was pulled by digest has no tag, and is not dangling for that.
        let unused = unused.filter(|it| all || (it.tags.is_empty() && it.digests.is_empty()));
        let ids: Vec<String> = unused.map(|stored| stored.image.id.clone()).collect();
        let (mut gone, mut bytes) = (Vec::new(), 0);
        for id in ids {
            let store = self.nodes.get_mut(&node).map(|node| &mut node.store);
            let Some(stored) = store.and_then(|store| store.images.remove(&id)) else {
                continue;
            };
            let names = stored.tags.iter().chain(&stored.digests);
            gone.extend(names.map(|name| json!({"Untagged": name})));
            gone.push(json!({"Deleted": id}));
            bytes += stored.image.size;
            self.tell_local(
                &node,
                ("image", "delete"),
                &id,
                attributes([("name", id.clone())]),
            );
        }
        (gone, bytes)
    }

    /// `GET /system/df` of a node.
    #[must_use]
    pub fn disk_usage(&self, hostname: &str) -> Value {
        let used = self
            .node_named(hostname)
            .map_or(0, |node| node.store.used());
        json!({
            "LayersSize": used,
            "Images": self.node_images(hostname),
            "Containers": [],
            "Volumes": [],
            "BuildCache": [],
        })
    }

    /// Free bytes of the disk for images. No engine's API tells them.
    #[must_use]
    pub fn free_bytes(&self, hostname: &str) -> u64 {
        self.node_named(hostname)
            .map_or(0, |node| node.store.free())
    }

    /// How fast a node pulls, from the next pull on.
    pub fn set_bandwidth(&mut self, hostname: &str, bytes_per_s: u64) {
        let id = self.hostnames.get(hostname).cloned();
        if let Some(node) = id.and_then(|id| self.nodes.get_mut(&id)) {
            node.store.bandwidth = bytes_per_s.max(1);
        }
    }

    /// Something else fills a node's disk, up to so many bytes.
    pub fn fill_disk(&mut self, hostname: &str, leave_free: u64) {
        let id = self.hostnames.get(hostname).cloned();
        if let Some(node) = id.and_then(|id| self.nodes.get_mut(&id)) {
            let store = &mut node.store;
            store.filler = store.disk.saturating_sub(store.used() + leave_free);
        }
    }
}

/// As `POST /images/create` answers it.
fn refusal(error: &PullError) -> ApiError {
    let status = match error {
        PullError::Denied(_) | PullError::NotFound(_) | PullError::NoPlatform(_) => 404,
        PullError::Unreachable(_) | PullError::Failed(_) => 500,
    };
    ApiError::plain(status, error.to_string())
}
