//! Tables of references, in the order host, path, tag, digest.

use super::*;

const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

/// The text, with `HEX` standing for a sha256's digits.
fn hex(text: &str) -> String {
    text.replace("HEX", HEX)
}

#[test]
fn a_reference_has_one_canonical_form() {
    let cases = [
        // Docker Hub's short names.
        ("postgres", "docker.io/library/postgres"),
        ("postgres:16", "docker.io/library/postgres:16"),
        ("library/postgres", "docker.io/library/postgres"),
        ("grafana/grafana", "docker.io/grafana/grafana"),
        ("docker.io/postgres", "docker.io/library/postgres"),
        ("docker.io/library/postgres", "docker.io/library/postgres"),
        ("index.docker.io/postgres", "docker.io/library/postgres"),
        ("index.docker.io/a/b", "docker.io/a/b"),
        ("a/b/c", "docker.io/a/b/c"),
        ("localhost", "docker.io/library/localhost"),
        ("localhost:5000", "docker.io/library/localhost:5000"),
        // Hosts.
        ("ghcr.io/owner/name", "ghcr.io/owner/name"),
        ("ghcr.io/name", "ghcr.io/name"),
        ("localhost/name", "localhost/name"),
        ("localhost:5000/name", "localhost:5000/name"),
        ("localhost:5000/name:1", "localhost:5000/name:1"),
        ("registry:5000/a/b:tag", "registry:5000/a/b:tag"),
        ("10.0.0.1:5000/name", "10.0.0.1:5000/name"),
        ("[::1]:5000/name", "[::1]:5000/name"),
        ("[2001:db8::1]/name:x", "[2001:db8::1]/name:x"),
        ("my-host.example/a", "my-host.example/a"),
        ("registry.docker.io/a", "registry.docker.io/a"),
        ("Registry/name", "Registry/name"),
        ("GHCR.IO/name", "GHCR.IO/name"),
        // Paths.
        ("ghcr.io/a-b/c_d/e.f/g__h", "ghcr.io/a-b/c_d/e.f/g__h"),
        ("ghcr.io/a---b", "ghcr.io/a---b"),
        ("a_b/c", "docker.io/a_b/c"),
        // Tags.
        ("ghcr.io/a:16-abc1234", "ghcr.io/a:16-abc1234"),
        ("ghcr.io/a:_x.Y-z", "ghcr.io/a:_x.Y-z"),
        ("ghcr.io/a:latest", "ghcr.io/a:latest"),
        // Digests.
        ("ghcr.io/a@sha256:HEX", "ghcr.io/a@sha256:HEX"),
        ("ghcr.io/a:1@sha256:HEX", "ghcr.io/a:1@sha256:HEX"),
        ("a@sha512:HEXHEX", "docker.io/library/a@sha512:HEXHEX"),
        ("h:1/a:1@sha256:HEX", "h:1/a:1@sha256:HEX"),
    ];
    for (text, canonical) in cases {
        let (text, canonical) = (hex(text), hex(canonical));
        let reference: ImageRef = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(reference.to_string(), canonical, "{text}");
        let again: ImageRef = canonical.parse().unwrap();
        assert_eq!(again, reference, "{text}");
        let short: ImageRef = reference.familiar().parse().unwrap();
        assert_eq!(short, reference, "{text} as {}", reference.familiar());
    }
}

#[test]
fn what_has_a_wrong_host_or_uppercase_is_refused() {
    use ReferenceError as E;
    let own = str::to_owned;
    let cases = [
        ("", E::Empty),
        (
            "https://ghcr.io/a",
            E::Scheme {
                scheme: own("https://"),
                rest: own("ghcr.io/a"),
            },
        ),
        ("-a.io/b", E::Host(own("-a.io"))),
        ("a..b/c", E::Host(own("a..b"))),
        ("a-.io/b", E::Host(own("a-.io"))),
        ("ghcr.io:/b", E::Host(own("ghcr.io:"))),
        ("ghcr.io:x/b", E::Host(own("ghcr.io:x"))),
        ("ghcr.io:0/b", E::Host(own("ghcr.io:0"))),
        ("ghcr.io:65536/b", E::Host(own("ghcr.io:65536"))),
        ("ghcr.io:+1/b", E::Host(own("ghcr.io:+1"))),
        ("[::1/b", E::Host(own("[::1"))),
        ("[fe80::1%25eth0]/b", E::Host(own("[fe80::1%25eth0]"))),
        ("::1/b", E::Host(own("::1"))),
        ("user:pw/b", E::Host(own("user:pw"))),
        (
            "ghcr.io/Owner/a",
            E::Uppercase {
                part: own("Owner"),
                lowercase: own("owner"),
            },
        ),
        (
            "Postgres",
            E::Uppercase {
                part: own("Postgres"),
                lowercase: own("postgres"),
            },
        ),
    ];
    refuse(&cases);
}

#[test]
fn what_has_a_wrong_path_tag_or_digest_is_refused() {
    use ReferenceError as E;
    let own = str::to_owned;
    let long = "a".repeat(256);
    let cases = [
        ("ghcr.io/", E::Path(own(""))),
        ("ghcr.io/a//b", E::Path(own(""))),
        ("/a", E::Path(own(""))),
        ("a/", E::Path(own(""))),
        ("ghcr.io/a b", E::Path(own("a b"))),
        ("ghcr.io/a..b", E::Path(own("a..b"))),
        ("ghcr.io/a___b", E::Path(own("a___b"))),
        ("ghcr.io/a_-b", E::Path(own("a_-b"))),
        ("ghcr.io/-a", E::Path(own("-a"))),
        ("ghcr.io/a-", E::Path(own("a-"))),
        ("ghcr.io/ä", E::Path(own("ä"))),
        (" a", E::Path(own(" a"))),
        (":16", E::Path(own(""))),
        ("@sha256:HEX", E::Path(own(""))),
        ("a:", E::Tag(own(""))),
        ("a:-x", E::Tag(own("-x"))),
        ("a:.x", E::Tag(own(".x"))),
        ("a:x y", E::Tag(own("x y"))),
        ("a:1:2", E::Tag(own("1:2"))),
        ("a:ü", E::Tag(own("ü"))),
        ("a@", E::Digest(own(""))),
        ("a@sha256:abc", E::Digest(own("sha256:abc"))),
        ("a@md5:HEX", E::Digest(own("md5:HEX"))),
        ("a@sha512:HEX", E::Digest(own("sha512:HEX"))),
        ("a@HEX", E::Digest(own("HEX"))),
        ("HEX", E::Identifier),
        (&long, E::LongPath(256 + OFFICIAL.len())),
    ];
    refuse(&cases);
}

/// Each text is refused with its error.
fn refuse(cases: &[(&str, ReferenceError)]) {
    for (text, error) in cases {
        let error = match error {
            ReferenceError::Digest(text) => ReferenceError::Digest(hex(text)),
            other => other.clone(),
        };
        assert_eq!(hex(text).parse::<ImageRef>(), Err(error), "{text}");
    }
}

#[test]
fn a_repository_has_neither_tag_nor_digest() {
    let tag = "ghcr.io/a:16".parse::<Repository>();
    assert_eq!(
        tag,
        Err(ReferenceError::TagInRepository("16".parse().unwrap()))
    );
    let digest = hex("ghcr.io/a@sha256:HEX").parse::<Repository>();
    assert_eq!(
        digest,
        Err(ReferenceError::DigestInRepository(
            hex("sha256:HEX").parse().unwrap()
        ))
    );
    let both = hex("a:1@sha256:HEX").parse::<Repository>();
    assert!(matches!(both, Err(ReferenceError::TagInRepository(_))));
    let right: Repository = "localhost:5000/a/b".parse().unwrap();
    assert_eq!(
        (right.host().as_str(), right.path()),
        ("localhost:5000", "a/b")
    );
}

#[test]
fn digests_are_lowercase_and_of_full_length() {
    assert!(hex("sha256:HEX").parse::<Digest>().is_ok());
    assert!(hex("sha512:HEXHEX").parse::<Digest>().is_ok());
    let upper = hex("sha256:HEX").to_uppercase().replace("SHA", "sha");
    for wrong in [
        upper.as_str(),
        "",
        "sha256",
        "sha256:",
        &hex("sha256:HEXa"),
        &hex("sha1:HEX"),
        &hex(" sha256:HEX"),
    ] {
        assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
    }
    let digest: Digest = hex("sha256:HEX").parse().unwrap();
    assert_eq!((digest.algorithm(), digest.hex()), ("sha256", HEX));
}

#[test]
fn a_tag_has_at_most_128_characters() {
    assert!("a".repeat(128).parse::<Tag>().is_ok());
    assert_eq!(
        "a".repeat(129).parse::<Tag>(),
        Err(ReferenceError::LongTag(129))
    );
}

#[test]
fn only_this_machine_is_loopback() {
    let cases = [
        ("localhost", true),
        ("localhost:5000", true),
        ("LocalHost:5000", true),
        ("127.0.0.1", true),
        ("127.8.9.10:5000", true),
        ("[::1]", true),
        ("[::1]:5000", true),
        ("ghcr.io", false),
        ("localhost.example", false),
        ("registry.localhost:5000", false),
        ("128.0.0.1:5000", false),
        ("127.0.0.1.example:5000", false),
        ("10.0.0.1", false),
        ("[::2]:5000", false),
        ("0.0.0.0:5000", false),
    ];
    for (host, loopback) in cases {
        assert_eq!(RegistryHost::new(host).is_loopback(), loopback, "{host}");
    }
}

#[test]
fn familiar_is_what_docker_shows() {
    let cases = [
        ("docker.io/library/postgres:16", "postgres:16"),
        ("docker.io/grafana/grafana", "grafana/grafana"),
        ("docker.io/library/a/b", "library/a/b"),
        ("ghcr.io/library/a", "ghcr.io/library/a"),
    ];
    for (text, familiar) in cases {
        let reference: ImageRef = text.parse().unwrap();
        assert_eq!(reference.familiar(), familiar);
    }
}

#[test]
fn serde_checks_what_it_reads() {
    let reference: ImageRef = serde_json::from_str("\"postgres:16\"").unwrap();
    assert_eq!(
        serde_json::to_string(&reference).unwrap(),
        "\"docker.io/library/postgres:16\""
    );
    assert!(serde_json::from_str::<ImageRef>("\"a b\"").is_err());
    assert!(serde_json::from_str::<Digest>("\"sha256:1\"").is_err());
    assert!(serde_json::from_str::<RegistryHost>("\"https://a\"").is_err());
}

#[test]
fn tags_that_are_for_programs() {
    let hex = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    let cases = [
        (format!("sha256-{hex}"), true),
        (format!("sha256-{hex}.sig"), true),
        (format!("sha512-{hex}"), true),
        (format!("sha256-{hex}0"), false),
        (format!("sha1-{hex}"), false),
        (format!("sha256-{}", hex.to_uppercase()), false),
        (hex.to_owned(), false),
        ("sha256-9f86d08".to_owned(), false),
        ("16-9f86d08".to_owned(), false),
        ("16".to_owned(), false),
    ];
    for (text, expected) in cases {
        let tag: Tag = text.parse().unwrap();
        assert_eq!(tag.is_of_referrers(), expected, "{text}");
    }
}
