//! The tags of a repository as a registry lists them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::Tag;

/// The tags of a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TagList {
    /// All of them, in any order.
    Complete(Vec<Tag>),
    /// Some or none of them came; why, in words. The part that came is not
    /// here: the newest tag of a part is an old one.
    Incomplete(String),
}

/// Whether the tag is no build but what is attached to one: the referrers of a
/// digest (`sha256-9f31…`), and the signatures, attestations and bills of
/// materials that cosign keeps under such names with an ending.
#[must_use]
pub fn is_attachment(tag: &Tag) -> bool {
    const ALGORITHMS: [&str; 2] = ["sha256-", "sha512-"];
    const ENDINGS: [&str; 3] = [".att", ".sbom", ".sig"];
    let tag = tag.as_str();
    let digest = ALGORITHMS.iter().find_map(|it| tag.strip_prefix(it));
    // The fallback scheme cuts a longer digest at 64 digits.
    let digits = digest.and_then(|rest| rest.get(..64));
    digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
        || ENDINGS.iter().any(|ending| tag.ends_with(ending))
}

/// The tags that may be builds, each once and by name.
pub(super) fn builds(tags: &[Tag]) -> BTreeSet<&Tag> {
    tags.iter().filter(|tag| !is_attachment(tag)).collect()
}
