//! The token server of the lab's private registry.
//!
//! It answers as GHCR's does, since that is where people's mistakes show: a
//! wrong password is a 401, a right one without access to the package a 403
//! that says `read_package`, and nobody learns whether a package exists.
//! Users and their rights are read anew on every request, so that a test can
//! revoke a password by editing a file.
//!
//! Absent on purpose: refresh tokens, TLS, and rate limits.

mod answer;
mod rights;
mod signing;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, HeaderName, StatusCode, Uri};
use axum::routing::get;
use tokio::net::TcpListener;

use answer::{Answer, Question};
use signing::Signer;

/// What the server needs to know at its start.
#[derive(Debug, Clone, clap::Args)]
pub struct Settings {
    /// Where to listen.
    #[arg(long)]
    pub listen: SocketAddr,
    /// The users and their rights, a JSON file; read on every request.
    #[arg(long)]
    pub users: PathBuf,
    /// The P-256 key that signs the tokens, PKCS #8 in PEM.
    #[arg(long)]
    pub key: PathBuf,
    /// The certificate of that key, PEM; the registry trusts it.
    #[arg(long)]
    pub certificate: PathBuf,
    /// The issuer that the registry expects.
    #[arg(long)]
    pub issuer: String,
    /// The service that the registry calls itself.
    #[arg(long)]
    pub service: String,
    /// One JSON line a request is appended here.
    #[arg(long)]
    pub log: PathBuf,
}

/// Why the server cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TokenServerError {
    /// A file or the socket.
    #[error("cannot open {what}: {source}")]
    Open {
        /// The file or address.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The key or its certificate is not what it should be.
    #[error("cannot use {path}: {reason}")]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The server ended.
    #[error("the server ended: {0}")]
    Serve(std::io::Error),
}

/// Answers until the process ends.
pub async fn serve(settings: Settings) -> Result<(), TokenServerError> {
    let listen = settings.listen;
    let server = Arc::new(Server::new(settings)?);
    let routes = Router::new()
        .route("/token", get(by_query).post(by_form))
        .with_state(server);
    let listener = TcpListener::bind(listen)
        .await
        .map_err(|source| TokenServerError::Open {
            what: listen.to_string(),
            source,
        })?;
    axum::serve(listener, routes)
        .await
        .map_err(TokenServerError::Serve)
}

struct Server {
    settings: Settings,
    signer: Signer,
    log: Mutex<File>,
}

type Reply = (StatusCode, [(HeaderName, &'static str); 1], String);

/// The way every client knows: parameters in the query, a Basic login.
async fn by_query(State(server): State<Arc<Server>>, uri: Uri, headers: HeaderMap) -> Reply {
    let authorization = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
    let question = Question::from_query(uri.query().unwrap_or_default(), authorization);
    server.reply(&question, &headers)
}

/// OAuth2's way, which docker takes when told to.
async fn by_form(State(server): State<Arc<Server>>, headers: HeaderMap, body: Bytes) -> Reply {
    server.reply(&Question::from_form(&body), &headers)
}

impl Server {
    fn new(settings: Settings) -> Result<Self, TokenServerError> {
        let signer = Signer::read(&settings.key, &settings.certificate)?;
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&settings.log)
            .map_err(|source| TokenServerError::Open {
                what: settings.log.display().to_string(),
                source,
            })?;
        Ok(Self {
            settings,
            signer,
            log: Mutex::new(log),
        })
    }

    fn reply(&self, question: &Question, headers: &HeaderMap) -> Reply {
        let answer = self.answer(question);
        self.note(question, &answer, headers);
        let status =
            StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let json = [(CONTENT_TYPE, "application/json")];
        (status, json, answer.body().to_string())
    }

    fn answer(&self, question: &Question) -> Answer {
        let users = match rights::read(&self.settings.users) {
            Ok(users) => users,
            Err(reason) => return Answer::Broken(reason),
        };
        let granted = match question.judge(&users) {
            Ok(granted) => granted,
            Err(refusal) => return Answer::Refused(refusal),
        };
        let claims = signing::Claims {
            issuer: &self.settings.issuer,
            service: &self.settings.service,
            account: question.account(),
            expires_in: users.expires_in,
            granted: &granted,
        };
        match self.signer.token(&claims) {
            Ok(token) => Answer::granted(token, users.expires_in, granted),
            Err(reason) => Answer::Broken(reason),
        }
    }

    /// The line is written before the answer is sent, so that a client that has
    /// its token finds the line, too.
    fn note(&self, question: &Question, answer: &Answer, headers: &HeaderMap) {
        let agent = headers
            .get(USER_AGENT)
            .map(|value| String::from_utf8_lossy(value.as_bytes()));
        let line = serde_json::json!({
            "time": jiff::Timestamp::now().to_string(),
            "account": question.account(),
            "asked": question.scopes(),
            "granted": answer.scopes(),
            "status": answer.status(),
            "agent": agent,
        });
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        // A full disk must not stop the lab from answering.
        let _ = log.write_all(format!("{line}\n").as_bytes());
    }
}
