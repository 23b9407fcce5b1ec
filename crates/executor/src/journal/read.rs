//! The journal of a stack.

use imgstack_spec::{ServiceName, StackName};
use imgstack_swarm::{Config, ConfigId, Error, Manager, PreviousSpec};

use super::page::{self, LABEL};
use super::release::Release;
use crate::stack_key;

/// The releases of a stack that are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Journal {
    releases: Vec<Release>,
    unreadable: Vec<Unreadable>,
    /// All pages with their numbers, the newest first.
    pub(super) pages: Vec<(u64, ConfigId)>,
}

/// A page that cannot be read: one of a later version, or spoilt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Its number.
    pub number: u64,
    /// Why.
    pub why: String,
}

impl Journal {
    /// Reads the journal of a stack: one request, all pages in its answer.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn read(manager: &Manager, stack: &StackName) -> Result<Self, Error> {
        let configs = manager.configs_labelled(LABEL, &stack_key(stack)).await?;
        Ok(Self::of(stack, &configs))
    }

    fn of(stack: &StackName, configs: &[Config]) -> Self {
        let mut found: Vec<(u64, &Config)> = configs
            .iter()
            .filter_map(|config| Some((page::number(stack, &config.name)?, config)))
            .collect();
        found.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
        let mut journal = Self::default();
        for (number, config) in found {
            journal.pages.push((number, config.id.clone()));
            match page::read(number, config) {
                Ok(release) => journal.releases.push(release),
                Err(unreadable) => journal.unreadable.push(unreadable),
            }
        }
        journal
    }

    /// A journal of these releases, the newest first.
    #[cfg(test)]
    pub(super) fn with(releases: Vec<Release>) -> Self {
        Self {
            releases,
            ..Self::default()
        }
    }

    /// The releases, the newest first.
    #[must_use]
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// Pages that cannot be read, the newest first.
    #[must_use]
    pub fn unreadable(&self) -> &[Unreadable] {
        &self.unreadable
    }

    /// The release of that number.
    #[must_use]
    pub fn release(&self, number: u64) -> Option<&Release> {
        let mut releases = self.releases.iter();
        releases.find(|release| release.begun.number == number)
    }

    /// A service as it was before the last release that was to change it.
    #[must_use]
    pub fn previous_spec(&self, service: &ServiceName) -> Option<&PreviousSpec> {
        let mut releases = self.releases.iter();
        releases.find_map(|release| release.begun.previous.get(service))
    }

    /// The number of the next release.
    pub(super) fn next(&self) -> u64 {
        self.pages.first().map_or(1, |(number, _)| number + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::super::page::tests::begun;
    use super::*;

    fn page(number: u64, data: Vec<u8>) -> Config {
        Config {
            id: ConfigId::new(format!("id-{number}")),
            version: 1,
            name: format!("imgstack.release.shop.{number}"),
            labels: std::collections::BTreeMap::new(),
            data,
        }
    }

    fn of(number: u64) -> Vec<u8> {
        let begun = super::super::release::Begun { number, ..begun(1) };
        page::data(&begun).unwrap()
    }

    #[test]
    fn the_newest_comes_first_and_a_spoilt_page_keeps_its_number() {
        let stack = "shop".parse().unwrap();
        let other = Config {
            name: "imgstack.release.shop.x".to_owned(),
            ..page(3, of(3))
        };
        let pages = [
            page(9, of(9)),
            page(11, b"?".to_vec()),
            page(10, of(10)),
            other,
        ];
        let journal = Journal::of(&stack, &pages);
        let numbers: Vec<u64> = journal.releases.iter().map(|it| it.begun.number).collect();
        assert_eq!(numbers, [10, 9]);
        assert_eq!(journal.unreadable[0].number, 11);
        assert_eq!(journal.next(), 12);
        assert_eq!(Journal::default().next(), 1);
        assert!(journal.release(9).is_some() && journal.release(11).is_none());
        let web = "web-0".parse().unwrap();
        assert!(journal.previous_spec(&web).is_some());
        assert!(journal.previous_spec(&"other".parse().unwrap()).is_none());
    }
}
