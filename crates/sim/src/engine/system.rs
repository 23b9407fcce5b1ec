//! What an engine says of itself: `/_ping`, `/version`, `/info`, `/system/df`
//! and, of its Swarm, `/swarm`.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::answers::{Outcome, bad_request, ok, unavailable};
use super::call::Call;
use super::version::OF_23;
use super::{containers, images};
use crate::Answer;

/// `/_ping`, by HEAD without its body.
pub(super) fn ping(call: &Call<'_>) -> Answer {
    let body = match *call.method() {
        Method::HEAD => "",
        _ => "OK",
    };
    let answer = Answer::bytes(StatusCode::OK, body)
        .header("content-type", "text/plain; charset=utf-8")
        .header("cache-control", "no-cache, no-store, must-revalidate")
        .header("pragma", "no-cache");
    if call.standing.spoken().newest < OF_23 {
        return answer;
    }
    answer
        .header("builder-version", "2")
        .header("swarm", &call.standing.in_swarm())
}

/// `GET /version`
pub(super) fn version(call: &Call<'_>) -> Answer {
    let standing = call.standing;
    let spoken = standing.spoken();
    let (newest, oldest) = (spoken.newest.to_string(), spoken.oldest.to_string());
    let info = |field: &str| standing.info()[field].as_str().unwrap_or_default();
    let details = json!({
        "ApiVersion": newest, "MinAPIVersion": oldest,
        "Os": standing.os(), "Arch": standing.architecture(),
        "KernelVersion": info("KernelVersion"), "Experimental": "false",
    });
    ok(&json!({
        "Platform": {"Name": "Docker Engine - Community"},
        "Components": [{"Name": "Engine", "Version": standing.version(), "Details": details}],
        "Version": standing.version(),
        "ApiVersion": newest,
        "MinAPIVersion": oldest,
        "Os": standing.os(),
        "Arch": standing.architecture(),
        "KernelVersion": info("KernelVersion"),
    }))
}

/// `GET /info`
pub(super) fn info(call: &Call<'_>) -> Answer {
    let mut info = call.standing.info().clone();
    let (running, stopped) = call
        .engines
        .read(|cluster| cluster.container_counts(call.hostname));
    for (field, count) in [
        ("Containers", running + stopped),
        ("ContainersRunning", running),
        ("ContainersPaused", 0),
        ("ContainersStopped", stopped),
    ] {
        info[field] = json!(count);
    }
    ok(&info)
}

/// `GET /system/df`
pub(super) fn disk_usage(call: &Call<'_>) -> Outcome {
    let old = call.standing.spoken().newest < OF_23;
    let mut usage = json!({
        "LayersSize": call.engines.read(|cluster| cluster.used_bytes(call.hostname)),
        "Images": images::counted(call),
        "Containers": containers::sized(call),
        "Volumes": [],
        "BuildCache": if old { Value::Null } else { json!([]) },
    });
    if old {
        // These tell of everything, whatever is asked for.
        usage["BuilderSize"] = json!(0);
        return Ok(ok(&usage));
    }
    let wanted = call.parameters("type");
    let fields = [
        ("container", "Containers"),
        ("image", "Images"),
        ("volume", "Volumes"),
        ("build-cache", "BuildCache"),
    ];
    let known = |word: &str| fields.iter().any(|(kind, _)| *kind == word);
    if let Some(unknown) = wanted.iter().find(|word| !known(word)) {
        return Err(bad_request(format!("unknown object type: {unknown}")));
    }
    for (kind, field) in fields {
        if !wanted.is_empty() && !wanted.iter().any(|word| word == kind) {
            usage[field] = Value::Null;
        }
    }
    Ok(ok(&usage))
}

/// `GET /swarm`. Its tokens let nobody in: there is nobody to join.
pub(super) fn swarm(call: &Call<'_>) -> Outcome {
    let mut swarm = call.standing.info()["Swarm"]["Cluster"].clone();
    let Some(id) = swarm["ID"].as_str().map(str::to_owned) else {
        return Err(unavailable("This node is not part of a swarm"));
    };
    swarm["JoinTokens"] = json!({
        "Worker": format!("SWMTKN-1-{id}{id}-worker"),
        "Manager": format!("SWMTKN-1-{id}{id}-manager"),
    });
    Ok(ok(&swarm))
}
