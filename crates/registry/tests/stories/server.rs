//! A server on loopback that answers by a script and writes down what it was
//! asked, and the people who ask it.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, Response};
use imgstack_registry::credentials::Environment;
use imgstack_registry::oci::{Client, ClientOptions, Endpoints};
use imgstack_spec::{
    DEFAULT_WARN_BEFORE_EXPIRY, Digest, ImageRef, Registry, RegistryHost, Repository, SecretSource,
};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

/// A request as the server saw it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: String,
    /// How many such requests (method and path) came before.
    pub before: usize,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    pub fn is(&self, line: &str) -> bool {
        format!("{} {}", self.method, self.path) == line
    }
}

/// An answer of the script.
#[derive(Clone, Debug)]
pub struct Answer(u16, Vec<(String, String)>, Vec<u8>);

pub fn answer(status: u16) -> Answer {
    Answer(status, Vec::new(), Vec::new())
}

impl Answer {
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.1.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.2 = body.into();
        self
    }
}

/// The server; its log outlives it.
#[derive(Clone)]
pub struct Server {
    pub host: String,
    log: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Starts on a free port. The script may need to know the host.
    pub async fn start(script: impl Fn(&str, &Asked) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let server = Self {
            host: host.clone(),
            log: Arc::default(),
        };
        let (log, script) = (Arc::clone(&server.log), Arc::new(script));
        let app = axum::Router::new().fallback(move |request: Request| {
            let (log, script, host) = (Arc::clone(&log), Arc::clone(&script), host.clone());
            async move {
                let asked = note(&log, request).await;
                let Answer(status, headers, body) = script(&host, &asked);
                let mut response = Response::builder().status(status);
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                response.body(Body::from(body)).unwrap()
            }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        server
    }

    /// What was asked, as `METHOD path`, in order.
    pub fn lines(&self) -> Vec<String> {
        let line = |asked: &Asked| format!("{} {}", asked.method, asked.path);
        self.log.lock().unwrap().iter().map(line).collect()
    }

    pub fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|it| *it == line).count()
    }

    pub fn asked(&self, line: &str) -> Vec<Asked> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|asked| asked.is(line)).cloned().collect()
    }

    pub fn image(&self, name: &str) -> ImageRef {
        format!("{}/{name}", self.host).parse().unwrap()
    }

    pub fn repository(&self, name: &str) -> Repository {
        self.image(name).repository
    }

    /// A client that knows nobody.
    pub fn stranger(&self) -> Client {
        Client::new(ClientOptions {
            registries: Vec::new(),
            environment: Environment::default(),
            cache: None,
            endpoints: Endpoints::default(),
        })
    }

    /// A client with a credential for this server.
    pub fn member(&self, username: &str, password: &str) -> Client {
        Client::new(ClientOptions {
            registries: vec![self.entry(username)],
            environment: [("PASSWORD", password)].into_iter().collect(),
            cache: None,
            endpoints: Endpoints::default(),
        })
    }

    pub fn entry(&self, username: &str) -> Registry {
        Registry {
            host: RegistryHost::new(&self.host),
            username: Some(username.to_owned()),
            password: Some(SecretSource::Env("PASSWORD".to_owned())),
            insecure: false,
            warn_before_expiry: DEFAULT_WARN_BEFORE_EXPIRY,
        }
    }
}

async fn note(log: &Mutex<Vec<Asked>>, request: Request) -> Asked {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1 << 20).await.unwrap();
    let mut log = log.lock().unwrap();
    let mut asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        body: String::from_utf8(body.to_vec()).unwrap(),
        before: 0,
    };
    let line = format!("{} {}", asked.method, asked.path);
    asked.before = log.iter().filter(|it| it.is(&line)).count();
    log.push(asked.clone());
    asked
}

/// A digest made of a number.
pub fn digest(n: u64) -> String {
    format!("sha256:{n:064x}")
}

pub fn digest_of(content: &[u8]) -> Digest {
    let hex: String = Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("sha256:{hex}").parse().unwrap()
}

/// The answer to a HEAD of a tag.
pub fn found(n: u64) -> Answer {
    answer(200)
        .with("docker-content-digest", &digest(n))
        .with("content-type", "application/vnd.oci.image.index.v1+json")
}

/// An error in the protocol's form.
pub fn error(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
    answer(status)
        .with("content-type", "application/json")
        .body(body)
}

/// A 401 that sends people to this server's own token server.
pub fn challenge(host: &str, more: &str) -> Answer {
    let bearer = format!(r#"Bearer realm="http://{host}/token",service="registry.test"{more}"#);
    error(401, "UNAUTHORIZED", "authentication required").with("www-authenticate", &bearer)
}

pub fn token(token: &str) -> Answer {
    answer(200).body(format!(r#"{{"token":"{token}","expires_in":300}}"#))
}
