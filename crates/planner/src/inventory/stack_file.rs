//! Stack files, as far as a plan looks at them.

use imgstack_spec::ImageRef;
use serde::{Deserialize, Serialize};

/// The image of a service in its stack file. Nothing else of the file is
/// observed: stack files hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackFileImage {
    /// What is deployed while no variable in it is set. None: one of them has
    /// no default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRef>,
    /// The names of the variables in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
}
