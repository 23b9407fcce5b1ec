//! Inputs that nobody writes by hand: none may panic, none may take long or
//! much memory, and each is told in a few words.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use imgstack_spec::{Input, Kind, read};
use miette::{GraphicalReportHandler, GraphicalTheme};
use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};

/// Long for what these tests do, short for a person: some of the checks are
/// ten times slower in a debug build. Of the processor's time, so that others
/// who are at work on the machine do not count.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long the processor was at work for this thread.
fn worked() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap()
}

/// Reads a text and renders what is told of it; bounds the time and the length
/// of both.
fn told(bytes: impl Into<Vec<u8>>) -> (Vec<Kind>, String) {
    let bytes = bytes.into();
    let start = worked();
    let mut text = String::new();
    let mut kinds = Vec::new();
    if let Err(diagnostics) = read(&[Input::new("hostile.yaml", bytes)]) {
        let theme = GraphicalTheme::unicode_nocolor();
        let handler = GraphicalReportHandler::new_themed(theme).with_width(100);
        handler.render_report(&mut text, &diagnostics).unwrap();
        kinds.extend(diagnostics.iter().map(|it| it.kind()));
        for mistake in &diagnostics {
            assert!(!mistake.to_string().is_empty());
            assert!(mistake.line().is_none_or(|line| line > 0));
        }
    }
    let took = worked() - start;
    assert!(took < PATIENCE, "took {took:?}");
    assert!(text.len() < 1 << 20, "{} bytes are told", text.len());
    (kinds, text)
}

const HEAD: &str = "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {name: a}\n";

#[test]
fn what_is_no_text_is_told_in_one_line() {
    let cases: [(&str, Vec<u8>, Kind); 11] = [
        ("nothing", vec![], Kind::NoDocument),
        ("blanks", b" \n\n  \r\n".to_vec(), Kind::NoDocument),
        ("only a mark", b"\xef\xbb\xbf".to_vec(), Kind::NoDocument),
        (
            "only markers",
            b"---\n---\n...\n".to_vec(),
            Kind::NoDocument,
        ),
        ("NUL", b"a: \0".to_vec(), Kind::NotText),
        ("UTF-16", b"\xff\xfea\0:\0 \0b\0".to_vec(), Kind::NotText),
        ("UTF-32", b"\0\0\xfe\xff\0\0\0a".to_vec(), Kind::NotText),
        ("cut off", b"a: \xe2\x82".to_vec(), Kind::NotText),
        ("CR alone", b"a: b\rc: d\r".to_vec(), Kind::NotText),
        ("an escape", b"a: \x1b[31m".to_vec(), Kind::NotText),
        ("gzip", b"\x1f\x8b\x08\x00\x00".to_vec(), Kind::NotText),
    ];
    for (name, bytes, kind) in cases {
        assert_eq!(told(bytes).0, [kind], "{name}");
    }
    let every_byte: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    assert_eq!(told(every_byte).0, [Kind::NotText]);
}

#[test]
fn what_is_too_large_is_refused_unread() {
    assert_eq!(told(vec![b'a'; 10 << 20]).0, [Kind::TooLarge]);
    let list = format!("{HEAD}spec: {{images: [{}]}}", "a, ".repeat(200_000));
    assert_eq!(told(list).0, [Kind::TooLarge]);
    // Each is small enough, and all together are not.
    let inputs: Vec<_> = (0..20)
        .map(|at| Input::new(format!("{at}.yaml"), format!("# {}", "a".repeat(1 << 19))))
        .collect();
    let diagnostics = read(&inputs).unwrap_err();
    assert!(diagnostics.iter().any(|it| it.kind() == Kind::TooLarge));
}

#[test]
fn what_is_nested_is_refused_at_once() {
    let blocks: String = (0..700).fold(String::new(), |mut text, depth| {
        writeln!(text, "{}a:", " ".repeat(depth)).unwrap();
        text
    });
    let cases = [
        "[".repeat(100_000),
        "{".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        "{a: ".repeat(100_000),
        "[{a: ".repeat(100_000),
        "- [".repeat(100_000),
        "-\n ".repeat(100_000),
        "&a ".repeat(100_000),
        "!a ".repeat(100_000),
        "]".repeat(100_000),
        "'".repeat(100_001),
        "\"".repeat(100_001),
        "a: |\n".repeat(100_000),
        "---\n".repeat(100_000),
        "--- [\n".repeat(100_000),
        ": ".repeat(100_000),
        "#".repeat(100_000),
        "%".repeat(100_000),
        blocks,
    ];
    for text in cases {
        let start: String = text.chars().take(12).collect();
        let (kinds, _) = told(text);
        assert!(!kinds.is_empty(), "{start:?}…");
    }
    let (kinds, text) = told("[".repeat(100_000));
    assert_eq!(kinds, [Kind::TooLarge]);
    assert!(text.contains("deeper than 64 levels"), "{text}");
}

#[test]
fn aliases_are_bounded() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(laughs, "a{level}: &a{level} [{aliases}]").unwrap();
    }
    assert_eq!(told(laughs).0, [Kind::TooLarge]);
    // The same through merge keys, and one anchor with many aliases.
    let mut merges = "m0: &m0 {a: 1, b: 2, c: 3, d: 4}\n".to_owned();
    for level in 1..30 {
        let aliases = vec![format!("*m{}", level - 1); 10].join(", ");
        writeln!(
            merges,
            "m{level}: &m{level} {{<<: [{aliases}], k{level}: 1}}"
        )
        .unwrap();
    }
    assert_eq!(told(merges).0, [Kind::TooLarge]);
    let wide = format!(
        "{HEAD}spec:\n  images:\n    - &i {{{}}}\n{}",
        (0..1000)
            .map(|key| format!("k{key}: 1"))
            .collect::<Vec<_>>()
            .join(", "),
        "    - *i\n".repeat(100_000)
    );
    assert_eq!(told(wide).0.first(), Some(&Kind::TooLarge));
    // An alias inside its own anchor stands for nothing.
    assert!(told("a: &a [*a]").0.contains(&Kind::Alias));
    assert!(told("&a {*a : *a}").0.contains(&Kind::Alias));
}

#[test]
fn many_mistakes_are_counted_and_a_hundred_told() {
    let services: String = (0..5000).fold(String::new(), |mut text, at| {
        writeln!(
            text,
            "    - {{name: s{at}, image: i{at}, after: [x{at}], zz: 1}}"
        )
        .unwrap();
        text
    });
    let images: String = (0..2000).fold(String::new(), |mut text, at| {
        writeln!(text, "    - {{name: j{at}, repository: A, tag: b c}}").unwrap();
        text
    });
    let text = format!("{HEAD}spec:\n  images:\n{images}  services:\n{services}");
    let diagnostics = read(&[Input::new("a.yaml", text.clone())]).unwrap_err();
    assert_eq!(diagnostics.iter().count(), 100);
    assert_eq!(diagnostics.omitted(), 2 * 2000 + 3 * 5000 - 100);
    told(text);
}

#[test]
fn long_cycles_are_found_and_shortened() {
    let services: String = (0..9000).fold(String::new(), |mut text, at| {
        let after = (at + 1) % 9000;
        writeln!(text, "    - {{name: s{at}, image: i, after: [s{after}]}}").unwrap();
        text
    });
    let images = "    - {name: i, repository: a, tag: b}\n";
    let (kinds, text) = told(format!(
        "{HEAD}spec:\n  images:\n{images}  services:\n{services}"
    ));
    assert_eq!(kinds, [Kind::Cycle]);
    assert!(
        text.contains("9000 services wait for each other: `s0` → `s1`"),
        "{text}"
    );
    // Everyone after everyone.
    let names: Vec<_> = (0..150).map(|at| format!("s{at}")).collect();
    let all = names.join(", ");
    let services: String = names.iter().fold(String::new(), |mut text, name| {
        writeln!(text, "    - {{name: {name}, image: i, after: [{all}]}}").unwrap();
        text
    });
    let (kinds, _) = told(format!(
        "{HEAD}spec:\n  images:\n{images}  services:\n{services}"
    ));
    assert!(kinds.iter().all(|kind| *kind == Kind::Cycle), "{kinds:?}");
}

#[test]
fn many_rules_for_nodes_are_read_in_time() {
    let rules = |count, rule: fn(usize) -> String| {
        let rules: String = (0..count).map(rule).collect();
        told(format!("{HEAD}spec:\n  images: []\n  nodes:\n{rules}"))
    };
    // None has an engine, which is looked for among all the others.
    let worst = |at| format!("    - {{selector: {{labels: {{a{at}: b}}}}, login: true}}\n");
    assert!(rules(900, worst).0.iter().all(|kind| *kind == Kind::Node));
    rules(10_000, worst);
    rules(10_000, |at| format!("    - {{name: n{at}, login: true}}\n"));
    let twice = |at| format!("    - {{name: n{}, engine: 'ssh://{{x{at}}}'}}\n", at % 7);
    let (kinds, _) = rules(5000, twice);
    assert!(kinds.contains(&Kind::DuplicateName) && kinds.contains(&Kind::Endpoint));
}

#[test]
fn long_lines_and_names_are_shown_in_part() {
    let long = "a".repeat(1 << 19);
    let cases = [
        format!("{HEAD}spec: {{images: [], zz{long}: 1}}"),
        format!("{HEAD}spec:\n  images: [{{name: {long}, repository: {long}, tag: {long}}}]"),
        format!("{HEAD}spec:\n  images: []\n  services: [{{name: '{long}', image: '{long}'}}]"),
        format!("{HEAD}spec:\n  swarm: {{endpoint: '{long}'}}\n  images: []"),
        format!(
            "{HEAD}spec:\n  images: []\n  nodes: [{{name: '{long}', minimumFreeDisk: {long}}}]"
        ),
        format!("{HEAD}spec:\n  images: []\n  nodes: [{{selector: {{role: {long}}}}}]"),
        format!("{HEAD}spec:\n  images: []\n  nodes: [{{name: a, engine: '{{{long}}}'}}]"),
        format!(
            "{HEAD}spec:\n  images: []\n  nodes: [{{name: a, engine: '{}'}}]",
            "{a}".repeat(1 << 17)
        ),
        format!("{HEAD}spec:\n  images: []\n  registries: [{{host: '{long}', password: {long}}}]"),
        format!("{HEAD}spec:\n  images: []\n  ? {long}\n  : {long}"),
        format!("{long}: {long}"),
        format!("apiVersion: {long}\nkind: {long}"),
        format!("# {}\n{HEAD}spec: 1", "password: ".repeat(90_000)),
        format!("{HEAD}spec: [{}", "password: a, ".repeat(60_000)),
        format!("{HEAD}spec: [{}", "\" : ".repeat(200_000)),
        format!("{HEAD}spec: [{}", "://a:b@c".repeat(100_000)),
        format!("{HEAD}spec: [{}", "://".repeat(300_000)),
        format!("{HEAD}spec: [\n{}", "password:\n".repeat(90_000)),
        format!("{HEAD}spec: [\n{}", " ".repeat(1 << 19)),
        format!("{HEAD}spec: [{}", "ghp_".repeat(200_000)),
    ];
    for text in cases {
        let start: String = text.chars().skip(HEAD.len()).take(60).collect();
        let (kinds, text) = told(text);
        assert!(!kinds.is_empty(), "{start}…");
        assert!(
            text.len() < 20_000,
            "{start}… is told in {} bytes",
            text.len()
        );
    }
}

/// The specs of `mistakes`, as a ground to change things in.
static SEEDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(seeds);

fn seeds() -> Vec<Vec<u8>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mistakes");
    let example =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/postgres-ha/imgstack.yaml");
    let mut paths: Vec<_> = fs::read_dir(tests)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
        .collect();
    paths.push(example);
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Takes a piece away and puts something in its place.
fn change() -> impl Strategy<Value = (prop::sample::Index, usize, Vec<u8>)> {
    let pieces = prop::sample::select(vec![
        "",
        "\n",
        "\r\n",
        "\t",
        " ",
        "  ",
        ":",
        ": ",
        "- ",
        "-",
        "?",
        "? ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "\"",
        "'",
        "|",
        ">",
        "&a ",
        "*a",
        "!x ",
        "!!str ",
        "#",
        " #",
        "%",
        "@",
        "---\n",
        "...\n",
        "<<: *a",
        "~",
        "null",
        "password: hunter2",
        "\u{feff}",
        "\u{2028}",
        "\u{85}",
        "ä",
        "日本",
        "\0",
        "\u{1b}",
        "\\",
        "\"\\u0000\"",
        "name: a\n",
        "0",
        "-1",
        "1e999",
        "true",
    ]);
    let bytes = prop_oneof![
        4 => pieces.prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..4),
    ];
    (any::<prop::sample::Index>(), 0usize..12, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        told(bytes);
    }

    #[test]
    fn random_text_does_no_harm(text in "[ \\n\\t:\\-?\\[\\]{},'\"|>&*!#%@a-cä\\\\]{0,200}") {
        told(text);
    }

    #[test]
    fn changed_specs_do_no_harm(
        seed in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..8),
    ) {
        let mut text = SEEDS[seed.index(SEEDS.len())].clone();
        for (at, length, piece) in changes {
            let at = at.index(text.len() + 1);
            let end = (at + length).min(text.len());
            text.splice(at..end, piece);
        }
        told(text);
    }

    /// Wherever a syntax error is put, a password on a line of its own is not
    /// shown.
    #[test]
    fn a_broken_spec_shows_no_password(at in any::<prop::sample::Index>(), piece in "[\\[\\]{}\"'`@%&*|>\\t:]") {
        let spec = format!(
            "{HEAD}spec:\n  registries:\n    - host: ghcr.io\n      username: acme\n      password: hunter2\n  images: []\n"
        );
        let lines: Vec<_> = spec.lines().collect();
        let at = at.index(lines.len());
        let text: Vec<_> = lines
            .iter()
            .enumerate()
            .map(|(index, line)| match index == at {
                true => format!("{line}{piece}"),
                false => (*line).to_owned(),
            })
            .collect();
        let (_, text) = told(text.join("\n"));
        prop_assert!(!text.contains("hunter2"), "{}", text);
    }
}
