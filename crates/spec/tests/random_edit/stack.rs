//! Random stack files, and where the images of their services come from.

use std::collections::BTreeMap;

use crate::draw::{Draw, Page, Scalar};

/// A stack file and what was meant by it.
pub struct StackFile {
    pub text: String,
    pub comments: Vec<String>,
    /// The texts of images, and where they stand.
    pub places: Vec<(String, Scalar)>,
    /// The services, with the place that each has its image from.
    pub services: BTreeMap<String, usize>,
    /// Places whose text stands for something else as well.
    pub foreign: Vec<usize>,
}

const IMAGES: [&str; 8] = [
    "ghcr.io/acme/web:1",
    "postgres:16-alpine",
    "postgres",
    "localhost:5000/x:1.2",
    "ghcr.io/acme/web:1@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "ghcr.io/acme/web",
    "$REGISTRY/acme/web:1",
    "index.docker.io/library/postgres:16",
];

struct Made {
    page: Page,
    places: Vec<(String, Scalar)>,
    services: BTreeMap<String, usize>,
    foreign: Vec<usize>,
    /// Anchors of mappings with an image, and of images alone.
    maps: Vec<(String, usize)>,
    texts: Vec<(String, usize)>,
}

pub fn stack_file(numbers: Vec<u16>) -> StackFile {
    let mut made = Made {
        page: Page::new(Draw::new(numbers), &["\n", "\n", "\r\n", "\r"]),
        places: Vec::new(),
        services: BTreeMap::new(),
        foreign: Vec::new(),
        maps: Vec::new(),
        texts: Vec::new(),
    };
    if made.page.draw.once_in(4) {
        made.page.put("---");
        made.page.rest_of_line();
    }
    made.page.idle_lines();
    extensions(&mut made);
    made.page.key("services", false);
    made.page.rest_of_line();
    made.page.idle_lines();
    let indent = 1 + made.page.draw.below(5);
    for index in 0..1 + made.page.draw.below(5) {
        service(&mut made, indent, index);
        made.page.idle_lines();
    }
    if made.page.draw.once_in(3) {
        made.page.noise("secrets", 0);
    }
    made.page.finish();
    StackFile {
        text: made.page.text,
        comments: made.page.comments,
        places: made.places,
        services: made.services,
        foreign: made.foreign,
    }
}

/// An image's text, and the number of its place.
fn image(made: &mut Made, indent: Option<usize>) -> usize {
    let page = &mut made.page;
    let text = page.draw.pick(&IMAGES);
    if page.draw.once_in(4) {
        let anchor = page.anchor();
        page.put(&format!("&{anchor} "));
        made.texts.push((anchor, made.places.len()));
    }
    if page.draw.once_in(10) {
        page.put("!custom ");
    }
    let scalar = page.scalar(text, indent, false);
    made.places.push((text.to_owned(), scalar));
    made.places.len() - 1
}

fn extensions(made: &mut Made) {
    for index in 0..made.page.draw.below(3) {
        made.page.key(&format!("x-{index}"), false);
        let anchor = made.page.anchor();
        made.page.put(&format!("&{anchor}"));
        if made.page.draw.once_in(2) {
            made.page.put(" {a: b, image: ");
            let place = image(made, None);
            made.page.put("}");
            made.page.rest_of_line();
            made.maps.push((anchor, place));
        } else {
            made.page.rest_of_line();
            made.page.idle_lines();
            let indent = 1 + made.page.draw.below(4);
            made.page.spaces(indent);
            made.page.key("image", false);
            let place = image(made, Some(indent));
            let scalar = made.places[place].1.clone();
            made.page.end_value(&scalar);
            made.page.noise("labels", indent);
            made.maps.push((anchor, place));
        }
        made.page.idle_lines();
    }
}

fn service(made: &mut Made, indent: usize, index: usize) {
    let name = made.page.draw.pick(&["web", "db", "auth", "tokens"]);
    let name = format!("{name}-{index}");
    let page = &mut made.page;
    page.spaces(indent);
    page.key(&name, false);
    if page.draw.once_in(4) {
        page.put("{a: [b, 'c'], image: ");
        let place = image(made, None);
        made.page.loose_break(indent);
        made.page.put("}");
        made.page.rest_of_line();
        made.services.insert(name, place);
        return;
    }
    let anchor = page.draw.once_in(3).then(|| page.anchor());
    if let Some(anchor) = &anchor {
        page.put(&format!("&{anchor}"));
    }
    page.rest_of_line();
    page.idle_lines();
    let column = indent + 1 + page.draw.below(5);
    if page.draw.once_in(2) {
        page.noise("environment", column);
        page.idle_lines();
    }
    let place = source(made, column);
    if made.page.draw.once_in(6) && !made.texts.is_empty() {
        let at = made.page.draw.below(made.texts.len());
        let (anchor, place) = made.texts[at].clone();
        made.page.spaces(column);
        made.page.put(&format!("hostname: *{anchor}"));
        made.page.rest_of_line();
        made.foreign.push(place);
    }
    if made.page.draw.once_in(2) {
        made.page.noise("command", column);
    }
    if let Some(anchor) = anchor {
        made.maps.push((anchor, place));
    }
    made.services.insert(name, place);
}

/// The lines that give a service its image, and the place they give it from.
fn source(made: &mut Made, column: usize) -> usize {
    let choice = made.page.draw.below(7);
    let pick = |made: &mut Made, choices: &[(String, usize)]| {
        let at = made.page.draw.below(choices.len());
        choices[at].clone()
    };
    let merged = (!made.maps.is_empty()).then(|| pick(made, &made.maps.clone()));
    made.page.spaces(column);
    match (choice, merged) {
        (3, Some((anchor, place))) => {
            let list = made.page.draw.once_in(2);
            let merge = if list {
                format!("<<: [*{anchor}]")
            } else {
                format!("<<: *{anchor}")
            };
            made.page.put(&merge);
            made.page.rest_of_line();
            return place;
        }
        // What it says itself wins over what it merges.
        (4, Some((anchor, _))) => {
            made.page.put(&format!("<<: *{anchor}"));
            made.page.rest_of_line();
            made.page.idle_lines();
            made.page.spaces(column);
        }
        (5, _) if !made.services.is_empty() => {
            let services: Vec<_> = made.services.iter().map(|(a, b)| (a.clone(), *b)).collect();
            let (base, place) = pick(made, &services);
            let short = made.page.draw.once_in(2);
            let base = if short {
                base
            } else {
                format!("{{service: {base}}}")
            };
            made.page.put(&format!("extends: {base}"));
            made.page.rest_of_line();
            return place;
        }
        (6, _) if !made.texts.is_empty() => {
            let (anchor, place) = pick(made, &made.texts.clone());
            made.page.key("image", false);
            made.page.put(&format!("*{anchor}"));
            made.page.rest_of_line();
            return place;
        }
        _ => {}
    }
    made.page.key("image", false);
    let place = image(made, Some(column));
    let scalar = made.places[place].1.clone();
    made.page.end_value(&scalar);
    place
}
