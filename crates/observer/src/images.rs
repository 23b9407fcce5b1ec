//! Images, from their registries.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use imgstack_planner::{Observed, ObservedImage, ObservedTags, RegistryWarning, Trouble};
use imgstack_registry::oci::{self, Client, ErrorKind, Warning};
use imgstack_spec::policy::TagList;
use imgstack_spec::{Digest, Image, ImageName, ImageRef, Stack, Tag, nearest};
use tokio::time::timeout;

/// Questions under way at once; the client holds back where a registry asks it to.
pub(crate) const CONCURRENT: usize = 32;
/// How long the list of tags is waited for: it is worth a hint, not the plan.
const PATIENCE: Duration = Duration::from_secs(5);
/// Tags that are shown when one is missing and none is near.
const TAGS_SHOWN: usize = 6;

/// Asks for the digest of every image of the stack, and for the tags where a
/// policy is to choose.
pub(crate) async fn resolve_all(
    stack: &Stack,
    registry: &Client,
) -> BTreeMap<ImageName, ObservedImage> {
    stream::iter(&stack.images)
        .map(|image| async move {
            let observed = match image.reference() {
                Some(reference) => ObservedImage {
                    digest: resolve(&reference, registry).await,
                    reference,
                    tags: None,
                },
                None => {
                    let tags = list(image, registry).await;
                    ObservedImage {
                        reference: image.anywhere(),
                        digest: Observed::Unknown(not_chosen(&tags)),
                        tags: Some(tags),
                    }
                }
            };
            (image.name.clone(), observed)
        })
        .buffer_unordered(CONCURRENT)
        .collect()
        .await
}

/// Why a policy has chosen no tag as yet.
fn not_chosen(tags: &ObservedTags) -> Trouble {
    match &tags.list {
        TagList::Complete(_) => Trouble::new("no tag is chosen"),
        TagList::Incomplete(why) => Trouble {
            why: why.clone(),
            hint: tags.hint.clone(),
        },
    }
}

/// Where a reference leads.
pub(crate) async fn resolve(reference: &ImageRef, registry: &Client) -> Observed<Digest> {
    match registry.resolve(reference).await {
        Ok(resolved) => Observed::Present(resolved.digest),
        Err(error) => match absent_or_unknown(&error) {
            Observed::Absent(trouble) if error.kind() == ErrorKind::TagNotFound => {
                Observed::Absent(with_tags(trouble, reference, registry).await)
            }
            other => other,
        },
    }
}

/// The tags of an image's repository: all of them, or why not.
async fn list(image: &Image, registry: &Client) -> ObservedTags {
    let (list, hint) = match registry.tags(&image.repository).await {
        Ok(tags) => (TagList::Complete(tags), None),
        Err(error) => (TagList::Incomplete(error.to_string()), Some(error.hint())),
    };
    ObservedTags {
        list,
        hint,
        digests: BTreeMap::new(),
    }
}

/// Only a registry that answered, and knows the repository, can say that
/// something is not there.
fn absent_or_unknown<T>(error: &oci::Error) -> Observed<T> {
    let trouble = trouble(error);
    match error.kind() {
        ErrorKind::TagNotFound | ErrorKind::ManifestDeleted | ErrorKind::RepositoryNotFound => {
            Observed::Absent(trouble)
        }
        _ => Observed::Unknown(trouble),
    }
}

/// Adds the tags that there are: a mistyped tag is best seen beside them. Costs
/// requests, so it is asked for only where a tag is missing.
async fn with_tags(mut trouble: Trouble, asked: &ImageRef, registry: &Client) -> Trouble {
    // Without the list, the hint is what it was.
    let tags = timeout(PATIENCE, registry.tags(&asked.repository)).await;
    let tags = tags.ok().and_then(Result::ok).unwrap_or_default();
    // Signatures and attestations live under tags of that form.
    let tags: Vec<&str> = tags.iter().map(Tag::as_str).collect();
    let tags: Vec<&str> = tags
        .into_iter()
        .filter(|tag| !tag.starts_with("sha256-"))
        .collect();
    let missing = asked.tag.as_ref().map_or("", Tag::as_str);
    let there = match nearest(missing, tags.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if tags.is_empty() => return trouble,
        None => {
            let last = &tags[tags.len().saturating_sub(TAGS_SHOWN)..];
            format!(
                "there are {} tags, among them {}",
                tags.len(),
                last.join(", ")
            )
        }
    };
    let hint = trouble
        .hint
        .map(|hint| format!("; {hint}"))
        .unwrap_or_default();
    trouble.hint = Some(format!("{there}{hint}"));
    trouble
}

pub(crate) fn trouble(error: &oci::Error) -> Trouble {
    Trouble {
        why: error.to_string(),
        hint: Some(error.hint()),
    }
}

/// What worked and still wants attention.
pub(crate) fn warnings(registry: &Client) -> Vec<RegistryWarning> {
    let warnings = registry.warnings();
    let mut warnings: Vec<_> = warnings
        .iter()
        .map(|warning| {
            let (host, refused) = match warning {
                Warning::StaleCredential { repository, .. } => (repository.host(), true),
                Warning::CredentialSource(problem) => (&problem.host, false),
            };
            RegistryWarning {
                host: host.clone(),
                refused,
                trouble: Trouble {
                    why: warning.to_string(),
                    hint: Some(warning.hint()),
                },
            }
        })
        .collect();
    warnings.sort_by(|a, b| (&a.host, &a.trouble.why).cmp(&(&b.host, &b.trouble.why)));
    warnings
}
