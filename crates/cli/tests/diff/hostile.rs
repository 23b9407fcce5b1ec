//! What a spec could be made of to be more than words on a page, and more than
//! a comment has room for.

use std::fmt::Write as _;
use std::fs;

use crate::markup::{check_html, check_markdown};
use crate::run::{Said, imgstack};
use crate::stopwatch::in_a_second;

const HOSTILE: [&str; 12] = [
    "``` </details> # title",
    "`",
    "```` ``` ` ``",
    "</details><details open>",
    "</pre></div><script>alert(1)</script>",
    "\" onmouseover=\"alert(1)",
    "<!-- imgstack -->",
    "| a | b |",
    "@team/ops and @everyone, fixes #123, GH-12",
    "![x](https://evil.example/x.png) [y](javascript:x)",
    "$\\frac{a}{b}$ :smile: ~~x~~ **x** __x__",
    "&lt;b&gt; &#64;ops",
];

/// A spec with these words wherever a spec has words of one's own.
fn spec(words: &str, tag: &str) -> String {
    let quoted = serde_json::to_string(words).unwrap();
    format!(
        "# {words}\napiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: s}}\n\
         spec:\n  images: [{{name: a, repository: r.test/a, tag: {tag}, purpose: {quoted}}}]\n  \
         nodes: [{{selector: {{labels: {{zone: {quoted}}}}}, minimumFreeDisk: 1GiB}}]\n  \
         services: [{{name: s_a, image: a}}]\n"
    )
}

fn told(old: &str, new: &str, form: &str) -> Said {
    let home = tempfile::tempdir().unwrap();
    // Of a file's name as well.
    let name = "a `b` @ops <c>.yaml";
    fs::write(home.path().join("old.yaml"), old).unwrap();
    fs::write(home.path().join(name), new).unwrap();
    imgstack(home.path(), &["diff", "old.yaml", name, "-o", form])
}

#[test]
fn what_stands_in_a_spec_is_only_words() {
    for words in HOSTILE {
        let (old, new) = (spec("plain", "1-a"), spec(words, "1-b"));
        for (old, new) in [(&old, &new), (&new, &old)] {
            let page = told(old, new, "html").ends(0);
            check_html(&page.stdout, words);
            let comment = told(old, new, "markdown").ends(0);
            check_markdown(&comment.stdout, words);
            assert!(comment.stdout.contains("purpose"), "{words}");
        }
    }
}

#[test]
fn a_thousand_services_fit_into_a_comment() {
    let spec = |tag: &str| {
        let mut text = format!(
            "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {{name: s}}\nspec:\n  \
             images: [{{name: a, repository: r.test/a, tag: {tag}}}]\n  services:\n"
        );
        for number in 0..1000 {
            let _ = writeln!(
                text,
                "    - {{name: service-{number}, image: a, rollout: {{timeout: {}s}}}}",
                60 + tag.len()
            );
        }
        text
    };
    let (old, new) = (spec("1-a"), spec("1-beta"));
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("old.yaml"), &old).unwrap();
    fs::write(home.path().join("new.yaml"), &new).unwrap();
    let printed = |form: &str| {
        let arguments = ["diff", "old.yaml", "new.yaml", "-o", form];
        in_a_second(home.path(), &arguments, "a thousand services")
    };
    let comment = printed("markdown");
    check_markdown(&comment, "a thousand");
    assert!(
        comment.contains("Left out, to fit into a comment"),
        "{comment}"
    );
    assert!(comment.contains("Restarts 1000 services"), "{comment}");
    check_html(&printed("html"), "a thousand");
}
