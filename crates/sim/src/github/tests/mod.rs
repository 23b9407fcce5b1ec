//! GitHub as a deployer meets it.

mod actions;
mod rest;

use std::sync::Arc;

use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use super::{GitHub, Repository, Script, Step, Token, Workflow};
use crate::registry::{Build, Manner, Registry, Settings};
use crate::{Clock, Server};

/// A GitHub on a port, with a registry behind it.
struct World {
    server: Server,
    github: GitHub,
    registry: Registry,
    url: String,
    http: reqwest::Client,
}

impl World {
    /// `acme` is an organisation with the member `ann`; `acme/open` is public
    /// and `acme/stacks` is not.
    async fn new() -> Self {
        let server = Server::new(Clock::starting(monday()));
        let registry = Registry::new("ghcr.io", Settings::new(Manner::Ghcr), &server);
        let github = GitHub::new(&server, Some(&registry));
        let service = Arc::new(github.clone());
        let address = server.tcp("api.github.com", None, service).await.unwrap();
        github.add_member("acme", "ann");
        let build = registry.clone();
        let good = Script::new(
            "build",
            vec![Step::new("checkout", 10), Step::new("push", 50)],
        )
        .then(move |run| {
            let made = Build::new("acme/db", &run.sha, run.created);
            build.push_build(&made, &["16"]);
        });
        let workflow = Workflow {
            inputs: [("nonce".to_owned(), false)].into(),
            run_name: Some("Build ${{ inputs.nonce }}".to_owned()),
            ..Workflow::new("Build", good)
        };
        let mut private = Repository::new("acme", "stacks").with("build.yml", workflow.clone());
        private.private = true;
        github.add_repository(private);
        github.add_repository(Repository::new("acme", "open").with("build.yml", workflow));
        let every = ["repo", "read:packages"];
        github.add_token(Token::classic("ann", "ghp_all", &every));
        github.add_token(Token::classic("ann", "ghp_none", &[]));
        github.add_token(Token::classic("eve", "ghp_eve", &every));
        let both = ["acme/stacks", "acme/open"];
        let fine = |secret: &str, permissions: &[&str]| {
            github.add_token(Token::fine_grained("ann", secret, &both, permissions));
        };
        fine("github_pat_write", &["actions:write", "issues:write"]);
        fine("github_pat_read", &["actions:read"]);
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .no_proxy()
            .user_agent("imgstack/test");
        Self {
            server,
            github,
            registry,
            url: format!("http://{address}"),
            http: http.redirect(Policy::none()).build().unwrap(),
        }
    }

    fn request(&self, method: &str, path: &str, token: &str) -> RequestBuilder {
        let method: Method = method.parse().unwrap();
        let request = self.http.request(method, format!("{}{path}", self.url));
        match token {
            "" => request,
            token => request.bearer_auth(token),
        }
    }

    async fn send(&self, method: &str, path: &str, token: &str, body: &Value) -> Response {
        let request = self.request(method, path, token);
        let request = if body.is_null() {
            request
        } else {
            request.body(body.to_string())
        };
        request.send().await.unwrap()
    }

    async fn get(&self, path: &str) -> Value {
        let response = self.send("GET", path, "ghp_all", &Value::Null).await;
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Status and, of a refusal, the message.
    async fn outcome(&self, method: &str, path: &str, token: &str, body: &Value) -> String {
        let response = self.send(method, path, token, body).await;
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        match body["message"].as_str() {
            Some(message) => format!("{status} {message}"),
            None => status.to_string(),
        }
    }
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

fn monday() -> Timestamp {
    "2026-02-09T04:00:00Z".parse().unwrap()
}

async fn wait(seconds: u64) {
    tokio::time::sleep(std::time::Duration::from_secs(seconds)).await;
}
