//! The builds of an image, the newest first, and where each of them runs.
//!
//! Two can tell which builds there are. GitHub, of a package of its own: digests
//! with their tags and when each was pushed, a hundred versions a request
//! (`package`). Or the registry: its list of tags, and then where each tag leads,
//! one HEAD a tag (`list`); so only tags that are shown are asked for, and in
//! which order is chosen by what names and the list itself tell (`name`). More
//! than that (platforms, labels, the base) is asked for when it is wanted alone
//! (`detail`), since it takes some requests for each build.
//!
//! Where builds run is the Swarm's to tell, and which failed or were good its
//! journal's (`remembered`); without them the list is what it is. Deliberately absent: any judgement of what should run; that is a plan's.

mod detail;
mod list;
mod name;
mod package;
mod remembered;

use std::collections::BTreeSet;

use imgstack_observer::{RunningTask, running};
use imgstack_planner::{History, Known, Trouble, UnreadRelease};
use imgstack_registry::oci::{self, Client};
use imgstack_spec::{
    Digest, Follow, Image, ImageName, ImageRef, NodeName, Pin, Repository, Stack, Tag,
};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;

pub(crate) use detail::Details;
pub(crate) use remembered::Remembered;

use crate::world;

/// Builds that are shown when nobody says how many.
pub(crate) const SHOWN: usize = 20;
/// Questions to a registry under way at once.
const CONCURRENT: usize = 16;

/// What is to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish {
    /// Also what is hidden from people otherwise.
    pub(crate) all: bool,
    /// The most builds. None: all of them.
    pub(crate) limit: Option<usize>,
    /// Also what takes requests for each build.
    pub(crate) details: bool,
    /// Also what the journal knows of builds.
    pub(crate) journal: bool,
}

/// The builds of an image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overview {
    pub(crate) name: ImageName,
    pub(crate) repository: Repository,
    /// Which builds services run.
    pub(crate) follow: Follow,
    /// The build that is held, whatever is followed.
    pub(crate) pin: Option<Pin>,
    /// Who told of the builds.
    pub(crate) source: Source,
    /// Why that is not GitHub, where the package is one of GitHub's.
    pub(crate) without_github: Option<Trouble>,
    /// The newest first. Unknown: there is no list, or none that is whole.
    pub(crate) builds: Known<Vec<Row>>,
    /// What there is beside.
    pub(crate) more: Option<More>,
    /// The tag at which the registry answered no more.
    pub(crate) unread: Option<Unread>,
    /// Tags of the list that lead to nothing.
    pub(crate) dangling: Vec<Tag>,
    /// Why it is not known what runs.
    pub(crate) running_unknown: Option<Trouble>,
    /// Why it is not known which builds failed or were good.
    pub(crate) journal_unknown: Option<Trouble>,
    /// Releases of the journal that cannot be read.
    pub(crate) unread_releases: Vec<UnreadRelease>,
    /// Tasks of the image's services that run none of those builds: another
    /// repository's, or a tag alone.
    pub(crate) other_tasks: Vec<Run>,
    /// What worked at the registry and still wants attention.
    pub(crate) warnings: Vec<Trouble>,
}

/// Who tells of builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Source {
    #[serde(rename = "github")]
    GitHub,
    Registry,
}

/// One build.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Row {
    pub(crate) digest: Digest,
    /// The tags that lead to it, as far as they were asked for.
    pub(crate) tags: Vec<Tag>,
    pub(crate) standing: Standing,
    /// The tag that is followed leads to it.
    pub(crate) followed: bool,
    /// The spec holds it.
    pub(crate) pinned: bool,
    /// When it was pushed, which GitHub alone tells.
    pub(crate) pushed_at: Option<Timestamp>,
    /// The day in one of its tags.
    pub(crate) day: Option<Date>,
    /// The commit in one of its tags, else that of its label if it was asked for.
    pub(crate) commit: Option<String>,
    /// The tasks that are meant to run it. None: not known.
    pub(crate) runs: Option<Vec<Run>>,
    /// What the journal knows of it. None: not known.
    pub(crate) journal: Option<Remembered>,
    /// None: not asked for.
    pub(crate) details: Option<Known<Details>>,
}

/// Whether a build is in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Standing {
    /// It is.
    Listed,
    /// It runs or is pinned, and is not in what was read of the list.
    NotRead,
    /// It runs or is pinned, and the list, which was read whole, does not have
    /// it.
    Gone,
}

/// A task that is meant to run.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Run {
    pub(crate) service: String,
    pub(crate) node: Option<NodeName>,
    /// As the Swarm has it, with the digest.
    pub(crate) image: String,
    pub(crate) state: String,
    /// Runs, on a node that the managers hear.
    pub(crate) running: bool,
}

/// What is not shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct More {
    /// So many builds, where that is known.
    pub(crate) builds: Option<usize>,
    /// So many tags, which lead to builds that are shown or to others.
    pub(crate) tags: Option<usize>,
    /// The first of those tags.
    pub(crate) from: Option<Tag>,
}

/// Where a tag leads could not be asked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Unread {
    pub(crate) tag: Tag,
    pub(crate) trouble: Trouble,
}

/// What a source tells.
#[derive(Default)]
struct Listing {
    /// The newest first.
    found: Vec<Found>,
    /// Whether nothing was left out.
    whole: bool,
    more: Option<More>,
    unread: Option<Unread>,
    dangling: Vec<Tag>,
}

/// A build, as a source tells of it.
struct Found {
    digest: Digest,
    tags: Vec<Tag>,
    pushed_at: Option<Timestamp>,
}

/// What the spec says of an image's builds.
struct Marks {
    /// None: a policy chooses among tags.
    follows: Option<Tag>,
    pin: Option<Pin>,
}

impl Overview {
    /// Whether the builds were read, as far as they were asked for. What runs is
    /// the Swarm's to tell, and no part of the list.
    pub(crate) fn is_read(&self) -> bool {
        matches!(self.builds, Known::Known(_)) && self.unread.is_none()
    }

    fn remember(&mut self, history: Known<History>, stack: &Stack, image: &Image) {
        let history = match history {
            Known::Known(history) => history,
            Known::Unknown(trouble) => {
                self.journal_unknown = Some(trouble);
                return;
            }
        };
        if let Known::Known(rows) = &mut self.builds {
            for row in rows {
                row.journal = Some(Remembered::of(&history, stack, image, &row.digest));
            }
        }
        self.unread_releases = history.unreadable;
    }

    /// Whether the spec names a tag, as the one to follow or as a pin.
    pub(crate) fn marks(&self, tag: &Tag) -> (bool, bool) {
        let followed = matches!(&self.follow, Follow::Tag(followed) if followed == tag);
        let pinned = matches!(&self.pin, Some(Pin::Tag(pinned)) if pinned == tag);
        (followed, pinned)
    }
}

impl Marks {
    fn of(image: &Image) -> Self {
        Self {
            follows: image.tag().cloned(),
            pin: image.pin.clone(),
        }
    }

    /// The tags that are worth knowing before all others.
    fn tags(&self) -> impl Iterator<Item = &Tag> {
        let pinned = match &self.pin {
            Some(Pin::Tag(tag)) => Some(tag),
            Some(Pin::Digest(_)) | None => None,
        };
        self.follows.iter().chain(pinned)
    }

    fn is_followed(&self, tags: &[Tag]) -> bool {
        self.follows.as_ref().is_some_and(|tag| tags.contains(tag))
    }

    fn is_pinned(&self, digest: &Digest, tags: &[Tag]) -> bool {
        match &self.pin {
            Some(Pin::Tag(tag)) => tags.contains(tag),
            Some(Pin::Digest(pinned)) => pinned == digest,
            None => false,
        }
    }
}

/// The question: of which image, asked of whom.
struct Inquiry<'a> {
    image: &'a Image,
    registry: &'a Client,
    marks: Marks,
    wish: Wish,
    /// Builds that are shown wherever they are in the list.
    needed: BTreeSet<Digest>,
}

/// Looks at the Swarm, which takes three requests, and one for its journal; then
/// at the builds.
pub(crate) async fn look(stack: &Stack, image: &Image, registry: &Client, wish: Wish) -> Overview {
    let manager = world::manager(stack).await;
    let (runs, history) = tokio::join!(
        running(stack, image, manager.as_ref()),
        world::history(stack, manager.as_ref(), wish.journal),
    );
    let (identified, other_tasks, running_unknown) = match runs {
        Ok(tasks) => {
            let (identified, others) = by_build(image, tasks);
            (Some(identified), others, None)
        }
        Err(trouble) => (None, Vec::new(), Some(trouble)),
    };
    let marks = Marks::of(image);
    let pinned = match &marks.pin {
        Some(Pin::Digest(digest)) => Some(digest.clone()),
        Some(Pin::Tag(_)) | None => None,
    };
    let running = identified
        .iter()
        .flatten()
        .map(|(digest, _)| digest.clone());
    let inquiry = Inquiry {
        image,
        registry,
        needed: running.chain(pinned).collect(),
        marks,
        wish,
    };
    let (source, without_github, listing) = inquiry.list().await;
    let mut overview = Overview {
        name: image.name.clone(),
        repository: image.repository.clone(),
        follow: image.follow.clone(),
        pin: image.pin.clone(),
        source,
        without_github,
        builds: Known::Known(Vec::new()),
        more: None,
        unread: None,
        dangling: Vec::new(),
        running_unknown,
        journal_unknown: None,
        unread_releases: Vec::new(),
        other_tasks,
        warnings: Vec::new(),
    };
    match listing {
        Known::Known(listing) => {
            let rows = inquiry.rows(&listing, source, identified.as_deref()).await;
            overview.builds = Known::Known(rows);
            overview.more = listing.more;
            overview.unread = listing.unread;
            overview.dangling = listing.dangling;
        }
        // What runs is known all the same.
        Known::Unknown(trouble) => {
            overview.builds = Known::Unknown(trouble);
            let runs = identified.into_iter().flatten().map(|(_, run)| run);
            overview.other_tasks.extend(runs);
        }
    }
    overview.remember(history, stack, image);
    let warnings = registry.warnings();
    let warnings = warnings.iter().map(|warning| Trouble {
        why: warning.to_string(),
        hint: Some(warning.hint()),
    });
    overview.warnings = warnings.collect();
    overview
}

impl Inquiry<'_> {
    /// GitHub, where it can tell; else the registry.
    async fn list(&self) -> (Source, Option<Trouble>, Known<Listing>) {
        let refused = match package::list(self).await {
            Some(Ok(listing)) => return (Source::GitHub, None, Known::Known(listing)),
            Some(Err(trouble)) => Some(trouble),
            None => None,
        };
        (Source::Registry, refused, list::list(self).await)
    }

    async fn rows(
        &self,
        listing: &Listing,
        source: Source,
        identified: Option<&[(Digest, Run)]>,
    ) -> Vec<Row> {
        let mut rows: Vec<Row> = listing.found.iter().map(|it| self.row(it)).collect();
        for digest in &self.needed {
            if rows.iter().all(|row| row.digest != *digest) {
                let found = Found {
                    digest: digest.clone(),
                    tags: Vec::new(),
                    pushed_at: None,
                };
                // A registry's list holds no build that has no tag.
                let standing = match (source, listing.whole) {
                    (Source::GitHub, true) => Standing::Gone,
                    (Source::GitHub, false) | (Source::Registry, _) => Standing::NotRead,
                };
                rows.push(Row {
                    standing,
                    ..self.row(&found)
                });
            }
        }
        for row in &mut rows {
            row.runs = identified.map(|all| {
                let own = all.iter().filter(|(digest, _)| *digest == row.digest);
                own.map(|(_, run)| run.clone()).collect()
            });
        }
        if self.wish.details {
            detail::add(self, &mut rows).await;
            if source == Source::Registry {
                detail::sort(&mut rows);
            }
        }
        rows
    }

    fn row(&self, found: &Found) -> Row {
        let Found { digest, tags, .. } = found;
        let follows = self.marks.follows.as_ref();
        Row {
            digest: digest.clone(),
            tags: tags.clone(),
            standing: Standing::Listed,
            followed: self.marks.is_followed(tags),
            pinned: self.marks.is_pinned(digest, tags),
            pushed_at: found.pushed_at,
            day: tags.iter().find_map(name::day),
            commit: tags.iter().find_map(|tag| name::commit(tag, follows)),
            runs: None,
            journal: None,
            details: None,
        }
    }
}

/// The tasks whose build is known and is one of the image, and the others.
fn by_build(image: &Image, tasks: Vec<RunningTask>) -> (Vec<(Digest, Run)>, Vec<Run>) {
    let (mut identified, mut others) = (Vec::new(), Vec::new());
    for RunningTask { service, task } in tasks {
        let reference: Option<ImageRef> = task.image.parse().ok();
        let own = reference.filter(|it| it.repository == image.repository);
        let run = Run {
            service,
            node: task.node,
            image: task.image,
            state: task.state,
            running: task.running,
        };
        match own.and_then(|it| it.digest) {
            Some(digest) => identified.push((digest, run)),
            None => others.push(run),
        }
    }
    (identified, others)
}

fn trouble(error: &oci::Error) -> Trouble {
    Trouble {
        why: error.to_string(),
        hint: Some(error.hint()),
    }
}
