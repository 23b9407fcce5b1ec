//! `/configs` and `/secrets`, which differ in what they show.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::answers::{Outcome, ok};
use super::call::Call;
use crate::Answer;
use crate::swarm::{ApiError, Cluster};

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Readable.
    Config,
    /// Its data never comes back.
    Secret,
}

/// `/configs…` or `/secrets…`
pub(super) fn answer(call: &Call<'_>, kind: Kind, rest: &[&str]) -> Outcome {
    match (call.method(), rest) {
        (&Method::GET, []) => list(call, kind),
        (&Method::POST, ["create"]) => create(call, kind),
        (&Method::GET, [id]) => {
            let found = call.engines.read(|cluster| kind.one(cluster, id))?;
            Ok(ok(&kind.shown(found)))
        }
        (&Method::POST, [id, "update"]) => update(call, kind, id),
        (&Method::DELETE, [id]) => {
            call.engines.with(|cluster, now| match kind {
                Kind::Config => cluster.remove_config(now, id),
                Kind::Secret => cluster.remove_secret(now, id),
            })?;
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        _ => Err(call.no_such_page()),
    }
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Secret => "secret",
        }
    }

    fn one(self, cluster: &Cluster, id: &str) -> Result<Value, ApiError> {
        match self {
            Self::Config => cluster.config(id),
            Self::Secret => cluster.secret(id),
        }
    }

    fn all(self, cluster: &Cluster) -> Vec<Value> {
        match self {
            Self::Config => cluster.configs(),
            Self::Secret => cluster.secrets(),
        }
    }

    fn shown(self, mut object: Value) -> Value {
        if self == Self::Secret
            && let Some(spec) = object["Spec"].as_object_mut()
        {
            spec.remove("Data");
        }
        object
    }
}

fn list(call: &Call<'_>, kind: Kind) -> Outcome {
    let known: &[&str] = match kind {
        Kind::Config => &["name", "id", "label"],
        Kind::Secret => &["name", "id", "label", "names"],
    };
    let filters = call.filters(known)?;
    let mut all = call.engines.read(|cluster| kind.all(cluster));
    all.retain(|object| {
        let name = object["Spec"]["Name"].as_str().unwrap_or_default();
        filters.prefix_of_name("name", name)
            && filters.exact("names", name)
            && filters.prefix("id", object["ID"].as_str().unwrap_or_default())
            && filters.labels("label", &object["Spec"]["Labels"])
    });
    let shown: Vec<Value> = all.into_iter().map(|object| kind.shown(object)).collect();
    Ok(ok(&shown))
}

fn create(call: &Call<'_>, kind: Kind) -> Outcome {
    let spec = call.body()?;
    let id = call.engines.with(|cluster, now| match kind {
        Kind::Config => cluster.create_config(now, spec),
        Kind::Secret => cluster.create_secret(now, spec),
    })?;
    Ok(Answer::json(StatusCode::CREATED, &json!({ "ID": id })))
}

fn update(call: &Call<'_>, kind: Kind, id: &str) -> Outcome {
    let (index, spec) = (call.index(kind.word())?, call.body()?);
    call.engines.with(|cluster, now| match kind {
        Kind::Config => cluster.update_config(now, id, index, spec),
        Kind::Secret => cluster.update_secret(now, id, index, spec),
    })?;
    Ok(Answer::empty(StatusCode::OK))
}
