//! Where the spec is read from.

use std::path::PathBuf;

use imgstack_spec::StackSet;

use crate::args::SpecArgs;
use crate::problem::Problem;

/// The spec that is read when none is named.
const DEFAULT: &str = "imgstack.yaml";

/// Reads and checks the specs.
pub(crate) fn stacks(args: &SpecArgs) -> Result<StackSet, Problem> {
    let paths = if args.file.is_empty() {
        vec![PathBuf::from(DEFAULT)]
    } else {
        args.file.clone()
    };
    Ok(imgstack_spec::read(&imgstack_spec::load(
        &paths,
        std::io::stdin(),
    ))?)
}
