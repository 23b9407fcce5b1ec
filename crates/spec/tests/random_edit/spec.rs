//! Random specs, and where in them the pins stand.

use imgstack_spec::{ImageName, StackName};

use crate::draw::{Draw, Page, Scalar, Style};

/// A spec and what was meant by it.
pub struct Spec {
    pub text: String,
    pub comments: Vec<String>,
    pub images: Vec<Image>,
}

/// An image of a spec.
pub struct Image {
    pub stack: StackName,
    pub name: ImageName,
    /// The pin that stands in it, if it is written there.
    pub pin: Option<Scalar>,
    pub tag: Option<Scalar>,
    /// The column of its keys, when it has lines for each.
    pub column: Option<usize>,
    /// Its pin is an alias, or comes with a merge key, or other images merge it.
    pub entangled: bool,
}

const TAGS: [&str; 10] = [
    "latest",
    "16",
    "1.10",
    "16-abc1234",
    "2026-02-06",
    "no",
    "0x1f",
    "v1.2",
    "1e5",
    "main",
];

const REPOSITORIES: [&str; 3] = ["ghcr.io/acme/web", "localhost:5000/a/b", "postgres"];

pub const PINS: [&str; 9] = [
    "16-abc1234",
    "1234567",
    "12e4567",
    "v3",
    "true",
    "2026-02-06",
    "1.10",
    "0123",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
];

/// An image that others may merge.
struct Base {
    anchor: String,
    image: usize,
    has_pin: bool,
}

/// What is to be written for one image.
struct Plan {
    name: String,
    /// In the order of the file.
    keys: Vec<&'static str>,
    anchor: Option<String>,
    merges: Option<String>,
}

pub fn spec(numbers: Vec<u16>) -> Spec {
    let mut page = Page::new(Draw::new(numbers), &["\n", "\n", "\r\n"]);
    let mut images = Vec::new();
    let stacks = 1 + page.draw.below(3);
    for stack in 0..stacks {
        if stack > 0 || page.draw.once_in(4) {
            page.put("---");
            page.rest_of_line();
        }
        page.idle_lines();
        document(&mut page, stack, &mut images);
        if page.draw.once_in(6) {
            page.put("...");
            page.rest_of_line();
        }
    }
    page.finish();
    Spec {
        text: page.text,
        comments: page.comments,
        images,
    }
}

fn document(page: &mut Page, stack: usize, images: &mut Vec<Image>) {
    let name = format!("s{stack}");
    for (key, text) in [
        ("apiVersion", "imgstack.dev/v1alpha1"),
        ("kind", "ImageStack"),
    ] {
        page.key(key, false);
        let scalar = page.scalar(text, Some(0), false);
        page.end_value(&scalar);
        page.idle_lines();
    }
    page.key("metadata", false);
    page.put(&format!("{{name: {name}}}"));
    page.rest_of_line();
    page.key("spec", false);
    page.rest_of_line();
    page.idle_lines();
    let indent = 1 + page.draw.below(5);
    page.spaces(indent);
    page.key("images", false);
    if page.draw.once_in(6) {
        return list_in_brackets(page, indent, &name, images);
    }
    page.rest_of_line();
    page.idle_lines();
    let dash = indent + page.draw.below(4);
    let mut bases: Vec<Base> = Vec::new();
    for index in 0..1 + page.draw.below(4) {
        page.spaces(dash);
        page.put("-");
        let plan = plan(page, &format!("web-{stack}-{index}"), &bases);
        let has_pin = plan.keys.contains(&"pin");
        let base = plan
            .merges
            .as_ref()
            .and_then(|name| bases.iter().find(|it| &it.anchor == name));
        let inherits_pin = base.is_some_and(|base| base.has_pin);
        // Another image's pin is this one's as well, or would be.
        let entangled = inherits_pin || base.is_some() && !has_pin;
        if let Some(base) = base.filter(|_| !has_pin) {
            let base = base.image;
            images[base].entangled = true;
        }
        if let Some(anchor) = plan.anchor.clone() {
            bases.push(Base {
                anchor,
                image: images.len(),
                // A merge hands on what it was handed.
                has_pin: has_pin || inherits_pin,
            });
        }
        let mut image = image(page, dash, plan, &name);
        image.entangled |= entangled;
        images.push(image);
        page.idle_lines();
    }
}

fn plan(page: &mut Page, name: &str, bases: &[Base]) -> Plan {
    let merges = match bases.len() {
        0 => None,
        count => {
            let base = page.draw.below(count + 2);
            bases.get(base).map(|base| base.anchor.clone())
        }
    };
    let mut keys = vec!["name", "repository", "tag"];
    if page.draw.once_in(3) {
        keys.push("purpose");
    }
    if page.draw.once_in(2) {
        keys.push("pin");
    }
    if merges.is_some() {
        keys.retain(|key| *key != "repository");
        keys.push("<<");
    }
    for at in (1..keys.len()).rev() {
        let other = at - page.draw.below(at + 1);
        keys.swap(at, other);
    }
    let anchor = page.draw.once_in(4).then(|| page.anchor());
    Plan {
        name: name.to_owned(),
        keys,
        anchor,
        merges,
    }
}

fn list_in_brackets(page: &mut Page, indent: usize, stack: &str, images: &mut Vec<Image>) {
    page.put("[");
    for index in 0..1 + page.draw.below(3) {
        page.loose_break(indent);
        let plan = plan(page, &format!("web-{}-{index}", &stack[1..]), &[]);
        images.push(in_brackets(page, indent, plan, stack));
        page.put(",");
    }
    page.loose_break(indent);
    page.put("]");
    page.rest_of_line();
}

fn image(page: &mut Page, dash: usize, plan: Plan, stack: &str) -> Image {
    let style = page.draw.below(4);
    if let Some(anchor) = &plan.anchor {
        page.put(&format!(" &{anchor}"));
    }
    if style == 3 {
        page.put(" ");
        let image = in_brackets(page, dash, plan, stack);
        page.rest_of_line();
        return image;
    }
    if style == 2 || plan.anchor.is_some() {
        page.rest_of_line();
        page.idle_lines();
        let column = dash + 1 + page.draw.below(5);
        page.spaces(column);
        return in_lines(page, column, plan, stack);
    }
    let column = dash + 2 + page.draw.below(3);
    page.spaces(column - dash - 1);
    in_lines(page, column, plan, stack)
}

fn value(page: &mut Page, key: &str, plan: &Plan, indent: Option<usize>, json: bool) -> Scalar {
    let text = match key {
        "name" => plan.name.clone(),
        "repository" => page.draw.pick(&REPOSITORIES).to_owned(),
        "tag" => page.draw.pick(&TAGS).to_owned(),
        "purpose" => "the shop's front".to_owned(),
        _ => page.draw.pick(&PINS).to_owned(),
    };
    if !json && key != "name" && page.draw.once_in(8) {
        let anchor = page.anchor();
        page.put(&format!("&{anchor} "));
    }
    if !json && page.draw.once_in(12) {
        page.put("!!str ");
    }
    page.scalar(&text, indent, json)
}

fn new_image(plan: &Plan, stack: &str, column: Option<usize>) -> Image {
    Image {
        stack: stack.parse().unwrap(),
        name: plan.name.parse().unwrap(),
        pin: None,
        tag: None,
        column,
        entangled: false,
    }
}

fn in_lines(page: &mut Page, column: usize, plan: Plan, stack: &str) -> Image {
    let mut image = new_image(&plan, stack, Some(column));
    for (index, key) in plan.keys.iter().enumerate() {
        if index > 0 {
            page.spaces(column);
        }
        if let ("<<", Some(base)) = (*key, &plan.merges) {
            page.put(&format!("<<: *{base}"));
            page.rest_of_line();
            page.idle_lines();
            continue;
        }
        page.key(key, false);
        let scalar = value(page, key, &plan, Some(column), false);
        page.end_value(&scalar);
        match *key {
            "pin" => image.pin = Some(scalar),
            "tag" => image.tag = Some(scalar),
            _ => {}
        }
        // Between the lines of an image only, so that they end with its list.
        if index + 1 < plan.keys.len() {
            page.idle_lines();
        }
    }
    image
}

fn in_brackets(page: &mut Page, indent: usize, plan: Plan, stack: &str) -> Image {
    let mut image = new_image(&plan, stack, None);
    let json = page.draw.once_in(4) && plan.merges.is_none();
    page.put("{");
    for (index, key) in plan.keys.iter().enumerate() {
        if index > 0 {
            page.put(",");
        }
        page.loose_break(indent);
        if let ("<<", Some(base)) = (*key, &plan.merges) {
            page.put(&format!("<<: *{base}"));
            continue;
        }
        page.key(key, json);
        let scalar = value(page, key, &plan, None, json);
        match *key {
            "pin" => image.pin = Some(scalar),
            "tag" => image.tag = Some(scalar),
            _ => {}
        }
    }
    if page.draw.once_in(4) {
        page.put(",");
    }
    page.loose_break(indent);
    page.put("}");
    image
}

/// What a new value in the place of a scalar looks like.
pub fn spelt(text: &str, scalar: &Scalar, is_plain: bool) -> String {
    match scalar.style {
        Style::Single => format!("'{text}'"),
        Style::Double => format!("\"{text}\""),
        Style::Plain if !is_plain => format!("\"{text}\""),
        Style::Plain | Style::Block => text.to_owned(),
    }
}
