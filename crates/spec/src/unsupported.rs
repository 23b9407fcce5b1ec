//! What the language promises and this version does not do.
//!
//! Such a key is refused by name: a line that is silently without effect would
//! be worse than no line. It is not in the JSON Schema either. Who builds the
//! behaviour deletes the row and declares the key in `document.rs`.

/// Section, by the noun in its declaration, and key.
const NOT_YET: &[(&str, &str)] = &[("`rollout`", "probe"), ("`rollout`", "lastIf")];

/// Whether a later version knows the key in that section.
pub(crate) fn is_not_yet(section: &str, key: &str) -> bool {
    NOT_YET.contains(&(section, key))
}
