//! The surroundings in which credentials are looked for.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

/// Environment variables: they say where configurations are, may hold a
/// password, and are what helpers run with.
///
/// A value of its own rather than the process's, so that it is the caller who
/// decides whether and when the process's is read.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// The process's own.
    #[must_use]
    pub fn of_process() -> Self {
        std::env::vars_os().collect()
    }

    /// The value of a variable; an empty one counts as unset.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.0
            .get(OsStr::new(name))
            .map(OsString::as_os_str)
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsString, &OsString)> {
        self.0.iter()
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    fn home(&self) -> Option<PathBuf> {
        self.path("HOME")
    }

    /// Docker's configuration file.
    pub(crate) fn docker_config(&self) -> Option<PathBuf> {
        let folder = self
            .path("DOCKER_CONFIG")
            .or_else(|| Some(self.home()?.join(".docker")))?;
        Some(folder.join("config.json"))
    }

    /// Podman's files, the first to be asked first. One that is named
    /// outright is the only one.
    pub(crate) fn podman_auth(&self) -> Vec<PathBuf> {
        if let Some(named) = self.path("REGISTRY_AUTH_FILE") {
            return vec![named];
        }
        let configuration = self
            .path("XDG_CONFIG_HOME")
            .or_else(|| Some(self.home()?.join(".config")));
        [self.path("XDG_RUNTIME_DIR"), configuration]
            .into_iter()
            .flatten()
            .map(|folder| folder.join("containers/auth.json"))
            .collect()
    }

    /// A path as people write it, with `~` for their home.
    pub(crate) fn shown(&self, path: &std::path::Path) -> String {
        match self.home().and_then(|home| {
            let below = path.strip_prefix(home).ok()?;
            Some(format!("~/{}", below.display()))
        }) {
            Some(short) => short,
            None => path.display().to_string(),
        }
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        let owned = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self(owned.collect())
    }
}

/// Names only: a value may be a secret.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
