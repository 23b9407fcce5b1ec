//! Where the spec is read from.

use std::ffi::OsString;
use std::path::PathBuf;

use imgstack_spec::{Input, StackSet};

use crate::args::SpecArgs;
use crate::problem::Problem;

/// The variable that names the spec. It is no argument's default: given so, it
/// would count as typed, and be refused beside a saved plan.
const VARIABLE: &str = "IMGSTACK_FILE";
/// The spec that is read when none is named.
const DEFAULT: &str = "imgstack.yaml";

/// Reads and checks the specs.
pub(crate) fn stacks(args: &SpecArgs) -> Result<StackSet, Problem> {
    Ok(imgstack_spec::read(&inputs(args)?)?)
}

/// Reads the specs, for who needs their texts as well.
pub(crate) fn inputs(args: &SpecArgs) -> Result<Vec<Input>, Problem> {
    let (paths, origin) = paths(&args.file, std::env::var_os(VARIABLE));
    if let (Some(origin), [path]) = (origin, paths.as_slice())
        && matches!(path.try_exists(), Ok(false))
    {
        return Err(Problem::NoSpec {
            path: path.clone(),
            origin,
        });
    }
    Ok(imgstack_spec::load(&paths, std::io::stdin()))
}

/// The files and folders that the specs are read from.
pub(crate) fn named(args: &SpecArgs) -> Vec<PathBuf> {
    paths(&args.file, std::env::var_os(VARIABLE)).0
}

/// With who named them, where nobody typed them.
fn paths(typed: &[PathBuf], variable: Option<OsString>) -> (Vec<PathBuf>, Option<&'static str>) {
    if !typed.is_empty() {
        return (typed.to_vec(), None);
    }
    // An empty variable is one that somebody meant to unset.
    match variable.filter(|name| !name.is_empty()) {
        Some(name) if name == "-" => (vec![name.into()], None),
        Some(name) => (vec![name.into()], Some("which IMGSTACK_FILE names")),
        None => (vec![DEFAULT.into()], Some("the default, in this folder")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_comes_before_the_variable_and_that_before_the_default() {
        let typed = [PathBuf::from("a.yaml")];
        let variable = |name: &str| Some(OsString::from(name));
        assert_eq!(paths(&typed, variable("b.yaml")), (typed.to_vec(), None));
        let found = |name| paths(&[], name).0;
        assert_eq!(found(variable("b.yaml")), [PathBuf::from("b.yaml")]);
        assert_eq!(found(variable("")), [PathBuf::from(DEFAULT)]);
        assert_eq!(found(None), [PathBuf::from(DEFAULT)]);
    }
}
