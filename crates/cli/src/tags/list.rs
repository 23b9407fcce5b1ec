//! Builds by the registry's list of tags, and where each tag leads.
//!
//! A HEAD tells a digest and no date, so that no more tags are asked for than
//! are shown: those that the spec names, and the newest, until there are builds
//! enough.

use futures_util::stream::{self, StreamExt as _};
use imgstack_planner::Known;
use imgstack_registry::github::Package;
use imgstack_registry::oci::{self, ErrorKind, Resolved};
use imgstack_spec::{Digest, ImageRef, Tag};

use super::{CONCURRENT, Found, Inquiry, Listing, More, Unread, name, trouble};

/// Tags of one build that are asked for, on average and at most: many tags may
/// lead to few builds.
const TAGS_PER_BUILD: usize = 4;

/// A list that was cut short is none.
pub(super) async fn list(inquiry: &Inquiry<'_>) -> Known<Listing> {
    let repository = &inquiry.image.repository;
    let tags = match inquiry.registry.tags(repository).await {
        Ok(tags) => tags.into_iter(),
        Err(error) => return Known::Unknown(trouble(&error)),
    };
    let tags = tags.filter(|tag| inquiry.wish.all || !tag.is_of_referrers());
    // GHCR lists tags as they were first pushed, other registries by name.
    let oldest_first = Package::of(repository).is_some();
    let order = name::newest_first(tags.collect(), oldest_first);
    let mut asking = Asking::of(inquiry, &order);
    asking.run().await;
    Known::Known(asking.listing(&order))
}

struct Asking<'a> {
    inquiry: &'a Inquiry<'a>,
    /// Tags that are to be asked for, in that order.
    rest: Vec<Tag>,
    asked: usize,
    builds: Vec<(Digest, Vec<Tag>)>,
    /// The first tag of a build too many.
    from: Option<Tag>,
    unread: Option<Unread>,
    dangling: Vec<Tag>,
}

impl<'a> Asking<'a> {
    fn of(inquiry: &'a Inquiry<'a>, order: &[Tag]) -> Self {
        let mut rest: Vec<Tag> = Vec::with_capacity(order.len());
        let named = inquiry.marks.tags().filter(|tag| order.contains(tag));
        rest.extend(named.cloned());
        // A pin may hold the very tag that is followed.
        rest.dedup();
        let others = order.iter().filter(|tag| !rest.contains(tag)).cloned();
        let others: Vec<Tag> = others.collect();
        rest.extend(others);
        Self {
            inquiry,
            rest,
            asked: 0,
            builds: Vec::new(),
            from: None,
            unread: None,
            dangling: Vec::new(),
        }
    }

    /// At no time are more asked for than there is room for builds. With the
    /// last build there, its other tags are looked for one by one, up to the
    /// first that leads elsewhere.
    async fn run(&mut self) {
        let limit = self.inquiry.wish.limit;
        let most = limit.map_or(usize::MAX, |limit| limit.saturating_mul(TAGS_PER_BUILD));
        while !self.rest.is_empty() && self.from.is_none() && self.unread.is_none() {
            if self.asked >= most {
                self.from = self.rest.first().cloned();
                return;
            }
            let room = limit.map_or(CONCURRENT, |limit| limit.saturating_sub(self.counted()));
            let width = room.clamp(1, CONCURRENT).min(self.rest.len());
            let batch: Vec<Tag> = self.rest.drain(..width).collect();
            self.asked += width;
            for (tag, answer) in self.ask(batch).await {
                let has_room = room > 0 || self.is_pin(&tag);
                self.take(tag, answer, has_room);
            }
        }
    }

    /// Builds that take a place: one that is there for its pin alone does not.
    fn counted(&self) -> usize {
        let builds = self.builds.iter();
        let is_counted = |tags: &[Tag]| tags.iter().any(|tag| !self.is_pin(tag));
        builds.filter(|(_, tags)| is_counted(tags)).count()
    }

    fn is_pin(&self, tag: &Tag) -> bool {
        let Inquiry { marks, .. } = self.inquiry;
        let is_followed = marks.follows.as_ref() == Some(tag);
        !is_followed && marks.tags().any(|named| named == tag)
    }

    async fn ask(&self, tags: Vec<Tag>) -> Vec<(Tag, Result<Resolved, oci::Error>)> {
        let Inquiry {
            registry, image, ..
        } = self.inquiry;
        let answers = stream::iter(tags).map(|tag| async move {
            let reference = ImageRef {
                repository: image.repository.clone(),
                tag: Some(tag.clone()),
                digest: None,
            };
            let answer = registry.resolve(&reference).await;
            (tag, answer)
        });
        answers.buffered(CONCURRENT).collect().await
    }

    fn take(&mut self, tag: Tag, answer: Result<Resolved, oci::Error>, room: bool) {
        let digest = match answer {
            Ok(resolved) => resolved.digest,
            Err(error) => return self.refused(tag, &error),
        };
        match self.builds.iter_mut().find(|(known, _)| *known == digest) {
            Some((_, tags)) => tags.push(tag),
            None if room => self.builds.push((digest, vec![tag])),
            None => self.from = Some(tag),
        }
    }

    /// Only a registry that answered can say that a tag leads to nothing. Of
    /// one that does not answer, no more is asked.
    fn refused(&mut self, tag: Tag, error: &oci::Error) {
        match error.kind() {
            ErrorKind::TagNotFound | ErrorKind::ManifestDeleted => self.dangling.push(tag),
            _ if self.unread.is_none() => {
                let trouble = trouble(error);
                self.unread = Some(Unread { tag, trouble });
            }
            _ => {}
        }
    }

    fn listing(mut self, order: &[Tag]) -> Listing {
        let marks = &self.inquiry.marks;
        // A tag that moves says nothing of when its build was pushed.
        let moves = |tag: &Tag| marks.follows.as_ref() == Some(tag);
        let place = |tag: &Tag| order.iter().position(|it| it == tag);
        let newest = |tags: &[Tag]| {
            tags.iter()
                .filter(|tag| !moves(tag))
                .filter_map(place)
                .min()
        };
        self.builds.sort_by_cached_key(|(_, tags)| newest(tags));
        let peeked = self.from.as_ref().filter(|from| !self.rest.contains(from));
        let left = self.rest.len() + usize::from(peeked.is_some());
        let found = self.builds.into_iter().map(|(digest, tags)| Found {
            digest,
            tags,
            pushed_at: None,
        });
        Listing {
            found: found.collect(),
            whole: left == 0 && self.unread.is_none(),
            more: (left > 0).then(|| More {
                tags: Some(left),
                from: self.from.or_else(|| self.rest.into_iter().next()),
                ..More::default()
            }),
            unread: self.unread,
            dangling: self.dangling,
        }
    }
}
