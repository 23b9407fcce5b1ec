//! What reading costs, which cannot be seen from outside.

use std::fmt::Write as _;

use super::*;

/// The secrets that are found in a text, counted.
fn secrets(text: &str) -> usize {
    let source = Source {
        id: 0,
        name: "a.yaml".into(),
        folder: std::path::PathBuf::new(),
        text: text.to_owned(),
    };
    let mut findings = Findings::default();
    documents(&source, &mut 0, &mut findings);
    findings.secrets().count()
}

#[test]
fn a_secret_is_marked_once_however_often_it_is_met() {
    let nested = format!("{}x", "password: {".repeat(60)) + &"}".repeat(60);
    assert_eq!(secrets(&nested), 1);
    let mut aliases = "t0: &a0 [x, y]\n".to_owned();
    for level in 1..14 {
        let last = level - 1;
        writeln!(
            aliases,
            "t{level}: &a{level} {{token: {{token: [*a{last}, *a{last}]}}}}"
        )
        .unwrap();
    }
    assert_eq!(secrets(&aliases), 2);
}

/// Time, where the test above is about memory.
#[test]
fn no_part_of_a_tree_is_walked_twice() {
    let mut tree: Node = Node::new(
        Span {
            source: 0,
            start: 0,
            end: 1,
        },
        Value::Unknown,
    );
    // Two to the power of sixty leaves.
    for _ in 0..60 {
        let items = vec![tree.clone(), tree.clone()];
        tree = Node::new(tree.span, Value::List(items.into()));
    }
    let mut met = 0;
    Search::default().in_value("password", &tree, &mut |_| met += 1);
    assert_eq!(met, 2);
}
