//! `/images`, but for the pull.

use std::collections::BTreeSet;

use hyper::Method;
use serde_json::{Value, json};

use super::answers::{Outcome, bad_request, not_found, ok};
use super::call::Call;
use super::filters::Filters;
use super::pull;
use super::version::OF_23;
use crate::swarm::ApiError;

/// `/images…`; names have slashes.
pub(super) fn answer(call: &Call<'_>, rest: &[&str]) -> Outcome {
    match (call.method(), rest) {
        (&Method::GET, ["json"]) => list(call),
        (&Method::POST, ["create"]) => pull::answer(call),
        (&Method::POST, ["prune"]) => prune(call),
        (&Method::GET, [name @ .., "json"]) => {
            let name = name.join("/");
            let hostname = call.hostname;
            let image = call
                .engines
                .read(|cluster| cluster.node_image(hostname, &name));
            let old = call.standing.spoken().newest < OF_23;
            let before = match old {
                true => format!("no such image: {name}: "),
                false => String::new(),
            };
            Ok(ok(&image.map_err(|error| lost(error, &before, &name))?))
        }
        (&Method::DELETE, name @ [_, ..]) => {
            let (name, force) = (name.join("/"), call.flag("force"));
            let removed = call
                .engines
                .with(|cluster, now| cluster.remove_image(now, call.hostname, &name, force));
            Ok(ok(&removed.map_err(|error| lost(error, "", &name))?))
        }
        _ => Err(call.no_such_page()),
    }
}

fn list(call: &Call<'_>) -> Outcome {
    let filters = call.filters(&["reference", "dangling", "label"])?;
    let dangling = filters.flag("dangling")?;
    let hostname = call.hostname;
    let mut images = call.engines.read(|cluster| cluster.node_images(hostname));
    images.retain(|image| {
        dangling.is_none_or(|wanted| wanted == is_dangling(image))
            && filters.labels("label", &image["Labels"])
            && is_referred_to(image, &filters)
    });
    images.iter_mut().for_each(|image| as_shown(call, image));
    Ok(ok(&images))
}

/// As `/system/df` lists them: with the containers of each.
pub(super) fn counted(call: &Call<'_>) -> Vec<Value> {
    let hostname = call.hostname;
    let (mut images, containers) = call.engines.read(|cluster| {
        (
            cluster.node_images(hostname),
            cluster.node_containers(hostname),
        )
    });
    for image in &mut images {
        let made = |id: &str| {
            containers
                .iter()
                .filter_map(|it| it.image.as_ref())
                .filter(|it| it.id == id)
                .count()
        };
        image["Containers"] = json!(made(image["Id"].as_str().unwrap_or_default()));
        // No two images share a layer here.
        image["SharedSize"] = json!(0);
        as_shown(call, image);
    }
    images
}

/// Engines of old have no list where it would be empty.
fn as_shown(call: &Call<'_>, image: &mut Value) {
    for field in ["RepoTags", "RepoDigests"] {
        let empty = image[field].as_array().is_some_and(Vec::is_empty);
        if empty && call.standing.spoken().newest < OF_23 {
            image[field] = Value::Null;
        }
    }
}

/// An image that is not there is called by its whole name.
fn lost(error: ApiError, before: &str, name: &str) -> ApiError {
    if error.status != 404 {
        return error;
    }
    let whole = reference(name, None).unwrap_or_else(|_| name.to_owned());
    not_found(format!("{before}No such image: {whole}"))
}

fn prune(call: &Call<'_>) -> Outcome {
    let filters = call.filters(&["dangling"])?;
    // Without the filter only what has no name goes.
    let all = filters.flag("dangling")? == Some(false);
    let (deleted, reclaimed) = call
        .engines
        .with(|cluster, now| cluster.prune_images(now, call.hostname, all));
    // As in Go, a list of nothing is null.
    let deleted = (!deleted.is_empty()).then_some(deleted);
    Ok(ok(
        &json!({"ImagesDeleted": deleted, "SpaceReclaimed": reclaimed}),
    ))
}

fn is_dangling(image: &Value) -> bool {
    let tags = image["RepoTags"].as_array();
    tags.is_none_or(|tags| tags.iter().all(|tag| tag == "<none>:<none>"))
}

/// Whether one of the patterns fits a name, with or without its tag or digest.
fn is_referred_to(image: &Value, filters: &Filters) -> bool {
    let patterns = filters.get("reference");
    if patterns.is_empty() {
        return true;
    }
    let mut names = BTreeSet::new();
    for field in ["RepoTags", "RepoDigests"] {
        for name in image[field].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            names.insert(name);
            names.insert(super::events::without_tag(name));
        }
    }
    patterns
        .iter()
        .any(|pattern| names.iter().any(|name| fits(pattern, name)))
}

/// Go's `path.Match`, as far as names need it: `*` and `?` stay within a part.
fn fits(pattern: &str, name: &str) -> bool {
    let Some(first) = pattern.chars().next() else {
        return name.is_empty();
    };
    let rest = &pattern[first.len_utf8()..];
    if first == '*' {
        let within = name.find('/').unwrap_or(name.len());
        return (0..=within)
            .filter(|end| name.is_char_boundary(*end))
            .any(|end| fits(rest, &name[end..]));
    }
    let mut left = name.chars();
    match left.next() {
        Some(found) => {
            (first == found || first == '?' && found != '/') && fits(rest, left.as_str())
        }
        None => false,
    }
}

/// What a client names: `name` and `tag`, where a tag may be a digest.
pub(super) fn reference(name: &str, tag: Option<&str>) -> Result<String, ApiError> {
    let whole = match tag {
        Some(digest) if digest.contains(':') => format!("{name}@{digest}"),
        Some(tag) => format!("{name}:{tag}"),
        None => name.to_owned(),
    };
    let parsed: imgstack_spec::ImageRef = whole
        .parse()
        .map_err(|_| bad_request("invalid reference format"))?;
    let named = parsed.tag.is_some() || parsed.digest.is_some();
    let familiar = parsed.familiar();
    Ok(if named {
        familiar
    } else {
        familiar + ":latest"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_names_stay_within_their_part() {
        let image = json!({
            "RepoTags": ["ghcr.io/acme/db:16"],
            "RepoDigests": ["ghcr.io/acme/db@sha256:00"],
        });
        let table = [
            ("ghcr.io/acme/db", true),
            ("ghcr.io/acme/db:16", true),
            ("ghcr.io/acme/db@sha256:00", true),
            ("ghcr.io/*/db:1?", true),
            ("ghcr.io/acme/*", true),
            ("ghcr.io/*", false),
            ("*:16", false),
            ("db", false),
        ];
        for (pattern, expected) in table {
            let filters = json!({"reference": [pattern]}).to_string();
            let filters = Filters::read(Some(&filters), &["reference"]).unwrap();
            assert_eq!(is_referred_to(&image, &filters), expected, "{pattern}");
        }
    }

    #[test]
    fn images_without_a_name_dangle() {
        assert!(is_dangling(&json!({"RepoTags": null})));
        assert!(is_dangling(&json!({"RepoTags": []})));
        assert!(is_dangling(&json!({"RepoTags": ["<none>:<none>"]})));
        assert!(!is_dangling(&json!({"RepoTags": ["db:16"]})));
    }

    #[test]
    fn references_are_put_together_in_dockers_short_form() {
        let digest = format!("sha256:{}", "0".repeat(64));
        let table = [
            ("docker.io/library/db", Some("16"), "db:16".to_owned()),
            (
                "ghcr.io/acme/db",
                Some(&*digest),
                format!("ghcr.io/acme/db@{digest}"),
            ),
            ("db:16", None, "db:16".to_owned()),
            ("db", None, "db:latest".to_owned()),
        ];
        for (name, tag, expected) in table {
            assert_eq!(reference(name, tag).unwrap(), expected);
        }
        let refusal = reference("ACME", None).unwrap_err();
        assert_eq!(refusal.message, "invalid reference format");
    }
}
