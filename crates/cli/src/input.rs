//! Where the spec is read from.

use std::ffi::OsString;
use std::path::PathBuf;

use imgstack_spec::StackSet;

use crate::args::SpecArgs;
use crate::problem::Problem;

/// The variable that names the spec. It is no argument's default: given so, it
/// would count as typed, and be refused beside a saved plan.
const VARIABLE: &str = "IMGSTACK_FILE";
/// The spec that is read when none is named.
const DEFAULT: &str = "imgstack.yaml";

/// Reads and checks the specs.
pub(crate) fn stacks(args: &SpecArgs) -> Result<StackSet, Problem> {
    let paths = paths(&args.file, std::env::var_os(VARIABLE));
    Ok(imgstack_spec::read(&imgstack_spec::load(
        &paths,
        std::io::stdin(),
    ))?)
}

fn paths(typed: &[PathBuf], variable: Option<OsString>) -> Vec<PathBuf> {
    if !typed.is_empty() {
        return typed.to_vec();
    }
    // An empty variable is one that somebody meant to unset.
    let named = variable.filter(|name| !name.is_empty());
    vec![named.map_or_else(|| PathBuf::from(DEFAULT), PathBuf::from)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_comes_before_the_variable_and_that_before_the_default() {
        let typed = [PathBuf::from("a.yaml")];
        let variable = |name: &str| Some(OsString::from(name));
        assert_eq!(paths(&typed, variable("b.yaml")), typed);
        assert_eq!(paths(&[], variable("b.yaml")), [PathBuf::from("b.yaml")]);
        assert_eq!(paths(&[], variable("")), [PathBuf::from(DEFAULT)]);
        assert_eq!(paths(&[], None), [PathBuf::from(DEFAULT)]);
    }
}
