//! Configs and secrets: names that are unique, data that never changes.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::due::Id;
use super::events::attributes;
use super::{ApiError, Cluster};

/// What a config, and what a secret, has to stay below, in bytes.
const CONFIG_LIMIT: usize = 1_000 << 10;
const OLD_LIMIT: usize = 500 << 10;
/// Engines before this one have the old limit for configs, but those that
/// Debian builds with a later Swarm.
const RAISED_IN: u64 = 23;
const OF_DEBIAN: &str = "+dfsg";
const LONGEST_NAME: usize = 64;

#[derive(Clone, Debug)]
struct Object {
    version: u64,
    created: Timestamp,
    updated: Timestamp,
    spec: Value,
}

impl Object {
    /// Names are one in any case.
    fn is_called(&self, name: &str) -> bool {
        let own = self.spec["Name"].as_str().unwrap_or_default();
        own.eq_ignore_ascii_case(name)
    }
}

/// All configs, or all secrets.
#[derive(Debug)]
pub(super) struct Objects {
    kind: &'static str,
    all: BTreeMap<Id, Object>,
}

impl Objects {
    pub(super) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            all: BTreeMap::new(),
        }
    }

    fn shown(&self, id: &Id, object: &Object) -> Value {
        let mut spec = object.spec.clone();
        if self.kind == "secret"
            && let Value::Object(fields) = &mut spec
        {
            // No API returns it.
            fields.remove("Data");
        }
        json!({
            "ID": &**id,
            "Version": {"Index": object.version},
            "CreatedAt": object.created.to_string(),
            "UpdatedAt": object.updated.to_string(),
            "Spec": spec,
        })
    }

    /// By ID, by name, or by the beginning of an ID, as the engine looks.
    fn find(&self, what: &str) -> Result<Id, ApiError> {
        if let Some((id, _)) = self.all.get_key_value(what) {
            return Ok(id.clone());
        }
        let mut all = self.all.iter();
        if let Some((id, _)) = all.find(|(_, object)| object.is_called(what)) {
            return Ok(id.clone());
        }
        let mut found = self.all.keys().filter(|id| id.starts_with(what));
        match (found.next(), found.next()) {
            (Some(id), None) if !what.is_empty() => Ok(id.clone()),
            _ => Err(ApiError::not_found(self.kind, what)),
        }
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.all.contains_key(id)
    }

    fn check(&self, spec: &Value, limit: usize) -> Result<(), ApiError> {
        let kind = self.kind;
        let name = spec["Name"].as_str().unwrap_or_default();
        if name.is_empty() {
            return Err(ApiError::invalid("name must be provided"));
        }
        let plain = |c: char| c.is_ascii_alphanumeric();
        let ends = name.starts_with(plain) && name.ends_with(plain);
        let fits =
            name.len() <= LONGEST_NAME && name.chars().all(|c| plain(c) || "-_.".contains(c));
        if !ends || !fits {
            return Err(ApiError::invalid(
                "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]",
            ));
        }
        if self.all.values().any(|object| object.is_called(name)) {
            return Err(ApiError::exists(format!("{kind} {name} already exists")));
        }
        let data = BASE64_STANDARD.decode(spec["Data"].as_str().unwrap_or_default());
        let length = match data {
            Ok(data) => data.len(),
            Err(_) => return Err(ApiError::plain(400, "illegal base64 data")),
        };
        if length == 0 || length >= limit {
            return Err(ApiError::invalid(format!(
                "{kind} data must be larger than 0 and less than {limit} bytes"
            )));
        }
        Ok(())
    }
}

/// Which of the two.
#[derive(Clone, Copy)]
enum Kind {
    Config,
    Secret,
}

impl Cluster {
    /// Creates a config, and returns its ID.
    ///
    /// # Errors
    /// The name is taken or malformed, or the data is too long.
    pub fn create_config(&mut self, now: Timestamp, spec: Value) -> Result<String, ApiError> {
        self.create_object(now, Kind::Config, spec)
    }

    /// Creates a secret, and returns its ID.
    ///
    /// # Errors
    /// As [`Cluster::create_config`].
    pub fn create_secret(&mut self, now: Timestamp, spec: Value) -> Result<String, ApiError> {
        self.create_object(now, Kind::Secret, spec)
    }

    /// A config, by ID or name.
    ///
    /// # Errors
    /// There is none.
    pub fn config(&self, id_or_name: &str) -> Result<Value, ApiError> {
        self.object(Kind::Config, id_or_name)
    }

    /// A secret, by ID or name, without its data.
    ///
    /// # Errors
    /// There is none.
    pub fn secret(&self, id_or_name: &str) -> Result<Value, ApiError> {
        self.object(Kind::Secret, id_or_name)
    }

    /// All configs.
    #[must_use]
    pub fn configs(&self) -> Vec<Value> {
        let all = self.configs.all.iter();
        all.map(|(id, object)| self.configs.shown(id, object))
            .collect()
    }

    /// All secrets.
    #[must_use]
    pub fn secrets(&self) -> Vec<Value> {
        let all = self.secrets.all.iter();
        all.map(|(id, object)| self.secrets.shown(id, object))
            .collect()
    }

    /// Changes the labels of a config.
    ///
    /// # Errors
    /// There is none, somebody wrote in between, or more than labels differ.
    pub fn update_config(
        &mut self,
        now: Timestamp,
        id_or_name: &str,
        version: u64,
        spec: Value,
    ) -> Result<(), ApiError> {
        self.update_object(now, Kind::Config, id_or_name, version, spec)
    }

    /// Changes the labels of a secret.
    ///
    /// # Errors
    /// As [`Cluster::update_config`].
    pub fn update_secret(
        &mut self,
        now: Timestamp,
        id_or_name: &str,
        version: u64,
        spec: Value,
    ) -> Result<(), ApiError> {
        self.update_object(now, Kind::Secret, id_or_name, version, spec)
    }

    /// Removes a config. There is no check of its version.
    ///
    /// # Errors
    /// There is none, or a service uses it.
    pub fn remove_config(&mut self, now: Timestamp, id_or_name: &str) -> Result<(), ApiError> {
        self.remove_object(now, Kind::Config, id_or_name)
    }

    /// Removes a secret.
    ///
    /// # Errors
    /// As [`Cluster::remove_config`].
    pub fn remove_secret(&mut self, now: Timestamp, id_or_name: &str) -> Result<(), ApiError> {
        self.remove_object(now, Kind::Secret, id_or_name)
    }

    fn objects(&self, kind: Kind) -> &Objects {
        match kind {
            Kind::Config => &self.configs,
            Kind::Secret => &self.secrets,
        }
    }

    fn objects_mut(&mut self, kind: Kind) -> &mut Objects {
        match kind {
            Kind::Config => &mut self.configs,
            Kind::Secret => &mut self.secrets,
        }
    }

    fn object(&self, kind: Kind, what: &str) -> Result<Value, ApiError> {
        let objects = self.objects(kind);
        let id = objects.find(what)?;
        Ok(objects.shown(&id, &objects.all[&id]))
    }

    fn create_object(
        &mut self,
        now: Timestamp,
        kind: Kind,
        mut spec: Value,
    ) -> Result<String, ApiError> {
        self.advance(now);
        let limit = match kind {
            Kind::Config if self.has_raised_limit() => CONFIG_LIMIT,
            Kind::Config | Kind::Secret => OLD_LIMIT,
        };
        self.objects(kind).check(&spec, limit)?;
        if spec["Labels"].is_null() {
            spec["Labels"] = json!({});
        }
        let (id, version, now) = (self.identifier(), self.write(), self.now);
        let name = spec["Name"].as_str().unwrap_or_default().to_owned();
        let object = Object {
            version,
            created: now,
            updated: now,
            spec,
        };
        let objects = self.objects_mut(kind);
        objects.all.insert(id.clone(), object);
        let word = objects.kind;
        self.tell(word, "create", &id, attributes([("name", name)]));
        Ok(id.to_string())
    }

    fn has_raised_limit(&self) -> bool {
        let version = self.leader_version();
        let major = version.split('.').next().and_then(|it| it.parse().ok());
        major.unwrap_or(0) >= RAISED_IN || version.contains(OF_DEBIAN)
    }

    fn update_object(
        &mut self,
        now: Timestamp,
        kind: Kind,
        what: &str,
        version: u64,
        spec: Value,
    ) -> Result<(), ApiError> {
        self.advance(now);
        let id = self.objects(kind).find(what)?;
        let (written, now) = (self.write(), self.now);
        let objects = self.objects_mut(kind);
        let word = objects.kind;
        let Some(object) = objects.all.get_mut(&id) else {
            return Err(ApiError::not_found(word, what));
        };
        // The data need not be sent again; the name must.
        let same_data = spec["Data"].is_null() || spec["Data"] == object.spec["Data"];
        if spec["Name"] != object.spec["Name"] || !same_data {
            return Err(ApiError::invalid("only updates to Labels are allowed"));
        }
        if object.version != version {
            return Err(ApiError::out_of_sequence());
        }
        object.spec["Labels"] = match &spec["Labels"] {
            Value::Null => json!({}),
            labels => labels.clone(),
        };
        object.version = written;
        object.updated = now;
        let name = object.spec["Name"].as_str().unwrap_or_default().to_owned();
        self.tell(word, "update", &id, attributes([("name", name)]));
        Ok(())
    }

    fn remove_object(&mut self, now: Timestamp, kind: Kind, what: &str) -> Result<(), ApiError> {
        self.advance(now);
        let id = self.objects(kind).find(what)?;
        let (list, key) = match kind {
            Kind::Config => ("Configs", "ConfigID"),
            Kind::Secret => ("Secrets", "SecretID"),
        };
        let uses = |spec: &Value| {
            let used = spec["TaskTemplate"]["ContainerSpec"][list].as_array();
            used.into_iter().flatten().any(|it| it[key] == *id)
        };
        let services = self.services.values();
        let users: Vec<&str> = services
            .filter(|service| uses(&service.spec))
            .map(|service| service.name.as_str())
            .collect();
        let word = self.objects(kind).kind;
        let name = self.objects(kind).all[&id].spec["Name"].clone();
        let name = name.as_str().unwrap_or_default().to_owned();
        if !users.is_empty() {
            let noun = if users.len() == 1 {
                "service"
            } else {
                "services"
            };
            return Err(ApiError::invalid(format!(
                "{word} '{name}' is in use by the following {noun}: {}",
                users.join(", ")
            )));
        }
        self.write();
        self.objects_mut(kind).all.remove(&id);
        self.tell(word, "remove", &id, attributes([("name", name)]));
        Ok(())
    }
}
