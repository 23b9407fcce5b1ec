//! Where engines pull from: one registry, or several by host.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use imgstack_spec::ImageRef;

use super::puller::{Puller, host_of_api, select};
use super::{Manner, Registry};
use crate::{Credential, Descriptor, Image, Pull, PullError, Upstream};

/// The registries of a world, by host. All other hosts do not exist. Clones
/// share them.
#[derive(Clone, Debug, Default)]
pub struct Registries(Arc<Mutex<BTreeMap<String, Registry>>>);

impl Registries {
    /// Adds a registry.
    pub fn add(&self, registry: &Registry) {
        self.add_as(registry.host(), registry);
    }

    /// Adds a registry by another name than its own.
    pub fn add_as(&self, host: &str, registry: &Registry) {
        self.lock().insert(host.to_owned(), registry.clone());
    }

    /// From now on that host does not exist.
    pub fn remove(&self, host: &str) {
        self.lock().remove(host);
    }

    /// The registry of that host.
    #[must_use]
    pub fn get(&self, host: &str) -> Option<Registry> {
        self.lock().get(host).cloned()
    }

    fn find(&self, host: &str) -> Result<Registry, PullError> {
        self.get(host).ok_or_else(|| nowhere(host))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Registry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromIterator<Registry> for Registries {
    fn from_iter<I: IntoIterator<Item = Registry>>(registries: I) -> Self {
        let all = Self::default();
        for registry in registries {
            all.add(&registry);
        }
        all
    }
}

impl Upstream for Registries {
    fn pull(&self, pull: &Pull<'_>) -> Result<Image, PullError> {
        let image = read(pull.reference)?;
        let registry = self.find(image.repository.host().as_str())?;
        registry.fetch(&image, pull)
    }

    fn describe(&self, pull: &Pull<'_>) -> Result<Descriptor, PullError> {
        let image = read(pull.reference)?;
        let registry = self.find(image.repository.host().as_str())?;
        registry.look_up(&image, pull)
    }

    fn login(&self, host: &str, credential: &Credential) -> Result<(), PullError> {
        self.find(host)?.let_in(host, credential)
    }
}

impl Upstream for Registry {
    fn pull(&self, pull: &Pull<'_>) -> Result<Image, PullError> {
        let image = read(pull.reference)?;
        self.must_be(&image)?;
        self.fetch(&image, pull)
    }

    fn describe(&self, pull: &Pull<'_>) -> Result<Descriptor, PullError> {
        let image = read(pull.reference)?;
        self.must_be(&image)?;
        self.look_up(&image, pull)
    }

    fn login(&self, host: &str, credential: &Credential) -> Result<(), PullError> {
        match host == self.host() {
            true => self.let_in(host, credential),
            false => Err(nowhere(host)),
        }
    }
}

fn read(reference: &str) -> Result<ImageRef, PullError> {
    let read = reference.parse();
    read.map_err(|_| PullError::NotFound("invalid reference format".to_owned()))
}

fn nowhere(host: &str) -> PullError {
    let api = host_of_api(host);
    let name = api.rsplit_once(':').map_or(api, |(name, _)| name);
    let text = format!("Get \"https://{api}/v2/\": dial tcp: lookup {name}: no such host");
    PullError::Unreachable(text)
}

impl Registry {
    /// Whether a login is good; `host` is what the registry was called.
    fn let_in(&self, host: &str, credential: &Credential) -> Result<(), PullError> {
        let login = (credential.username.clone(), credential.password.clone());
        let (manner, now) = (self.0.settings.manner, self.0.clock.now());
        let known = manner == Manner::Plain || self.state().user(manner, &login, now).is_some();
        match known {
            true => Ok(()),
            false => Err(PullError::Denied(format!(
                "Get \"https://{host}/v2/\": denied: denied"
            ))),
        }
    }

    fn must_be(&self, image: &ImageRef) -> Result<(), PullError> {
        let host = image.repository.host().as_str();
        match host == self.host() {
            true => Ok(()),
            false => Err(nowhere(host)),
        }
    }

    /// What an engine does for `/distribution`, in its order.
    fn look_up(&self, image: &ImageRef, pull: &Pull<'_>) -> Result<Descriptor, PullError> {
        let mut puller = Puller::new(self, image, pull);
        puller.knock()?;
        let digest = puller.digest()?;
        puller.descriptor(&digest)
    }

    /// What an engine does for one `docker pull`, in its order.
    fn fetch(&self, image: &ImageRef, pull: &Pull<'_>) -> Result<Image, PullError> {
        let mut puller = Puller::new(self, image, pull);
        puller.knock()?;
        let digest = puller.digest()?;
        let top = puller.manifest(&digest)?;
        let (manifest, content) = if top["manifests"].is_array() {
            let child = select(&top, pull.os, pull.architecture)?;
            let content = puller.manifest(&child)?;
            (child, content)
        } else {
            (digest.clone(), top)
        };
        let config = puller.config(&content["config"])?;
        let layers = content["layers"].as_array().into_iter().flatten();
        let mut compressed = content["config"]["size"].as_u64().unwrap_or_default();
        let mut size = compressed;
        for layer in layers {
            let unpacked = puller.layer(layer)?;
            compressed = compressed.saturating_add(layer["size"].as_u64().unwrap_or_default());
            size = size.saturating_add(unpacked);
        }
        let id = content["config"]["digest"].as_str().unwrap_or_default();
        Ok(Image {
            repository: image.repository.familiar(),
            digest,
            manifest,
            id: id.to_owned(),
            compressed,
            size,
            config,
        })
    }
}
