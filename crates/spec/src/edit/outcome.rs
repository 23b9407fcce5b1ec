//! From what is to be changed to a text that is known to say it.

use super::entry::Splice;
use super::proof;
pub(super) use super::proof::Meant;
use super::resolve::{Path, Step, differences};
use super::tree::Tree;
use super::{Edit, EditError};

/// Changes to a text, and what they are to do.
pub(super) struct Draft<'m> {
    pub(super) splices: Vec<Splice>,
    pub(super) meant: Vec<Meant<'m>>,
}

impl Draft<'_> {
    /// The edit, and where the file would say something else than before
    /// though nobody meant it to. None when the text would not be what was
    /// meant.
    pub(super) fn make(
        self,
        before: &Tree<'_>,
        is_meant: impl Fn(&[Step]) -> bool,
    ) -> Result<Option<(Edit, Vec<Path>)>, EditError> {
        let edit = Edit::new(before.source, self.splices);
        let elsewhere = match Tree::parse(edit.text()) {
            Ok(after) if proof::holds(before, &after, &self.meant) => {
                differences(before, &after, is_meant)?
            }
            Ok(_) | Err(_) => return Ok(None),
        };
        Ok(Some((edit, elsewhere)))
    }
}
