//! A plan as the comment on a pull request.
//!
//! GitHub takes 65,536 characters. What does not fit is left out by whole
//! lines of a table and whole sections, the least important first, and a line
//! says what. So fences and `<details>` are always closed, and nothing of what
//! blocks or goes is lost before what is only good to know.

mod escape;
mod sections;
mod shape;

use self::escape::{code, text};
use self::shape::{Section, fitted};
use super::outline::{BannerKind, Outline};

/// The most characters that GitHub takes in a comment.
pub(crate) const COMMENT: usize = 65_536;
/// So many are named in a banner.
const NAMED: usize = 5;

/// Renders an outline in fewer than `limit` bytes, and so characters. `whole`
/// is the command that shows what was left out.
pub(crate) fn render(outline: &Outline, limit: usize, whole: &str) -> String {
    let head = head(outline);
    let foot = format!("<sub>{}</sub>\n", text(&outline.origin));
    let room = limit.saturating_sub(head.len() + foot.len() + 1);
    let sections: Vec<Section> = outline
        .stacks
        .iter()
        .flat_map(|part| sections::of(part, outline.stacks.len() > 1))
        .chain(outline.texts.iter().filter_map(sections::difference))
        .collect();
    let body = fitted(&sections, room, whole);
    format!("{head}{body}{foot}")
}

fn head(outline: &Outline) -> String {
    let mut out = format!(
        "### {}\n\n**{}**\n\n",
        text(&outline.title),
        text(&outline.summary)
    );
    for banner in &outline.banners {
        let alert = match banner.kind {
            BannerKind::Removed => "WARNING",
            BannerKind::Blocked => "CAUTION",
        };
        let (first, rest) = banner.names.split_at(banner.names.len().min(NAMED));
        let mut names: Vec<String> = first.iter().map(|name| code(name)).collect();
        if !rest.is_empty() {
            names.push(format!("and {} more", rest.len()));
        }
        let words = text(&banner.words);
        out.push_str(&format!(
            "> [!{alert}]\n> **{words}**: {}\n\n",
            names.join(", ")
        ));
    }
    out
}
