//! One ssh connection to a manager's host, over which all calls go.
//!
//! The system's `ssh` makes it, so that a person's configuration, agent, jump
//! hosts and known hosts hold. It never asks anything (`BatchMode`) and trusts
//! no new host.
//!
//! The ssh process is no child of ours: it must outlive a Ctrl-C that goes to
//! the whole terminal, since the call in flight is to be finished. So that it
//! does not outlive us, it ends when it has had no session for a while, and a
//! session that is bound to our life keeps it from doing so.

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use imgstack_spec::Endpoint;
use openssh::{
    Child, ChildStdin, ControlPersist, ForwardType, KnownHosts, Session, SessionBuilder, Socket,
};
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::bridge::pump;
use super::{CONNECT, SshError, SshFailure};

const FAR_SOCKET: &str = "/var/run/docker.sock";

/// Time for a login after the connection, which ssh itself does not limit.
const LOGIN: Duration = Duration::from_secs(10);

/// How long the ssh process lives on when we are killed.
const ORPHANED: NonZeroUsize = NonZeroUsize::new(60).unwrap();

/// The time for the words of a program that has ended.
pub(super) const LAST_WORDS: Duration = Duration::from_secs(2);

/// The ssh connection; closed when dropped.
pub(crate) struct Master {
    _lease: Option<(Child<Arc<Session>>, Option<ChildStdin>)>,
    session: Arc<Session>,
    host: String,
}

impl Master {
    /// Logs in. ssh's own socket gets a folder of its own in `folder`.
    pub(super) async fn connect(endpoint: &Endpoint, folder: &Path) -> Result<Self, SshError> {
        let name = name(endpoint);
        let Endpoint::Ssh {
            user, host, port, ..
        } = endpoint
        else {
            return Err(classify(&name, "not an ssh address".to_owned()));
        };
        if host.starts_with('-') {
            // ssh would take it for an option.
            return Err(classify(
                &name,
                "a host's name cannot begin with `-`".to_owned(),
            ));
        }
        let mut builder = SessionBuilder::default();
        builder
            .known_hosts_check(KnownHosts::Strict)
            .connect_timeout(CONNECT)
            .server_alive_interval(Duration::from_secs(15))
            .control_directory(folder)
            .control_persist(ControlPersist::IdleFor(ORPHANED));
        if let Some(user) = user {
            builder.user(user.clone());
        }
        if let Some(port) = port {
            builder.port(*port);
        }
        let session = match timeout(CONNECT + LOGIN, builder.connect_mux(host)).await {
            Ok(Ok(session)) => Arc::new(session),
            Ok(Err(error)) => return Err(connect_error(&name, &error)),
            Err(_) => {
                return Err(SshError {
                    host: name,
                    failure: SshFailure::TimedOut,
                    detail: format!("no login within {} s", (CONNECT + LOGIN).as_secs()),
                });
            }
        };
        Ok(Self {
            _lease: lease(&session).await,
            session,
            host: name,
        })
    }

    /// The connection itself, for programs to run over it.
    pub(super) fn session(&self) -> Arc<Session> {
        Arc::clone(&self.session)
    }

    /// The host as a person would give it to `ssh`.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Forwards the far socket to a local one. That it could be asked for does
    /// not mean that it works: ssh finds out with the first connection.
    pub(super) async fn forward(&self, local: &Path, far: Option<&Path>) -> bool {
        let far = far.unwrap_or(Path::new(FAR_SOCKET));
        let forwarded =
            self.session
                .request_port_forward(ForwardType::Local, unix(local), unix(far));
        matches!(timeout(CONNECT, forwarded).await, Ok(Ok(())))
    }

    /// The program that speaks for the far engine.
    pub(super) fn stdio(&self, far: Option<&Path>) -> Stdio {
        Stdio {
            session: Arc::clone(&self.session),
            host: far.map(|socket| format!("unix://{}", socket.display())),
        }
    }
}

fn unix(path: &Path) -> Socket<'_> {
    Socket::UnixSocket { path: path.into() }
}

/// A session that does nothing and ends when its input closes, which it does
/// with us. Without it an idle hour at a prompt would end the connection.
async fn lease(session: &Arc<Session>) -> Option<(Child<Arc<Session>>, Option<ChildStdin>)> {
    let mut command = Arc::clone(session).arc_command("cat");
    command
        .stdin(openssh::Stdio::piped())
        .stdout(openssh::Stdio::null())
        .stderr(openssh::Stdio::null());
    // A host that allows one program only has none; it does without.
    let mut child = command.spawn().await.ok()?;
    let stdin = child.stdin().take();
    Some((child, stdin))
}

/// `docker system dial-stdio` on the far host, as docker's own client does it.
pub(super) struct Stdio {
    session: Arc<Session>,
    host: Option<String>,
}

impl Stdio {
    /// Carries one connection. When the program fails, its last words.
    pub(super) async fn carry(&self, local: &mut UnixStream) -> Result<(), String> {
        let mut command = Arc::clone(&self.session).arc_command("docker");
        if let Some(host) = &self.host {
            command.arg("--host").arg(host);
        }
        command
            .args(["system", "dial-stdio"])
            .stdin(openssh::Stdio::piped())
            .stdout(openssh::Stdio::piped())
            .stderr(openssh::Stdio::piped());
        let mut child = command.spawn().await.map_err(|error| words(&error))?;
        let (stdin, stdout) = (child.stdin().take(), child.stdout().take());
        let (Some(to), Some(from), Some(mut stderr)) = (stdin, stdout, child.stderr().take())
        else {
            return Err("no streams to the program".to_owned());
        };
        let carried = pump(local, from, to).await;
        if matches!(carried, Ok(bytes) if bytes > 0) {
            return Ok(());
        }
        let mut text = Vec::new();
        // Whatever could be read in time is what there is to say.
        let _ = timeout(LAST_WORDS, (&mut stderr).take(4096).read_to_end(&mut text)).await;
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        match (text.is_empty(), carried) {
            (false, _) => Err(text),
            (true, Err(error)) => Err(error.to_string()),
            (true, Ok(_)) => Err("docker ended without an answer".to_owned()),
        }
    }
}

/// The error of a host that let us in, but whose engine does not answer.
pub(super) fn engine_error(endpoint: &Endpoint, detail: String) -> SshError {
    classify(&name(endpoint), detail)
}

/// The error of a connection that was there and ended.
pub(super) fn lost(endpoint: &Endpoint, detail: String) -> SshError {
    lost_to(&name(endpoint), detail)
}

/// The same, by the host's name.
pub(super) fn lost_to(host: &str, detail: String) -> SshError {
    SshError {
        host: host.to_owned(),
        failure: SshFailure::Lost,
        detail,
    }
}

/// The host as a person would give it to `ssh`.
fn name(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Ssh {
            user: Some(user),
            host,
            ..
        } => format!("{user}@{host}"),
        Endpoint::Ssh { host, .. } => host.clone(),
        Endpoint::Unix(_) | Endpoint::Tcp { .. } => endpoint.to_string(),
    }
}

fn connect_error(host: &str, error: &openssh::Error) -> SshError {
    let missing =
        matches!(error, openssh::Error::Connect(error) if error.kind() == io::ErrorKind::NotFound);
    if missing && !ssh_exists() {
        return SshError {
            host: host.to_owned(),
            failure: SshFailure::NoSsh,
            detail: "`ssh` is in no folder of PATH".to_owned(),
        };
    }
    classify(host, words(error))
}

fn ssh_exists() -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join("ssh").exists())
}

/// The innermost words; those around them only name layers.
pub(super) fn words(error: &openssh::Error) -> String {
    let mut error: &dyn std::error::Error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}

/// Tells kinds by the words of ssh, of a shell and of docker: none of them
/// says it in any other way.
pub(super) fn classify(host: &str, detail: String) -> SshError {
    use SshFailure as F;
    const KINDS: &[(&str, SshFailure)] = &[
        ("host key verification failed", F::HostKey),
        ("remote host identification has changed", F::HostKey),
        ("host key is known", F::HostKey),
        ("permission denied (", F::Auth),
        ("too many authentication failures", F::Auth),
        ("permission denied", F::SocketDenied),
        ("not found", F::NoEngine),
        ("no such file", F::NoEngine),
        ("cannot connect to the docker daemon", F::NoEngine),
        ("failed to connect to the docker api", F::NoEngine),
        ("dial unix", F::NoEngine),
        ("without an answer", F::NoEngine),
        ("could not resolve hostname", F::Unreachable),
        ("no route to host", F::Unreachable),
        ("network is unreachable", F::Unreachable),
        ("connection refused", F::Unreachable),
        ("timed out", F::TimedOut),
        ("no answer within", F::TimedOut),
    ];
    let told = detail.to_lowercase();
    let kind = KINDS.iter().find(|(words, _)| told.contains(words));
    SshError {
        host: host.to_owned(),
        failure: kind.map_or(F::Other, |(_, failure)| *failure),
        detail: detail.lines().map(str::trim).collect::<Vec<_>>().join("; "),
    }
}

#[cfg(test)]
mod tests {
    use super::{SshFailure, classify};

    #[test]
    fn kinds() {
        use SshFailure as F;
        for (words, kind) in [
            ("root@h: Permission denied (publickey).", F::Auth),
            (
                "No ED25519 host key is known for h and you have requested strict checking.\r\nHost key verification failed.",
                F::HostKey,
            ),
            (
                "connect to host h port 22: Connection refused",
                F::Unreachable,
            ),
            (
                "connect to host 10.0.0.9 port 22: No route to host",
                F::Unreachable,
            ),
            (
                "Could not resolve hostname h: Name or service not known",
                F::Unreachable,
            ),
            (
                "connect to host h port 22: Connection timed out",
                F::TimedOut,
            ),
            ("sh: 1: docker: not found", F::NoEngine),
            ("bash: line 1: docker: command not found", F::NoEngine),
            (
                "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
                F::NoEngine,
            ),
            (
                "Got permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: dial unix: connect: permission denied",
                F::SocketDenied,
            ),
            (
                "failed to open the raw stream connection: dial unix /run/x.sock: connect: no such file or directory",
                F::NoEngine,
            ),
            (
                "failed to open the raw stream connection: dial unix /run/x.sock: connect: connection refused",
                F::NoEngine,
            ),
            ("something new", F::Other),
        ] {
            assert_eq!(classify("h", words.to_owned()).failure, kind, "{words}");
        }
    }
}
