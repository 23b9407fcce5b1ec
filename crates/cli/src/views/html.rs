//! A plan as a page: one file that loads nothing and runs nothing.
//!
//! The page forbids scripts and loads by its own policy, so that a word from
//! outside which came through would still do nothing.

pub(super) mod escape;
mod parts;

use std::fmt::Write;

use self::escape::escaped;
use super::outline::{BannerKind, Outline};

const STYLE: &str = include_str!("html/page.css");
/// For pages with the diff of a file.
const STYLE_OF_TEXTS: &str = include_str!("html/text.css");
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Renders an outline.
pub(crate) fn render(outline: &Outline) -> String {
    let mut out = String::from("<!doctype html>\n<html lang=\"en\">\n");
    head(&mut out, outline);
    let _ = writeln!(
        out,
        "<body>\n<header>\n<h1>{}</h1>\n<p class=\"summary\">{}</p>\n</header>\n<main>",
        escaped(&outline.title),
        escaped(&outline.summary)
    );
    banners(&mut out, outline);
    let several = outline.stacks.len() > 1;
    for (number, part) in outline.stacks.iter().enumerate() {
        parts::stack(&mut out, part, several, number);
    }
    parts::texts(&mut out, &outline.texts);
    let _ = write!(
        out,
        "</main>\n<footer>{}</footer>\n</body>\n</html>\n",
        escaped(&outline.origin)
    );
    out
}

fn head(out: &mut String, outline: &Outline) {
    let names: Vec<&str> = outline.stacks.iter().map(|it| it.stack.as_str()).collect();
    let texts = match outline.texts.is_empty() {
        true => "",
        false => STYLE_OF_TEXTS,
    };
    let title = match names.is_empty() {
        true => outline.title.clone(),
        false => format!("{}: {}", outline.title, names.join(", ")),
    };
    let _ = write!(
        out,
        "<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>\n{STYLE}{texts}</style>\n</head>\n",
        escaped(&title)
    );
}

fn banners(out: &mut String, outline: &Outline) {
    for banner in &outline.banners {
        let class = match banner.kind {
            BannerKind::Removed => "removed",
            BannerKind::Blocked => "stopped",
        };
        let _ = write!(
            out,
            "<aside class=\"banner {class}\"><strong>{}</strong><ul>",
            escaped(&banner.words)
        );
        for name in &banner.names {
            let _ = write!(out, "<li><code>{}</code></li>", escaped(name));
        }
        out.push_str("</ul></aside>\n");
    }
}
