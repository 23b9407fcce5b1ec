//! An edit as a unified diff, for a person to read.
//!
//! Stack files hold passwords, and the lines around a change are shown with
//! it; so what may be a secret is asterisks, and `patch` cannot apply the diff.

use std::ops::Range;
use std::path::PathBuf;

use similar::TextDiff;

use crate::diagnostic::{Findings, hide};
use crate::secrets;
use crate::source::Source;
use crate::yaml;

/// The lines shown around a change.
const CONTEXT: usize = 3;

/// The diff of two texts; `changed` are the bytes that are different in each.
pub(super) fn unified(
    name: &str,
    before: (&str, &[Range<usize>]),
    after: (&str, &[Range<usize>]),
) -> String {
    let name = hide(name, &[]);
    let before = shown(before.0, before.1);
    let after = shown(after.0, after.1);
    TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&name, &name)
        .to_string()
}

/// The diff of two texts of a spec, each with the name that a person knows it
/// by: secrets hidden, and empty where only what is hidden differs, or line
/// ends.
#[must_use]
pub fn diff_texts(before: (&str, &str), after: (&str, &str)) -> String {
    let plain = |text: &str| text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let names = (hide(before.0, &[]), hide(after.0, &[]));
    let before = shown(&plain(before.1), &[]);
    let after = shown(&plain(after.1), &[]);
    if before == after {
        return String::new();
    }
    TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(CONTEXT)
        .header(&names.0, &names.1)
        .to_string()
}

/// The text without secrets. What has changed is a reference and none, though
/// it may stand below a key such as `auth`.
fn shown(text: &str, changed: &[Range<usize>]) -> String {
    let source = Source {
        id: 0,
        name: "".into(),
        folder: PathBuf::new(),
        text: text.to_owned(),
    };
    let mut findings = Findings::default();
    yaml::documents(&source, &mut 0, &mut findings);
    let mut places = findings.secrets_of(&source);
    places.extend(secrets::by_look(text));
    places.extend(secrets::in_assignments(text));
    places.extend(secrets::in_options(text));
    places.extend(match findings.is_empty() {
        true => secrets::in_comments(text),
        // A stack file may have what a spec may not: its tree is not whole.
        false => secrets::in_text(text),
    });
    let places: Vec<_> = places
        .into_iter()
        .flat_map(|place| without(place, changed))
        .collect();
    hide(text, &places)
}

/// What remains of a place without the changed ones, which are in order.
fn without(place: Range<usize>, changed: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut left = Vec::new();
    let mut from = place.start;
    for hole in changed
        .iter()
        .filter(|it| it.start < place.end && it.end > place.start)
    {
        left.push(from..hole.start.max(from));
        from = hole.end.max(from);
    }
    left.push(from..place.end.max(from));
    left
}
