//! An engine that says what it is told to, over a unix socket: for answers
//! that a real one gives only when something is wrong.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use imgstack_swarm::{Error, Manager, Target};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

/// What the engine does with a request.
#[derive(Clone)]
pub enum Reply {
    /// Answers with JSON.
    Json(u16, Value),
    /// Answers with these bytes.
    Bytes(Vec<u8>),
    /// Reads the request and hangs up.
    HangUp,
    /// Reads the request and never answers.
    Silence,
    /// Answers in pieces, then ends well (true), or hangs up in the middle.
    Stream(Vec<Vec<u8>>, bool),
    /// Answers in pieces, then says nothing more.
    StreamThenSilence(Vec<Vec<u8>>),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// `GET /v1.41/services?…`
    pub line: String,
    /// Headers, in small letters.
    pub headers: Vec<String>,
    /// The body.
    pub body: String,
}

type Script = Arc<Mutex<Vec<(&'static str, VecDeque<Reply>)>>>;

/// The engine; it stops when dropped.
pub struct Engine {
    folder: TempDir,
    script: Script,
    requests: Arc<Mutex<Vec<Request>>>,
    server: JoinHandle<()>,
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Engine {
    /// An engine that is a manager and knows nothing else.
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("docker.sock")).unwrap();
        let script = Script::default();
        let requests = Arc::default();
        let server = tokio::spawn(serve(listener, Arc::clone(&script), Arc::clone(&requests)));
        let engine = Self {
            folder,
            script,
            requests,
            server,
        };
        let version = json!({"Version": "20.10.24", "ApiVersion": "1.41", "MinAPIVersion": "1.12"});
        engine.on("GET /version", &[Reply::Json(200, version)]);
        let swarm = json!({
            "NodeID": "n1", "LocalNodeState": "active", "ControlAvailable": true,
            "Cluster": {"ID": "c1"},
        });
        engine.on("GET /info", &[Reply::Json(200, json!({"Swarm": swarm}))]);
        engine
    }

    /// What to do with requests that begin like this: one after another, the
    /// last for ever.
    pub fn on(&self, request: &'static str, replies: &[Reply]) {
        let mut script = self.script.lock().unwrap();
        script.retain(|(known, _)| *known != request);
        script.push((request, replies.iter().cloned().collect()));
    }

    /// A connection to it.
    pub async fn connect(&self) -> Result<Manager, Error> {
        Manager::connect_with(&self.target(), Duration::from_secs(1)).await
    }

    /// Where it is.
    pub fn target(&self) -> Target {
        Target {
            endpoint: format!("unix://{}", self.socket().display())
                .parse()
                .unwrap(),
            tls: None,
            source: "a test".to_owned(),
        }
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    /// The requests so far whose line contains this.
    pub fn asked(&self, part: &str) -> Vec<Request> {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| request.line.contains(part))
            .cloned()
            .collect()
    }
}

async fn serve(listener: UnixListener, script: Script, requests: Arc<Mutex<Vec<Request>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(connection(
            stream,
            Arc::clone(&script),
            Arc::clone(&requests),
        ));
    }
}

async fn connection(
    stream: UnixStream,
    script: Script,
    requests: Arc<Mutex<Vec<Request>>>,
) -> Option<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let request = read_request(&mut read).await?;
        requests.lock().unwrap().push(request.clone());
        match reply(&script, &request.line) {
            Reply::Json(status, json) => {
                let body = json.to_string();
                let head = format!(
                    "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                );
                write.write_all((head + &body).as_bytes()).await.ok()?;
            }
            Reply::Bytes(bytes) => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", bytes.len());
                write.write_all(head.as_bytes()).await.ok()?;
                write.write_all(&bytes).await.ok()?;
            }
            Reply::HangUp => return None,
            Reply::Silence => std::future::pending().await,
            Reply::Stream(pieces, well) => {
                send_pieces(&mut write, &pieces).await?;
                if !well {
                    return None;
                }
                write.write_all(b"0\r\n\r\n").await.ok()?;
            }
            Reply::StreamThenSilence(pieces) => {
                send_pieces(&mut write, &pieces).await?;
                std::future::pending().await
            }
        }
    }
}

async fn send_pieces(
    write: &mut tokio::net::unix::OwnedWriteHalf,
    pieces: &[Vec<u8>],
) -> Option<()> {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    write.write_all(head).await.ok()?;
    for piece in pieces {
        let chunk = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        write.write_all(&chunk).await.ok()?;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Some(())
}

/// The next reply to a request; the API version in its path does not matter.
fn reply(script: &Script, line: &str) -> Reply {
    let line = line.replacen("/v1.41/", "/", 1);
    let mut script = script.lock().unwrap();
    let replies = script
        .iter_mut()
        .rev()
        .find(|(known, _)| line.starts_with(known));
    match replies {
        Some((_, replies)) if replies.len() > 1 => replies.pop_front().unwrap(),
        Some((_, replies)) => replies[0].clone(),
        None => Reply::Json(404, json!({"message": "page not found"})),
    }
}

async fn read_request(read: &mut BufReader<tokio::net::unix::OwnedReadHalf>) -> Option<Request> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if read.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let line = lines.remove(0);
    let headers: Vec<String> = lines.iter().map(|line| line.to_lowercase()).collect();
    let length = headers
        .iter()
        .find_map(|header| header.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    read.read_exact(&mut body).await.ok()?;
    Some(Request {
        line,
        headers,
        body: String::from_utf8(body).unwrap(),
    })
}
