//! Whether a document is sound: as strict as a page is read loosely.

use std::collections::BTreeSet;

/// Elements that our pages and pictures are made of.
const ELEMENTS: &[&str] = &[
    "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "h1", "h2", "h3",
    "h4", "p", "aside", "strong", "ul", "ol", "li", "code", "article", "section", "dl", "div",
    "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "span", "em", "br", "del", "ins",
    "pre", "svg", "defs", "marker", "path", "rect", "g", "text",
];
const EMPTY: [&str; 2] = ["meta", "br"];

/// Attributes that our pages and pictures have.
const ATTRIBUTES: &[&str] = &[
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "rel",
    "class",
    "title",
    "scope",
    "tabindex",
    "aria-hidden",
    "xmlns",
    "role",
    "width",
    "height",
    "viewBox",
    "id",
    "refX",
    "refY",
    "markerWidth",
    "markerHeight",
    "orient",
    "d",
    "x",
    "y",
    "rx",
    "marker-end",
];

/// Every element is one of ours and closed; nothing is loaded or run; nothing
/// hidden is in a text.
pub fn check_html(text: &str, what: &str) {
    let mut open: Vec<String> = Vec::new();
    let mut rest = text.strip_prefix("<!doctype html>\n").unwrap_or(text);
    while let Some(start) = rest.find('<') {
        check_words(&rest[..start], what);
        let end = tag_end(&rest[start..]).unwrap_or_else(|| panic!("{what}: an open tag"));
        let tag = &rest[start + 1..start + end];
        rest = &rest[start + end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            let last = open.pop();
            assert_eq!(last.as_deref(), Some(name), "{what}: closed out of order");
            continue;
        }
        let name = check_tag(tag, what);
        match name.as_str() {
            "style" => {
                let (style, after) = rest.split_once("</style>").unwrap();
                assert!(!style.contains("url(") && !style.contains('<'), "{what}");
                rest = after;
            }
            name if EMPTY.contains(&name) || tag.ends_with('/') => {}
            _ => open.push(name),
        }
    }
    check_words(rest, what);
    assert!(open.is_empty(), "{what}: {open:?} are left open");
}

/// The end of a tag, outside quotes.
fn tag_end(text: &str) -> Option<usize> {
    let mut quoted = false;
    text.char_indices().find_map(|(at, c)| {
        quoted ^= c == '"';
        (c == '>' && !quoted).then_some(at)
    })
}

fn check_tag(tag: &str, what: &str) -> String {
    let tag = tag.trim_end_matches('/');
    let (name, mut rest) = tag.split_once(' ').unwrap_or((tag, ""));
    assert!(ELEMENTS.contains(&name), "{what}: <{tag}>");
    while !rest.trim().is_empty() {
        let Some((attribute, after)) = rest.trim_start().split_once("=\"") else {
            panic!("{what}: <{tag}>")
        };
        let (value, after) = after.split_once('"').unwrap();
        assert!(ATTRIBUTES.contains(&attribute), "{what}: <{tag}>");
        check_words(value, what);
        if attribute == "marker-end" {
            let ours = value.starts_with("url(#tip");
            assert!(ours, "{what}: <{tag}>");
        }
        rest = after;
    }
    name.to_owned()
}

/// No bare `&`, and nothing that moves what is read.
fn check_words(text: &str, what: &str) {
    for part in text.split('&').skip(1) {
        let name = part.split(';').next().unwrap();
        assert!(
            ["amp", "lt", "gt", "quot", "#39"].contains(&name),
            "{what}: &{name}"
        );
    }
    check_chars(text, what);
}

fn check_chars(text: &str, what: &str) {
    let bad = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}')
    };
    assert!(!text.contains(bad), "{what}: {text:?}");
}

/// Fences and `<details>` are closed, every row has the cells of its table, and
/// outside code there is no markup but ours.
pub fn check_markdown(text: &str, what: &str) {
    check_chars(text, what);
    let (mut details, mut fence, mut cells) = (0_i32, None, None);
    for line in text.lines() {
        let kind = line.trim_start_matches('`');
        let ticks = &line[..line.len() - kind.len()];
        match fence {
            // GitHub takes any longer fence for the end as well.
            Some((open, _)) if kind.trim().is_empty() && ticks.len() >= str::len(open) => {
                fence = None;
                continue;
            }
            // A diff is the text of a file, in which nothing is live.
            Some((_, "diff")) => continue,
            Some((_, kind)) => {
                assert_eq!(kind, "mermaid", "{what}");
                assert!(!line.contains('`') && !line.contains('@'), "{what}: {line}");
                continue;
            }
            None if ticks.len() >= 3 => {
                fence = Some((ticks, kind));
                continue;
            }
            None => {}
        }
        let words = without_code(line, what);
        check_row(&words, &mut cells, what);
        details += i32::try_from(words.matches("<details>").count()).unwrap();
        details -= i32::try_from(words.matches("</details>").count()).unwrap();
        assert!((0..=1).contains(&details), "{what}: {line}");
        check_tags(&words, what);
        check_live(&words, what);
    }
    assert!(fence.is_none(), "{what}: a fence is left open");
    assert_eq!(details, 0, "{what}: <details> are left open");
    assert!(text.len() < 65_536, "{what}: {} bytes", text.len());
}

/// The words of a line, each code span as a `C`.
fn without_code(line: &str, what: &str) -> String {
    let line = entity_code(line);
    let parts: Vec<&str> = line.split('`').collect();
    assert!(parts.len() % 2 == 1, "{what}: an open code span: {line}");
    let mut out = String::new();
    for (place, part) in parts.into_iter().enumerate() {
        match place % 2 {
            0 => out.push_str(part),
            _ => {
                assert!(!part.is_empty() && !part.contains('|'), "{what}: {line}");
                out.push('C');
            }
        }
    }
    out
}

/// `<code>` with entities, which has no markup either.
fn entity_code(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("<code>") {
        let (inside, after) = after.split_once("</code>").unwrap();
        assert!(!inside.contains(['<', '`', '|']), "{line}");
        out.push_str(before);
        out.push('C');
        rest = after;
    }
    out + rest
}

fn check_row(words: &str, cells: &mut Option<usize>, what: &str) {
    if !words.starts_with('|') {
        assert!(
            !words.contains('|'),
            "{what}: a bar outside a table: {words}"
        );
        *cells = None;
        return;
    }
    let count = words.matches('|').count();
    assert_eq!(*cells.get_or_insert(count), count, "{what}: {words}");
}

fn check_tags(words: &str, what: &str) {
    const OURS: [&str; 6] = ["details", "/details", "summary", "/summary", "sub", "/sub"];
    let ours: BTreeSet<&str> = OURS.into_iter().collect();
    for part in words.split('<').skip(1) {
        let name = part.split('>').next().unwrap();
        assert!(ours.contains(name), "{what}: <{name}>: {words}");
    }
}

/// Nothing that GitHub would make a mention, a reference or a link.
fn check_live(words: &str, what: &str) {
    let headless = words.trim_start_matches('#');
    let bare = headless.replace("&#", "");
    for live in ["@", "#", "http://", "https://", "www.", "](", "!["] {
        assert!(!bare.contains(live), "{what}: {live} in {words}");
    }
    // A mention is looked for in the finished text, entities and all.
    for sign in ["64;", "35;"] {
        let sign = format!("&#{sign}");
        for (at, _) in words.match_indices(&sign) {
            assert!(
                words[at + sign.len()..].starts_with("&#8203;"),
                "{what}: {words}"
            );
        }
    }
}
