//! What a provenance statement says an image was built on.
//!
//! Source of the rules: in-toto's statements, SLSA's provenance v1
//! (`buildDefinition.resolvedDependencies`) and v0.2 (`materials`), and
//! BuildKit's reading of them: an image is named by a package URL, with the
//! digest that its name led to, that of the index where there is one. A build of
//! several stages lists the image of each.
//!
//! Only what is needed is read, entry by entry, so that an odd entry costs
//! itself alone. Deliberately absent: signatures. A statement is believed as
//! far as the registry is that keeps it beside the image.

use imgstack_spec::{Digest, ImageRef};
use serde::Deserialize;
use serde_json::Value;

use super::purl;

/// The annotation of a layer that says what kind of statement it is.
pub(super) const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";

/// How the types of provenance begin, whichever version.
const PROVENANCE: &str = "https://slsa.dev/provenance/";

/// An image that a build took something from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Material {
    /// As the build named it, without a digest.
    pub(super) name: ImageRef,
    /// What that led to. None: not said, or not readable.
    pub(super) digest: Option<Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Statement {
    predicate_type: String,
    #[serde(default)]
    subject: Value,
    predicate: Predicate,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Predicate {
    /// Version 1.
    build_definition: Option<BuildDefinition>,
    /// Version 0.2.
    #[serde(default)]
    materials: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BuildDefinition {
    #[serde(default)]
    resolved_dependencies: Value,
}

/// Whether that is the type of provenance.
pub(super) fn is_provenance(predicate_type: &str) -> bool {
    predicate_type.starts_with(PROVENANCE)
}

/// The images that the build of `image` used, in the statement's order.
///
/// # Errors
/// Why the statement says nothing about the image, as words that follow "its
/// provenance".
pub(super) fn materials(content: &[u8], image: &Digest) -> Result<Vec<Material>, &'static str> {
    let statement: Statement = serde_json::from_slice(content).map_err(|_| "cannot be read")?;
    if !is_provenance(&statement.predicate_type) {
        return Err("is of another kind than it says");
    }
    let subjects = statement.subject.as_array();
    let mut subjects = subjects.into_iter().flatten();
    if !subjects.any(|subject| digest(subject).as_ref() == Some(image)) {
        return Err("is about another image");
    }
    let definition = statement.predicate.build_definition;
    let listed = match &definition {
        Some(definition) => &definition.resolved_dependencies,
        None => &statement.predicate.materials,
    };
    let Some(listed) = listed.as_array() else {
        return Err("lists nothing that it was built from");
    };
    Ok(listed.iter().filter_map(material).collect())
}

fn material(entry: &Value) -> Option<Material> {
    let mut name = purl::image(entry.get("uri")?.as_str()?)?;
    let named = name.digest.take();
    let digest = digest(entry).or(named);
    Some(Material { name, digest })
}

/// The digest of an entry: `{"digest": {"sha256": "9f31…"}}`.
fn digest(entry: &Value) -> Option<Digest> {
    let digests = entry.get("digest")?;
    let of = |algorithm: &str| {
        let hex = digests.get(algorithm)?.as_str()?;
        format!("{algorithm}:{}", hex.to_ascii_lowercase())
            .parse()
            .ok()
    };
    of("sha256").or_else(|| of("sha512"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1: &str = "https://slsa.dev/provenance/v1";
    const V02: &str = "https://slsa.dev/provenance/v0.2";

    fn hex(n: u8) -> String {
        format!("{n:064x}")
    }

    fn image() -> Digest {
        format!("sha256:{}", hex(1)).parse().unwrap()
    }

    /// A statement about [`image`].
    fn statement(kind: &str, predicate: &str) -> String {
        format!(
            r#"{{"_type":"https://in-toto.io/Statement/v0.1","predicateType":"{kind}",
                "subject":[{{"name":"_","digest":{{"sha256":"{}"}}}}],"predicate":{predicate}}}"#,
            hex(1)
        )
    }

    fn v1(dependencies: &str) -> String {
        let predicate = format!(
            r#"{{"buildDefinition":{{"buildType":"x","resolvedDependencies":{dependencies}}},"runDetails":{{}}}}"#
        );
        statement(V1, &predicate)
    }

    fn v02(materials: &str) -> String {
        let predicate = format!(r#"{{"builder":{{"id":""}},"materials":{materials}}}"#);
        statement(V02, &predicate)
    }

    /// `postgres:16 sha256:…02`, one a line.
    fn read(content: &str) -> Result<Vec<String>, &'static str> {
        let materials = materials(content.as_bytes(), &image())?;
        let line = |it: &Material| match &it.digest {
            Some(digest) => format!(
                "{} …{}",
                it.name.familiar(),
                &digest.hex()[digest.hex().len() - 2..]
            ),
            None => format!("{} –", it.name.familiar()),
        };
        Ok(materials.iter().map(line).collect())
    }

    fn entry(uri: &str, digest: &str) -> String {
        format!(r#"{{"uri":"{uri}","digest":{digest}}}"#)
    }

    fn sha256(n: u8) -> String {
        format!(r#"{{"sha256":"{}"}}"#, hex(n))
    }

    #[test]
    fn what_a_build_was_made_from() {
        let postgres = entry("pkg:docker/postgres@16?platform=linux%2Famd64", &sha256(2));
        let go = entry("pkg:docker/golang@1.23?platform=linux%2Famd64", &sha256(3));
        let source = entry("https://github.com/acme/db#main", r#"{"sha1":"abc"}"#);
        let uppercase = hex(0xab).to_uppercase();
        let named = format!("pkg:docker/postgres@16?digest=sha256:{}", hex(4));
        let table: Vec<(&str, String, Vec<&str>)> = vec![
            ("one", format!("[{postgres}]"), vec!["postgres:16 …02"]),
            (
                "of several stages, in their order, with what is no image",
                format!("[{go},{source},{postgres}]"),
                vec!["golang:1.23 …03", "postgres:16 …02"],
            ),
            (
                "the same twice",
                format!("[{go},{go}]"),
                vec!["golang:1.23 …03"; 2],
            ),
            ("nothing", "[]".to_owned(), vec![]),
            (
                "without a digest",
                r#"[{"uri":"pkg:docker/postgres@16"}]"#.to_owned(),
                vec!["postgres:16 –"],
            ),
            (
                "with the digest in the name alone",
                format!(r#"[{{"uri":"{named}"}}]"#),
                vec!["postgres:16 …04"],
            ),
            (
                "with two that differ: what the build says it got",
                format!("[{}]", entry(&named, &sha256(2))),
                vec!["postgres:16 …02"],
            ),
            (
                "with capitals",
                format!(
                    "[{}]",
                    entry(
                        "pkg:docker/postgres@16",
                        &format!(r#"{{"sha256":"{uppercase}"}}"#)
                    )
                ),
                vec!["postgres:16 …ab"],
            ),
            (
                "with another algorithm",
                format!(
                    "[{}]",
                    entry(
                        "pkg:docker/postgres@16",
                        &format!(r#"{{"sha512":"{}{}"}}"#, hex(0), hex(5))
                    )
                ),
                vec!["postgres:16 …05"],
            ),
            (
                "odd entries cost themselves alone",
                format!(
                    r#"[null,7,"pkg:docker/postgres@16",[],{{}},{{"uri":null}},{{"uri":["a"]}},{{"uri":"pkg:docker/%zz@1"}},{postgres}]"#
                ),
                vec!["postgres:16 …02"],
            ),
        ];
        for (what, listed, expected) in &table {
            assert_eq!(read(&v1(listed)).unwrap(), *expected, "v1: {what}");
            assert_eq!(read(&v02(listed)).unwrap(), *expected, "v0.2: {what}");
        }
        let odd_digests = [
            "null",
            "7",
            r#""sha256:abc""#,
            "[]",
            "{}",
            r#"{"sha256":7}"#,
            r#"{"sha256":"abc"}"#,
            r#"{"sha256":""}"#,
            r#"{"md5":"abc"}"#,
        ];
        for digest in odd_digests {
            let listed = format!("[{}]", entry("pkg:docker/postgres@16", digest));
            assert_eq!(read(&v1(&listed)).unwrap(), ["postgres:16 –"], "{digest}");
        }
    }

    #[test]
    fn a_version_is_told_by_its_form() {
        // Whatever the type says: a v1 form is read as one, and the list of
        // the other version does not count beside it.
        let both = format!(
            r#"{{"buildDefinition":{{"resolvedDependencies":[{}]}},"materials":[{}]}}"#,
            entry("pkg:docker/postgres@16", &sha256(2)),
            entry("pkg:docker/postgres@16", &sha256(3)),
        );
        for kind in [V1, V02, "https://slsa.dev/provenance/v1.1"] {
            let read = read(&statement(kind, &both));
            assert_eq!(read.unwrap(), ["postgres:16 …02"], "{kind}");
        }
    }

    #[test]
    fn what_says_nothing() {
        let other = v1("[]").replace(&hex(1), &hex(9));
        let no_subject = v1("[]").replace("subject", "object");
        let odd_subject =
            r#"{"predicateType":"https://slsa.dev/provenance/v1","subject":"all","predicate":{}}"#;
        let sbom = statement("https://spdx.dev/Document", r#"{"packages":[]}"#);
        let long = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let unreadable = "cannot be read";
        let another = "is about another image";
        let nothing = "lists nothing that it was built from";
        let table = [
            ("", unreadable),
            ("null", unreadable),
            ("[]", unreadable),
            ("{}", unreadable),
            ("\u{0}", unreadable),
            (r#"{"predicateType":7,"predicate":{}}"#, unreadable),
            (&v1("[]")[..80], unreadable),
            (&long, unreadable),
            (&v1(&long), unreadable),
            (&statement(V1, "null"), unreadable),
            (&statement(V1, r#""text""#), unreadable),
            (&statement(V1, r#"{"buildDefinition":7}"#), unreadable),
            (&sbom, "is of another kind than it says"),
            (&other, another),
            (&no_subject, another),
            (odd_subject, another),
            (&statement(V1, "{}"), nothing),
            (&statement(V1, r#"{"buildDefinition":{}}"#), nothing),
            (&v1("null"), nothing),
            (&v1("{}"), nothing),
            (&v02(r#""pkg:docker/postgres@16""#), nothing),
        ];
        for (content, why) in table {
            let shown = content.get(..200).unwrap_or(content);
            assert_eq!(read(content), Err(why), "{shown}");
        }
        let bytes = [0xff, 0xfe, b'{'];
        assert_eq!(materials(&bytes, &image()), Err(unreadable));
    }

    #[test]
    fn a_large_statement_is_read_once_through() {
        let entries = vec![entry("pkg:docker/golang@1.23", &sha256(3)); 50_000];
        let listed = format!("[{}]", entries.join(","));
        assert_eq!(read(&v1(&listed)).unwrap().len(), 50_000);
    }
}
