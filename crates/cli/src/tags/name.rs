//! What the name of a tag tells: `16-20260209` a day, `16-abc1234` a commit.

use imgstack_spec::Tag;
use jiff::civil::Date;

/// The day that a tag ends with.
pub(super) fn day(tag: &Tag) -> Option<Date> {
    let ending = ending(tag);
    if ending.len() != 8 || !ending.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let year = ending[..4]
        .parse()
        .ok()
        .filter(|year| (2000..2100).contains(year))?;
    let (month, day) = (ending[4..6].parse().ok()?, ending[6..].parse().ok()?);
    Date::new(year, month, day).ok()
}

/// The commit that a tag ends with. Digits alone are one only behind the tag
/// that is followed: elsewhere they may count anything.
pub(super) fn commit(tag: &Tag, follows: Option<&Tag>) -> Option<String> {
    let ending = ending(tag);
    let is_hex = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if !(7..=40).contains(&ending.len()) || !ending.bytes().all(is_hex) || day(tag).is_some() {
        return None;
    }
    let before = tag.as_str().strip_suffix(ending)?.strip_suffix('-');
    let is_own = before.is_some() && before == follows.map(Tag::as_str);
    let has_letter = ending.bytes().any(|b| b.is_ascii_alphabetic());
    (is_own || has_letter).then(|| ending.to_owned())
}

fn ending(tag: &Tag) -> &str {
    let name = tag.as_str();
    name.rsplit_once('-').map_or(name, |(_, ending)| ending)
}

/// Tags, the newest first, as far as that can be told: where the list is in
/// the order of pushes, the last pushed; else the latest day. Tags without a
/// day come after those with one, a greater name first.
pub(super) fn newest_first(mut tags: Vec<Tag>, oldest_first: bool) -> Vec<Tag> {
    if oldest_first {
        tags.reverse();
    } else {
        tags.sort_by(|a, b| (day(b), b).cmp(&(day(a), a)));
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> Tag {
        text.parse().unwrap()
    }

    #[test]
    fn what_a_name_tells() {
        let hash = "0123456789abcdef0123456789abcdef01234567";
        let full = format!("16-{hash}");
        #[rustfmt::skip]
        let table = [
            ("16-20260209", Some("2026-02-09"), None),
            ("20260209", Some("2026-02-09"), None),
            ("16-alpine-20260209", Some("2026-02-09"), None),
            ("16-20261309", None, Some("20261309")),
            ("17-20261309", None, None),
            ("16-18760209", None, Some("18760209")),
            ("16-abc1234", None, Some("abc1234")),
            ("sha-abc1234", None, Some("abc1234")),
            ("abc1234", None, Some("abc1234")),
            ("16-1234567", None, Some("1234567")),
            ("17-1234567", None, None),
            ("1234567", None, None),
            ("16-ABC1234", None, None),
            ("16-abc123", None, None),
            ("16-alpine", None, None),
            ("16", None, None),
            ("16-", None, None),
            (&full, None, Some(hash)),
        ];
        for (name, expected_day, expected_commit) in table {
            let day = day(&tag(name)).map(|day| day.to_string());
            assert_eq!(day.as_deref(), expected_day, "{name}");
            let commit = commit(&tag(name), Some(&tag("16")));
            assert_eq!(commit.as_deref(), expected_commit, "{name}");
        }
    }

    #[test]
    fn in_which_order_tags_are_asked() {
        let list = "16 16-abc1234 16-20260202 16-def5678 16-20260209 latest";
        let sorted = |oldest_first| {
            let tags = list.split(' ').map(tag).collect();
            let sorted = newest_first(tags, oldest_first);
            let names: Vec<&str> = sorted.iter().map(Tag::as_str).collect();
            names.join(" ")
        };
        assert_eq!(
            sorted(true),
            "latest 16-20260209 16-def5678 16-20260202 16-abc1234 16"
        );
        assert_eq!(
            sorted(false),
            "16-20260209 16-20260202 latest 16-def5678 16-abc1234 16"
        );
    }
}
