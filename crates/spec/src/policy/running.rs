//! What runs, as a policy has to know it.

use std::collections::BTreeMap;
use std::fmt;

use super::BuildDate;
use crate::{Digest, Tag};

/// So many digits of a digest are enough to tell builds apart.
const DIGITS: usize = 12;

/// What runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Running {
    /// The tag that it runs by. None: it has none, as after a pin by digest.
    pub tag: Option<Tag>,
    /// The build. None: a tag alone does not say which it is.
    pub digest: Option<Digest>,
    /// When the build that runs was built, which is not the one that the tag
    /// names now if the tag has moved.
    pub built: BuildDate,
}

impl Running {
    /// Whether the tag is known to lead to this build.
    pub(super) fn is_led_by(&self, tag: &Tag, leads: &BTreeMap<Tag, Option<Digest>>) -> bool {
        let lead = leads.get(tag).and_then(Option::as_ref);
        lead.is_some() && lead == self.digest.as_ref()
    }
}

/// As messages name it: by its tag, else by its digest.
impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => write!(f, "`{tag}`"),
            (None, Some(digest)) => {
                let hex = digest.hex().get(..DIGITS).unwrap_or_default();
                write!(f, "`{}:{hex}…`", digest.algorithm())
            }
            (None, None) => f.write_str("an image without a tag"),
        }
    }
}
