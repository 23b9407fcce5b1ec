//! Random files in every style, and random edits: everything but what was meant
//! stays byte for byte, and the result reads as it was meant.
//!
//! The texts are written by a maker that knows where it has put what (`spec`,
//! `stack`), so that an edit is held against the maker's knowledge, not the
//! editor's.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::collections::BTreeSet;

use imgstack_spec::edit::{Edit, EditError, set_pin, set_stack_images, stack_image};
use imgstack_spec::{ImageRef, Input, Pin, StackSet, read};
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use draw::{Draw, Style, damage};
use spec::{Image, PINS, Spec, spec, spelt};
use stack::{StackFile, stack_file};

mod draw;
mod spec;
mod stack;

fn model(text: &str) -> StackSet {
    read(&[Input::new("imgstack.yaml", text)]).unwrap_or_else(|told| {
        let told: Vec<_> = told
            .iter()
            .map(|it| format!("{}: {it}", it.line().unwrap_or(0)))
            .collect();
        panic!("{}\n{text}\n{text:?}", told.join("\n"))
    })
}

fn pin(text: &str) -> Pin {
    match text.contains(':') {
        true => Pin::Digest(text.parse().unwrap()),
        false => Pin::Tag(text.parse().unwrap()),
    }
}

/// The words that YAML takes for text without quotes.
fn is_plain(text: &str) -> bool {
    ["16-abc1234", "v3"].contains(&text) || text.contains(':')
}

/// What the set is meant to be after an edit.
fn with_pin(before: &StackSet, image: &Image, pin: Option<&Pin>) -> StackSet {
    let mut set = before.clone();
    let images = set.stacks.iter_mut().flat_map(|stack| &mut stack.images);
    let mut images = images.filter(|it| it.name == image.name);
    images.next().unwrap().pin = pin.cloned();
    set
}

/// The comments that are still there, in order.
fn comments<'c>(text: &str, comments: &'c [String]) -> Vec<&'c String> {
    let mut from = 0;
    let mut left = Vec::new();
    for comment in comments {
        if let Some(at) = text[from..].find(comment.as_str()) {
            from += at + comment.len();
            left.push(comment);
        }
    }
    left
}

fn line_end(text: &str, at: usize) -> usize {
    text[at..]
        .find(['\r', '\n'])
        .map_or(text.len(), |end| at + end)
}

/// What an edit has to have made of the text; None when only its meaning and
/// its surroundings are known.
fn expected(spec: &Spec, image: &Image, wanted: &str) -> Option<String> {
    let text = &spec.text;
    if let Some(pin) = &image.pin {
        let new = spelt(wanted, pin, is_plain(wanted));
        return Some([&text[..pin.bytes.start], &new, &text[pin.bytes.end..]].concat());
    }
    let (Some(column), Some(tag)) = (image.column, &image.tag) else {
        return None;
    };
    let end = line_end(text, tag.bytes.end);
    let line_break = if text.contains("\r\n") { "\r\n" } else { "\n" };
    // The style of the key is the editor's choice.
    let key = text[..tag.bytes.start].rfind("tag").unwrap();
    let quote = match &text[key - 1..key] {
        quote @ ("'" | "\"") => quote,
        _ => "",
    };
    let value = match (quote, is_plain(wanted)) {
        ("", true) => wanted.to_owned(),
        ("", false) => format!("\"{wanted}\""),
        (quote, _) => format!("{quote}{wanted}{quote}"),
    };
    let line = format!(
        "{line_break}{}{quote}pin{quote}: {value}",
        " ".repeat(column)
    );
    Some([&text[..end], &line, &text[end..]].concat())
}

fn check_set(spec: &Spec, image: &Image, wanted: &str, edit: &Edit) {
    let before = model(&spec.text);
    let meant = with_pin(&before, image, Some(&pin(wanted)));
    assert_eq!(model(edit.text()), meant, "{}\n{}", spec.text, edit.text());
    assert_eq!(
        comments(edit.text(), &spec.comments).len(),
        spec.comments.len()
    );
    assert_eq!(edit.diff("a.yaml").is_empty(), edit.is_empty());
    if edit.is_empty() {
        assert_eq!(edit.text(), spec.text);
        assert_eq!(meant, before);
    } else if let Some(expected) = expected(spec, image, wanted) {
        assert_eq!(edit.text(), expected, "{}", spec.text);
    }
    let set = |pin: Option<&Pin>| set_pin(edit.text(), &image.stack, &image.name, pin);
    assert!(set(Some(&pin(wanted))).unwrap().is_empty());
    if image.pin.is_none() && !edit.is_empty() {
        let back = set(None).unwrap();
        assert_eq!(back.text(), spec.text, "{}", edit.text());
    }
}

fn check_unset(spec: &Spec, image: &Image, edit: &Edit) {
    let before = model(&spec.text);
    let meant = with_pin(&before, image, None);
    assert_eq!(model(edit.text()), meant, "{}\n{}", spec.text, edit.text());
    let Some(scalar) = &image.pin else {
        return assert_eq!(edit.text(), spec.text);
    };
    // What has gone is one part of the text, and the pin is in it.
    let change = &edit.changes()[0].before.bytes;
    let gone = spec.text.len() - edit.text().len();
    let text = &spec.text;
    let same = |start: &usize| {
        text.get(..*start) == edit.text().get(..*start)
            && text.get(start + gone..) == edit.text().get(*start..)
    };
    let start = (0..=change.start)
        .rev()
        .filter(|at| text.is_char_boundary(*at))
        .find(same);
    let start = start.unwrap_or_else(|| panic!("{text}\n{}", edit.text()));
    assert!(start <= scalar.bytes.start && scalar.bytes.end <= start + gone);
    // With it have gone its key, at most one comma, and the comments that begin
    // in its lines behind the key.
    let key = text[start..scalar.bytes.start].find("pin").unwrap() + start;
    let own = line_end(text, scalar.bytes.end).min(start + gone);
    let others = [&text[start..key], &text[own..start + gone]];
    assert!(!others.concat().contains('#'), "{text}\n{}", edit.text());
    let mut part = text[start..start + gone].to_owned();
    for comment in &spec.comments {
        part = part.replacen(comment.as_str(), "", 1);
    }
    let letters: String = part.chars().filter(|c| !c.is_whitespace()).collect();
    let letters = letters.trim_matches(',').trim_start_matches(['\'', '"']);
    assert!(letters.starts_with("pin"), "{part:?}");
    let value: String = text[scalar.bytes.clone()].split_whitespace().collect();
    assert!(letters.ends_with(&value), "{part:?}");
    assert!(
        letters.len() <= value.len() + "pin':&a99!!str|-".len() + 2,
        "{part:?}"
    );
}

/// How many edits were made and how many refused: a test in which all are
/// refused tells nothing.
#[derive(Default)]
struct Tally {
    made: Cell<usize>,
    refused: Cell<usize>,
}

impl Tally {
    /// Runs the cases, each with the numbers of a file and of an edit. A case
    /// says whether the edit was made.
    fn of(cases: u32, case: impl Fn(Vec<u16>, Draw) -> bool) -> Self {
        let numbers = || prop::collection::vec(any::<u16>(), 0..300);
        let tally = Self::default();
        let mut runner = TestRunner::new(ProptestConfig {
            failure_persistence: None,
            ..ProptestConfig::with_cases(cases)
        });
        let run = runner.run(&(numbers(), numbers()), |(file, edit)| {
            let count = match case(file, Draw::new(edit)) {
                true => &tally.made,
                false => &tally.refused,
            };
            count.set(count.get() + 1);
            Ok(())
        });
        match run {
            Ok(()) => {}
            // The numbers say nothing; the messages show the files.
            Err(TestError::Fail(why, _)) => panic!("{why}"),
            Err(error) => panic!("{error}"),
        }
        tally
    }
}

#[test]
fn a_pin_is_set_and_nothing_else() {
    let tally = Tally::of(1500, |file, mut draw| {
        let spec = spec(file);
        let image = &spec.images[draw.below(spec.images.len())];
        let wanted = draw.pick(&PINS);
        let made = set_pin(&spec.text, &image.stack, &image.name, Some(&pin(wanted)));
        match made {
            Ok(edit) => {
                check_set(&spec, image, wanted, &edit);
                true
            }
            Err(error) => {
                assert!(image.entangled, "{error:?}\n{}", spec.text);
                false
            }
        }
    });
    assert!(
        tally.refused.get() * 5 < tally.made.get(),
        "{} refused",
        tally.refused.get()
    );
    assert!(tally.refused.get() > 10);
}

#[test]
fn a_pin_is_removed_and_nothing_else() {
    let in_the_way = Cell::new(0);
    let tally = Tally::of(1500, |file, mut draw| {
        let spec = spec(file);
        let image = &spec.images[draw.below(spec.images.len())];
        match set_pin(&spec.text, &image.stack, &image.name, None) {
            Ok(edit) => {
                check_unset(&spec, image, &edit);
                true
            }
            Err(EditError::NoSafePlace { .. }) if !image.entangled => {
                // A comment that would have to go as well. Few are.
                in_the_way.set(in_the_way.get() + 1);
                false
            }
            Err(error) => {
                assert!(image.entangled, "{error:?}\n{}", spec.text);
                false
            }
        }
    });
    let (made, refused) = (tally.made.get(), tally.refused.get());
    assert!(refused * 5 < made, "{refused} refused");
    assert!(
        in_the_way.get() * 50 < made,
        "{} in the way",
        in_the_way.get()
    );
}

const WANTED: [&str; 5] = [
    "ghcr.io/acme/web:2",
    "postgres:17",
    "ghcr.io/acme/web:1@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "[::1]:5000/x:1",
    "localhost:5000/x:1.3",
];

fn suffix(image: &ImageRef) -> String {
    image.to_string()[image.repository.to_string().len()..].to_owned()
}

/// The text that a place has to have.
fn new_text(old: &str, wanted: &ImageRef) -> Option<String> {
    let suffix = suffix(wanted);
    if old.starts_with('$') {
        let fits = wanted.repository.to_string().ends_with("/acme/web");
        return fits.then(|| format!("$REGISTRY/acme/web{suffix}"));
    }
    let same = old.parse::<ImageRef>().unwrap().repository == wanted.repository;
    Some(match old.strip_prefix("index.docker.io/library/postgres") {
        Some(_) if same => format!("index.docker.io/library/postgres{suffix}"),
        _ => wanted.familiar(),
    })
}

fn check_stack(file: &StackFile, asked: &BTreeSet<&str>, wanted: &ImageRef, edit: &Edit) {
    let places: BTreeSet<usize> = asked.iter().map(|name| file.services[*name]).collect();
    let mut expected = file.text.clone();
    let mut by_start: Vec<_> = places.iter().map(|at| &file.places[*at]).collect();
    by_start.sort_by_key(|(_, scalar)| std::cmp::Reverse(scalar.bytes.start));
    for (old, scalar) in by_start {
        let new = new_text(old, wanted).unwrap();
        if new != *old {
            let new = match new.starts_with('[') && scalar.style == Style::Plain {
                true => format!("\"{new}\""),
                false => spelt(&new, scalar, true),
            };
            expected.replace_range(scalar.bytes.clone(), &new);
        }
    }
    assert_eq!(edit.text(), expected, "{}", file.text);
    assert_eq!(edit.diff("a.yml").is_empty(), edit.is_empty());
    assert_eq!(
        comments(edit.text(), &file.comments).len(),
        file.comments.len()
    );
    for (service, place) in &file.services {
        let old = &file.places[*place].0;
        let text = match places.contains(place) {
            true => new_text(old, wanted).unwrap(),
            false => old.clone(),
        };
        assert_eq!(
            stack_image(edit.text(), service).unwrap().text,
            text,
            "{}",
            edit.text()
        );
    }
}

/// Whether the edit has to be made: nobody else has the images that change.
fn is_safe(file: &StackFile, asked: &BTreeSet<&str>, wanted: &ImageRef) -> bool {
    asked.iter().all(|name| {
        let place = file.services[*name];
        let old = &file.places[place].0;
        let Some(new) = new_text(old, wanted) else {
            return false;
        };
        let alone = file
            .services
            .iter()
            .all(|(other, at)| *at != place || asked.contains(other.as_str()));
        new == *old || alone && !file.foreign.contains(&place)
    })
}

#[test]
fn an_image_is_set_and_nothing_else() {
    let tally = Tally::of(2000, |numbers, mut draw| {
        let file = stack_file(numbers);
        let names: Vec<&str> = file.services.keys().map(String::as_str).collect();
        let one = names[draw.below(names.len())];
        // Sometimes all that have it from the same place, or from anywhere.
        let asked: BTreeSet<&str> = match draw.below(3) {
            0 => BTreeSet::from([one]),
            1 => {
                let place = file.services[one];
                names
                    .iter()
                    .copied()
                    .filter(|it| file.services[*it] == place)
                    .collect()
            }
            _ => names.iter().copied().collect(),
        };
        for name in &names {
            let (text, scalar) = &file.places[file.services[*name]];
            let found = stack_image(&file.text, name)
                .unwrap_or_else(|error| panic!("{error:?}\n{}", file.text));
            assert_eq!(
                (&found.text, &found.stretch.bytes.start),
                (text, &scalar.bytes.start)
            );
        }
        let wanted: ImageRef = draw.pick(&WANTED).parse().unwrap();
        let list: Vec<_> = asked.iter().copied().collect();
        match set_stack_images(&file.text, &list, &wanted) {
            Ok(edit) => {
                assert!(is_safe(&file, &asked, &wanted), "{asked:?}\n{}", file.text);
                check_stack(&file, &asked, &wanted, &edit);
                true
            }
            Err(error) => {
                assert!(!is_safe(&file, &asked, &wanted), "{error:?}\n{}", file.text);
                false
            }
        }
    });
    assert!(
        tally.refused.get() < tally.made.get(),
        "{} refused",
        tally.refused.get()
    );
    assert!(tally.refused.get() > 100);
}

/// Whatever a file looks like, an edit that is made is the one that was meant.
#[test]
fn a_damaged_file_is_edited_right_or_left_alone() {
    let tally = Tally::of(1000, |numbers, mut draw| {
        let spec = spec(numbers);
        let text = damage(&spec.text, &mut draw);
        let image = &spec.images[draw.below(spec.images.len())];
        let wanted = (!draw.once_in(3)).then(|| pin(draw.pick(&PINS)));
        let Ok(edit) = set_pin(&text, &image.stack, &image.name, wanted.as_ref()) else {
            return false;
        };
        if let Ok(before) = read(&[Input::new("imgstack.yaml", text.as_str())]) {
            assert_eq!(
                model(edit.text()),
                with_pin(&before, image, wanted.as_ref()),
                "{text}"
            );
        }
        true
    });
    assert!(tally.made.get() > 200, "only {} made", tally.made.get());
}

#[test]
fn a_damaged_stack_file_is_edited_right_or_left_alone() {
    let tally = Tally::of(1000, |numbers, mut draw| {
        let file = stack_file(numbers);
        let text = damage(&file.text, &mut draw);
        let names: Vec<&str> = file.services.keys().map(String::as_str).collect();
        let asked = names[draw.below(names.len())];
        let wanted: ImageRef = draw.pick(&WANTED).parse().unwrap();
        let Ok(edit) = set_stack_images(&text, &[asked], &wanted) else {
            return false;
        };
        let now = |name| stack_image(edit.text(), name).map(|it| it.text);
        for name in names.iter().filter(|name| **name != asked) {
            assert_eq!(
                now(name).ok(),
                stack_image(&text, name).map(|it| it.text).ok(),
                "{text}"
            );
        }
        let new = now(asked).unwrap();
        match new.starts_with('$') {
            // What is left of the variable is whatever it is.
            true => assert!(new.ends_with(&suffix(&wanted)), "{text}"),
            false => assert_eq!(new.parse(), Ok(wanted), "{text}"),
        }
        true
    });
    assert!(tally.made.get() > 200, "only {} made", tally.made.get());
}
