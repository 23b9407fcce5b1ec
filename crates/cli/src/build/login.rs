//! The credential, for docker's own programs: a folder of settings like
//! docker's own but for one login, which only we may read and which goes with
//! the build.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use imgstack_registry::credentials::{Credential, DockerLogin, with_login};
use imgstack_spec::RegistryHost;
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;
use tokio::process::Command;

use super::error::BuildError;

/// The file of docker's settings that has the logins.
const CONFIG: &str = "config.json";
/// Names the folder of docker's settings.
const FOLDER: &str = "DOCKER_CONFIG";
/// Logins, which newer clients take before those of the file.
const LOGINS: &str = "DOCKER_AUTH_CONFIG";

/// Docker's settings for one build. None: they are as they are.
pub(super) struct Settings(Option<TempDir>);

impl Settings {
    /// Docker's own, with that credential for that registry.
    pub(super) fn with(
        host: &RegistryHost,
        credential: Option<&Credential>,
    ) -> Result<Self, BuildError> {
        let Some(credential) = credential else {
            return Ok(Self(None));
        };
        let own = own_folder();
        let file = own.as_deref().map(|own| own.join(CONFIG));
        let text = file.as_deref().map(read).transpose();
        let text = text.map_err(|cause| BuildError::Settings {
            path: file.clone().unwrap_or_default(),
            cause: cause.to_string(),
        })?;
        let variable = std::env::var(LOGINS).ok().map(SecretString::from);
        let login = with_login(
            &text.unwrap_or_default(),
            variable
                .as_ref()
                .filter(|text| !text.expose_secret().is_empty()),
            host,
            credential,
        );
        let login = login.map_err(|cause| BuildError::Settings {
            path: file.unwrap_or_default(),
            cause: cause.to_string(),
        })?;
        let made = make(own.as_deref(), &login);
        Ok(Self(Some(made.map_err(BuildError::Folder)?)))
    }

    /// Has a command of docker's read them.
    pub(super) fn apply(&self, command: &mut Command) {
        if let Some(folder) = &self.0 {
            command.env(FOLDER, folder.path()).env_remove(LOGINS);
        }
    }
}

fn own_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
    let folder = set(FOLDER).map(PathBuf::from);
    folder.or_else(|| Some(PathBuf::from(set("HOME")?).join(".docker")))
}

/// A file that is not there has nothing in it.
fn read(file: &Path) -> io::Result<SecretString> {
    match fs::read_to_string(file) {
        Ok(text) => Ok(text.into()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(SecretString::default())
        }
        Err(error) => Err(error),
    }
}

fn make(own: Option<&Path>, login: &DockerLogin) -> io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder
        .prefix("imgstack-")
        .permissions(Permissions::from_mode(0o700));
    // In memory, where a user has such a place.
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let in_memory = runtime.filter(|it| it.is_absolute());
    let folder = match in_memory.and_then(|folder| builder.tempdir_in(folder).ok()) {
        Some(folder) => folder,
        None => builder.tempdir()?,
    };
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(folder.path().join(CONFIG))?;
    file.write_all(login.text().expose_secret().as_bytes())?;
    // Plugins, contexts, builders, certificates: all else is docker's own.
    let own = own.map(std::path::absolute).transpose()?;
    if let Some(entries) = own.and_then(|own| fs::read_dir(own).ok()) {
        for entry in entries.flatten().filter(|it| it.file_name() != CONFIG) {
            symlink(entry.path(), folder.path().join(entry.file_name()))?;
        }
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use imgstack_registry::credentials::Identity;

    use super::*;

    #[test]
    fn the_folder_is_ours_alone_and_has_all_that_docker_has() {
        let own = tempfile::tempdir().unwrap();
        fs::create_dir(own.path().join("cli-plugins")).unwrap();
        fs::write(own.path().join("cli-plugins/docker-buildx"), "").unwrap();
        fs::write(own.path().join(CONFIG), r#"{"currentContext":"lab"}"#).unwrap();
        let credential = Credential::new(
            Identity::Password {
                username: "robot".to_owned(),
                password: SecretString::from("secret".to_owned()),
            },
            "a test",
        );
        let host = RegistryHost::new("ghcr.io");
        let text = read(&own.path().join(CONFIG)).unwrap();
        let login = with_login(&text, None, &host, &credential).unwrap();
        let folder = make(Some(own.path()), &login).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.path().join(CONFIG)), 0o600);
        assert!(folder.path().join("cli-plugins/docker-buildx").exists());
        let text = fs::read_to_string(folder.path().join(CONFIG)).unwrap();
        assert!(text.contains("cm9ib3Q6c2VjcmV0") && text.contains("lab"));
        let before = fs::read_to_string(own.path().join(CONFIG)).unwrap();
        assert_eq!(before, r#"{"currentContext":"lab"}"#);
        let path = folder.path().to_owned();
        drop(Settings(Some(folder)));
        assert!(!path.exists() && own.path().join("cli-plugins/docker-buildx").exists());
    }

    #[test]
    fn without_a_file_of_dockers_there_is_the_login_alone() {
        let text = read(Path::new("/nowhere/config.json")).unwrap();
        assert!(text.expose_secret().is_empty());
        assert!(read(Path::new("/")).is_err());
    }
}
