//! The registry as clients and engines meet it.

mod auth;
mod client;
mod http;
mod pull;

use std::sync::Arc;

use jiff::Timestamp;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use super::manifests::{OCI_INDEX, OCI_MANIFEST};
use super::{Build, Manner, Registry, Settings, User};
use crate::{Clock, Server};

/// A registry on a port.
struct World {
    server: Server,
    registry: Registry,
    url: String,
    http: reqwest::Client,
}

impl World {
    async fn new(manner: Manner) -> Self {
        Self::with(Settings::new(manner)).await
    }

    async fn with(settings: Settings) -> Self {
        let server = Server::new(Clock::starting(monday()));
        let host = match settings.manner {
            Manner::Ghcr => "ghcr.io",
            Manner::Hub => "docker.io",
            Manner::Plain | Manner::Token => "registry.test",
        };
        let registry = Registry::new(host, settings, &server);
        let service = Arc::new(registry.clone());
        let address = server.tcp(host, None, service).await.unwrap();
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            server,
            registry,
            url: format!("http://{address}"),
            http: reqwest::Client::builder().no_proxy().build().unwrap(),
        }
    }

    /// With a reader, a writer and somebody without rights.
    async fn peopled(manner: Manner) -> Self {
        let world = Self::new(manner).await;
        world
            .registry
            .add_user(User::reader("robot", "secret", "acme"));
        world
            .registry
            .add_user(User::writer("builder", "hammer", "acme"));
        world
            .registry
            .add_user(User::reader("guest", "nothing", "elsewhere"));
        world
    }

    fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        let request = self.http.request(method, format!("{}{path}", self.url));
        request.header("accept", format!("{OCI_INDEX}, {OCI_MANIFEST}"))
    }

    async fn send(&self, method: &str, path: &str) -> Response {
        self.request(method, path).send().await.unwrap()
    }

    /// Status and code of the error, if it is one.
    async fn outcome(&self, method: &str, path: &str) -> String {
        outcome(self.send(method, path).await).await
    }
}

async fn outcome(response: Response) -> String {
    let status = response.status().as_u16();
    let body = response.bytes().await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let error = &body["errors"][0];
    match error["code"].as_str() {
        Some(code) => format!("{status} {code} {}", error["message"].as_str().unwrap()),
        None => status.to_string(),
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

fn monday() -> Timestamp {
    "2026-02-09T04:00:00Z".parse().unwrap()
}

/// The build of that commit.
fn build(sha: &str) -> Build {
    Build::new("acme/db", sha, monday())
}
