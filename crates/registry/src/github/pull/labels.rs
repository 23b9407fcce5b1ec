//! Labels: given and taken away, one request for all that are given and one for
//! each that goes.
//!
//! Both lead to the same however often they are asked for. A label that the
//! repository does not have is made by giving it, which takes a permission more.

use reqwest::{Method, StatusCode};
use serde_json::json;

use super::PullRequest;
use crate::github::api::refusal;
use crate::github::error::Error;
use crate::github::wanted::Wanted;

impl PullRequest {
    /// Gives it labels, beside those that it has.
    ///
    /// # Errors
    /// Any of [`Error`] but those about workflows and packages.
    pub async fn add_labels(&self, labels: &[&str]) -> Result<(), Error> {
        let wanted = Wanted::Labels(self.id.clone());
        let url = self.issue(&["labels"], &[])?;
        let body = json!({"labels": labels}).to_string();
        let question = self.write(&wanted, Method::POST, url, Some(body));
        self.client.0.api.ask(&question).await.map(|_| ())
    }

    /// Takes a label away; one that it does not have is as good.
    ///
    /// # Errors
    /// Any of [`Error`] but those about workflows and packages.
    pub async fn remove_label(&self, label: &str) -> Result<(), Error> {
        let wanted = Wanted::Labels(self.id.clone());
        let url = self.issue(&["labels", label], &[])?;
        let question = self.write(&wanted, Method::DELETE, url, None);
        let reply = self.client.0.api.send(&question).await??;
        match reply.status {
            status if status.is_success() => Ok(()),
            StatusCode::NOT_FOUND => Ok(()),
            _ => Err(refusal(&wanted, &self.token, &reply)),
        }
    }
}
