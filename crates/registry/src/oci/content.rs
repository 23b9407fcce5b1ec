//! Whether two builds are the same but for their names.
//!
//! A build that is made again has a new digest even when nothing changed: its
//! config has a date, its provenance has two. What a container has of it are the
//! layers and what it is started with, and when these are equal it has been
//! rebuilt with the same content. Labels are not counted: they say when and from
//! which commit.

use std::collections::BTreeMap;

use imgstack_spec::{Digest, Platform, Repository};
use serde_json::json;

use super::client::Client;
use super::config::ImageConfig;
use super::error::Error;
use super::integrity;
use super::opened::Opened;

impl Client {
    /// What names the content of a build, for nodes of each of those platforms:
    /// equal where two builds are the same but for their names. Platforms that
    /// it has nothing for are left out, and so is an image without layers.
    ///
    /// One request for the index, and two for each different image that those
    /// nodes run; all of it comes from the cache the next time.
    ///
    /// # Errors
    /// Any of [`Error`].
    pub async fn contents(
        &self,
        repository: &Repository,
        digest: &Digest,
        platforms: &[Platform],
    ) -> Result<BTreeMap<Platform, Digest>, Error> {
        let opened = Opened::open(self, repository, digest).await?;
        let mut contents = BTreeMap::new();
        for platform in platforms {
            let config = opened.config_for(platform).await?;
            let content = config.as_ref().and_then(ImageConfig::content);
            contents.extend(content.map(|content| (platform.clone(), content)));
        }
        Ok(contents)
    }
}

impl ImageConfig {
    /// What names the content of the image, its labels and dates aside.
    fn content(&self) -> Option<Digest> {
        if self.diff_ids.is_empty() {
            return None;
        }
        let essence = json!({"layers": self.diff_ids, "runtime": self.runtime});
        integrity::sha256(essence.to_string().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(config: &str, diff_ids: &str) -> Option<Digest> {
        let document = format!(
            r#"{{"created":"2026-02-09T04:00:00Z","os":"linux","architecture":"amd64",
                "config":{config},"rootfs":{{"diff_ids":{diff_ids}}}}}"#
        );
        let repository: Repository = "ghcr.io/o/n".parse().unwrap();
        let config = ImageConfig::read(&repository, document.as_bytes()).unwrap();
        config.content()
    }

    fn layers(numbers: &[u8]) -> String {
        let layers: Vec<String> = numbers
            .iter()
            .map(|n| format!("\"sha256:{n:064x}\""))
            .collect();
        format!("[{}]", layers.join(","))
    }

    #[test]
    fn the_same_content_has_the_same_name() {
        let plain = r#"{"Cmd":["run"],"Env":["A=1"]}"#;
        let one = content(plain, &layers(&[1, 2]));
        let same = [
            r#"{"Env":["A=1"],"Cmd":["run"]}"#,
            r#"{"Cmd":["run"],"Env":["A=1"],"Labels":{"org.opencontainers.image.revision":"abc"}}"#,
            r#"{"Cmd":["run"],"Env":["A=1"],"Hostname":"f00","Domainname":"","Image":"sha256:1"}"#,
            r#"{"Cmd":["run"],"Env":["A=1"],"Entrypoint":null,"User":"","Tty":false,"Volumes":{}}"#,
        ];
        for config in same {
            assert_eq!(content(config, &layers(&[1, 2])), one, "{config}");
        }
        let others = [
            (r#"{"Cmd":["run","--fast"],"Env":["A=1"]}"#, vec![1, 2]),
            (r#"{"Cmd":["run"],"Env":["A=2"]}"#, vec![1, 2]),
            (r#"{"Cmd":["run"],"Env":["A=1"],"User":"70"}"#, vec![1, 2]),
            (r#"{"Cmd":["run"],"Env":["A=1"],"Tty":true}"#, vec![1, 2]),
            ("null", vec![1, 2]),
            (plain, vec![1]),
            (plain, vec![2, 1]),
            (plain, vec![1, 2, 3]),
        ];
        for (config, numbers) in others {
            let other = content(config, &layers(&numbers));
            assert_ne!(other, one, "{config} {numbers:?}");
        }
        // Nothing is not the same as nothing.
        assert_eq!(content(plain, "[]"), None);
        assert_eq!(content(plain, "null"), None);
    }
}
