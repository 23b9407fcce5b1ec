//! What is no policy: (text, why, what to write).

use imgstack_spec::policy::{Order, Pattern, PolicyError, Suffix, VersionRange};

fn check<T>(cases: &[(&str, &str, &str)])
where
    T: std::str::FromStr<Err = PolicyError> + std::fmt::Debug,
{
    for (text, message, remedy) in cases {
        let error = text.parse::<T>().unwrap_err();
        assert_eq!(error.to_string(), *message, "{text}");
        assert_eq!(error.remedy(), *remedy, "{text}");
    }
}

#[test]
fn ranges() {
    let range = "write a range such as `~3.3`, `^16`, `16.x` or `>=16.2, <17`";
    let comma = "join conditions with a comma: `>=16.2, <17`";
    let one = "write one range; alternatives can be a `regex` with `order: semver`";
    check::<VersionRange>(&[
        (
            "16",
            "`16` does not say which versions beside it are meant",
            "write `~16` or `^16` for it and later ones, `=16` for it alone",
        ),
        (
            " 3.3.2 ",
            "`3.3.2` does not say which versions beside it are meant",
            "write `~3.3.2` or `^3.3.2` for it and later ones, `=3.3.2` for it alone",
        ),
        (
            ">=16, 17",
            "`17` does not say which versions beside it are meant",
            "write `~17` or `^17` for it and later ones, `=17` for it alone",
        ),
        (
            "",
            "`` is not a range of versions: unexpected end of input while parsing major version number",
            range,
        ),
        (
            "latest",
            "`latest` is not a range of versions: unexpected character 'l' while parsing major version number",
            range,
        ),
        (
            "~v3.3",
            "`~v3.3` is not a range of versions: unexpected character 'v' while parsing major version number",
            range,
        ),
        (
            ">=16.2 <17",
            "`>=16.2 <17` is not a range of versions: expected comma after minor version number, found '<'",
            comma,
        ),
        (
            "16.x || 17.x",
            "`16.x || 17.x` is not a range of versions: expected comma after minor version number, found '|'",
            one,
        ),
        (
            "1.2.3 - 2.0.0",
            "`1.2.3 - 2.0.0` is not a range of versions: expected comma after patch version number, found '-'",
            comma,
        ),
        (
            "~16-alpine",
            "`~16-alpine` is not a range of versions: expected comma after major version number, found '-'",
            range,
        ),
        (
            ">=99999999999999999999",
            "`>=99999999999999999999` is not a range of versions: value of major version number exceeds u64::MAX",
            range,
        ),
        (
            "~1.02",
            "`~1.02` is not a range of versions: invalid leading zero in minor version number",
            range,
        ),
    ]);
}

#[test]
fn suffixes() {
    let remedy = "write the end as it stands in tags, such as `-alpine`";
    let of = |text: &str| format!("`{text}` is not the end of a tag after its version");
    let long = "x".repeat(128);
    for text in [
        "", "4", "4-alpine", "-alpine ", "-a/b", "-a:b", "+b", "-ä", &long,
    ] {
        check::<Suffix>(&[(text, &of(text), remedy)]);
    }
    for text in ["-alpine", "-alpine3.20", "_x", ".fc40", "alpine", "-"] {
        assert_eq!(text.parse::<Suffix>().unwrap().to_string(), text);
    }
}

#[test]
fn patterns() {
    let pattern = r"write a regular expression for whole tags, such as `16-(\d{8})`";
    let simple = "write a simpler pattern";
    let long = "a".repeat(501);
    check::<Pattern>(&[
        ("", "a pattern cannot be empty", pattern),
        ("16-(", "`16-(` is not a pattern: unclosed group", pattern),
        ("16-)", "`16-)` is not a pattern: unopened group", pattern),
        (
            "a)|(?:b",
            "`a)|(?:b` is not a pattern: unopened group",
            pattern,
        ),
        (
            "*",
            "`*` is not a pattern: repetition operator missing expression",
            pattern,
        ),
        (
            r"(a)\1",
            r"`(a)\1` is not a pattern: backreferences are not supported",
            pattern,
        ),
        (
            "(?=16)16",
            "`(?=16)16` is not a pattern: look-around, including look-ahead and look-behind, is not supported",
            pattern,
        ),
        (
            "[z-a]",
            "`[z-a]` is not a pattern: invalid character class range, the start must be <= the end",
            pattern,
        ),
        ("(a{500}){500}", "`(a{500}){500}` repeats too much", simple),
        (
            r"(\d+)-(\d+)",
            "a pattern has one group at most, this one has 2",
            "keep the group around what is ordered, and write `(?:…)` for the others",
        ),
        (
            "((a)(b))",
            "a pattern has one group at most, this one has 3",
            "keep the group around what is ordered, and write `(?:…)` for the others",
        ),
        (
            &long,
            "a pattern has at most 500 characters, this one has 501",
            simple,
        ),
    ]);
    let deep = format!("{}a{}", "(?:".repeat(60), ")".repeat(60));
    assert!(deep.parse::<Pattern>().is_err());
}

#[test]
fn orders() {
    let remedy = "write `semver`, `numeric`, `alphabetical` or `date`";
    check::<Order>(&[
        ("", "`` is not an order", remedy),
        ("Date", "`Date` is not an order", remedy),
        ("numerical", "`numerical` is not an order", remedy),
    ]);
    for (name, order) in Order::NAMES {
        assert_eq!(name.parse(), Ok(order));
        assert_eq!(serde_json::to_value(order).unwrap(), name);
    }
}

/// A plan carries its stack, so a policy goes through JSON and back.
#[test]
fn policies_survive_json() {
    let policies = [
        super::semver("~3.3"),
        super::semver(">=16.2, <17 -alpine"),
        super::regex(r"16-(\d{8})", Order::Date),
        super::newest("16-[0-9a-f]{7}"),
    ];
    for policy in policies {
        let json = serde_json::to_string(&policy).unwrap();
        let back: imgstack_spec::policy::Policy = serde_json::from_str(&json).unwrap();
        assert_eq!(back, policy, "{json}");
    }
    let wrong = r#"{"newest":{"pattern":"("}}"#;
    assert!(serde_json::from_str::<imgstack_spec::policy::Policy>(wrong).is_err());
}
