//! Ways that do not lead to a registry: closed ports, the wrong protocol.

use std::time::{Duration, Instant};

use imgstack_registry::credentials::Environment;
use imgstack_registry::oci::{Client, ClientOptions, Endpoints, ErrorKind};
use imgstack_spec::{DEFAULT_WARN_BEFORE_EXPIRY, Registry, RegistryHost};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::server::{Server, answer, found};

fn client(registries: Vec<Registry>) -> Client {
    Client::new(ClientOptions {
        registries,
        environment: Environment::default(),
        cache: None,
        endpoints: Endpoints::default(),
    })
}

fn insecure(host: &str) -> Registry {
    Registry {
        host: RegistryHost::new(host),
        username: None,
        password: None,
        insecure: true,
        warn_before_expiry: DEFAULT_WARN_BEFORE_EXPIRY,
    }
}

#[tokio::test]
async fn a_closed_port_fails_fast_and_says_why() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap();
    drop(listener);
    let start = Instant::now();
    let image = format!("{host}/o/n:16").parse().unwrap();
    let error = client(Vec::new()).resolve(&image).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let shown = error.to_string();
    assert!(shown.contains(&host.to_string()), "{shown}");
    assert!(
        shown.to_lowercase().contains("connection refused"),
        "{shown}"
    );
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_says_so() {
    // A label that long is refused by the resolver before it asks anybody.
    let host = format!("{}.invalid", "a".repeat(64));
    let image = format!("{host}/o/n:16").parse().unwrap();
    let error = client(vec![insecure(&host)])
        .resolve(&image)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error.to_string().contains("the name does not resolve"),
        "{error}"
    );
}

/// 0.0.0.0 leads to this machine and is not a loopback address.
fn not_loopback(server: &Server) -> String {
    server.host.replace("127.0.0.1", "0.0.0.0")
}

#[tokio::test]
async fn plain_http_elsewhere_wants_a_line_in_the_spec() {
    let server = Server::start(|_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        _ => found(16),
    })
    .await;
    let host = not_loopback(&server);
    let image = format!("{host}/o/n:16").parse().unwrap();
    let error = client(Vec::new()).resolve(&image).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.hint().contains("insecure: true"), "{}", error.hint());
    assert!(server.lines().is_empty());

    client(vec![insecure(&host)]).resolve(&image).await.unwrap();
}

/// A port that meets plain http as TLS servers do; the first bytes of each
/// connection.
async fn tls_port(reply: &'static [u8]) -> (String, mpsc::UnboundedReceiver<u8>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (first, firsts) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = [0; 1024];
            let _ = stream.read(&mut bytes).await;
            let _ = first.send(bytes[0]);
            let _ = stream.write_all(reply).await;
        }
    });
    (host, firsts)
}

#[tokio::test]
async fn a_loopback_port_that_speaks_tls_is_asked_in_https() {
    const ALERT: &[u8] = b"\x15\x03\x01\x00\x02\x02\x46";
    const GO: &[u8] =
        b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    for reply in [ALERT, GO] {
        let (host, mut firsts) = tls_port(reply).await;
        let image = format!("{host}/o/n:16").parse().unwrap();
        let error = client(Vec::new()).resolve(&image).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        // `G` of GET, then the first byte of a TLS handshake.
        assert_eq!(firsts.recv().await, Some(b'G'));
        assert_eq!(firsts.recv().await, Some(0x16));
    }
}

#[tokio::test]
async fn a_redirect_away_from_https_is_refused() {
    // As above: what is not loopback may not send anybody to plain http.
    let target = Server::start(|_, _| found(16)).await;
    let elsewhere = not_loopback(&target);
    let server = Server::start(move |_, asked| match asked.path.as_str() {
        "/v2/" => answer(200),
        path => answer(307).with("location", &format!("http://{elsewhere}{path}")),
    })
    .await;
    let error = server
        .stranger()
        .resolve(&server.image("o/n:16"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Protocol);
    assert!(error.to_string().contains("which is not https"), "{error}");
    assert!(target.lines().is_empty());
}
