//! What is asked of a manager about configs, and done to them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use super::Manager;
use crate::config::WireConfig;
use crate::{Config, ConfigId, Error, NewConfig};

impl Manager {
    /// The config of that name or ID; None if there is none.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn config(&self, name_or_id: &str) -> Result<Option<Config>, Error> {
        let (call, path) = (
            format!("config {name_or_id}"),
            format!("/configs/{name_or_id}"),
        );
        match self.http.get::<WireConfig>(&call, &path, &[]).await {
            Ok(config) => Ok(Some(config.into())),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The configs that carry this label with this value, their data included.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn configs_labelled(&self, key: &str, value: &str) -> Result<Vec<Config>, Error> {
        let label = format!("{key}={value}");
        let query = [("filters", json!({ "label": [label] }).to_string())];
        let configs: Vec<WireConfig> = self
            .http
            .get("the list of configs", "/configs", &query)
            .await?;
        Ok(configs.into_iter().map(Config::from).collect())
    }

    /// Makes a config. Sent once, never again.
    ///
    /// # Errors
    /// [`Error::is_conflict`] when there is one of that name;
    /// [`Error::AnswerLost`] when it is unknown whether it was made.
    pub async fn create_config(&self, config: &NewConfig<'_>) -> Result<ConfigId, Error> {
        let call = format!("the creation of config {}", config.name);
        let spec = json!({
            "Name": config.name,
            "Labels": config.labels,
            "Data": BASE64_STANDARD.encode(config.data),
        });
        let id = self
            .http
            .create(&call, "/configs/create", &spec, None)
            .await?;
        Ok(ConfigId::new(id))
    }

    /// Replaces the labels of a config, if it is still as it was read. Sent
    /// once, never again.
    ///
    /// # Errors
    /// [`Error::OutOfSequence`] when it was changed since: nothing was done;
    /// [`Error::is_not_found`] when it is gone; [`Error::AnswerLost`] when it is
    /// unknown whether it was done.
    pub async fn label_config(
        &self,
        read: &Config,
        labels: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let call = format!("the update of config {}", read.name);
        let path = format!("/configs/{}/update", read.id);
        let query = [("version", read.version.to_string())];
        // The data need not be sent again.
        let spec = json!({"Name": read.name, "Labels": labels});
        let answer = self.http.swap(&call, &path, &query, &spec, None).await;
        answer.map(drop)
    }

    /// Removes a config. By its ID, since another may have its name by now.
    ///
    /// # Errors
    /// See [`Error`]; [`Error::is_not_found`] when it is gone;
    /// [`Error::AnswerLost`] when it is unknown whether it was done, and then it
    /// may be sent again.
    pub async fn remove_config(&self, id: &ConfigId) -> Result<(), Error> {
        let call = format!("the removal of config {}", id.short());
        let path = format!("/configs/{id}");
        self.http.delete(&call, &path, &[]).await.map(drop)
    }
}
