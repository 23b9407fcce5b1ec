//! The summary of a step, which GitHub shows on the page of a workflow's run.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

use super::draft::Draft;
use crate::problem::Problem;

/// The file that GitHub reads it from.
const VARIABLE: &str = "GITHUB_STEP_SUMMARY";
/// GitHub takes 1 MiB for a step, and nothing of more.
const LARGEST: u64 = 1 << 20;

/// Adds what the comments show, as far as there is room, to what the step has
/// written already. Outside a workflow there is nowhere to.
pub(crate) fn write(drafts: &[Draft]) -> Result<(), Problem> {
    let path = std::env::var_os(VARIABLE).filter(|path| !path.is_empty());
    let Some(path) = path.map(PathBuf::from) else {
        return Ok(());
    };
    let failed = |cause| Problem::file("write", &path, cause);
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let mut file = file.map_err(failed)?;
    let mut room = LARGEST.saturating_sub(file.metadata().map_err(failed)?.len());
    for draft in drafts {
        let text = format!("{}\n\n", draft.text());
        let Some(left) = room.checked_sub(text.len() as u64) else {
            break;
        };
        file.write_all(text.as_bytes()).map_err(failed)?;
        room = left;
    }
    Ok(())
}
