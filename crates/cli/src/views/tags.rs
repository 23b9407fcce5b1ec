//! The builds of an image, the newest first, and what runs where.

use std::collections::BTreeMap;
use std::fmt::Write;

use imgstack_planner::{FORMAT_VERSION, Known, Trouble};
use imgstack_spec::{Address, Follow, ImageRef, NodeName, Pin};
use jiff::Timestamp;
use serde::Serialize;

use super::fold::{beside, listed, pieces, prose, width};
use super::style::{BAD, BOLD, DIM, GOOD, WARN, ago, inline, paint, short, shortest};
use crate::tags::{Details, More, Overview, Remembered, Row, Run, Source, Standing};

/// What `tags` shows, and prints as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page {
    format_version: &'static str,
    created_at: Timestamp,
    image: Overview,
}

impl Page {
    pub(crate) fn of(created_at: Timestamp, image: Overview) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            created_at,
            image,
        }
    }
}

/// Renders the list; `all`: nothing was to be left out.
pub(crate) fn render(page: &Page, all: bool) -> String {
    let (image, mut out) = (&page.image, String::new());
    heading(&mut out, image);
    match &image.builds {
        Known::Known(rows) if rows.is_empty() => {
            let _ = writeln!(out, "    {}", paint(DIM, "no builds"));
        }
        Known::Known(rows) => table(&mut out, rows, image, page.created_at),
        Known::Unknown(trouble) => {
            let text = format!(
                "builds are {}: {}",
                paint(BAD, "unknown"),
                inline(&trouble.why)
            );
            let _ = writeln!(out, "    {}", prose(&text, 6));
            help(&mut out, trouble);
        }
    }
    if let Some(more) = &image.more {
        let _ = writeln!(out, "\n{}", prose(&format!("    … and {}", rest(more)), 6));
    }
    notes(&mut out, image, all);
    out
}

fn heading(out: &mut String, image: &Overview) {
    let name = paint(BOLD, Address::Image(image.name.clone()));
    let _ = writeln!(out, "{}", beside(&name, &[image.repository.to_string()], 4));
    let follows = match &image.follow {
        Follow::Tag(tag) => format!("the tag {tag}"),
        Follow::Policy { policy, .. } => format!("the policy {}", policy.written()),
    };
    let text = format!("    follows {}", inline(&follows));
    let _ = writeln!(out, "{}", prose(&text, 6));
    match &image.pin {
        Some(Pin::Tag(tag)) => {
            let _ = writeln!(out, "    pinned to {tag}");
        }
        Some(Pin::Digest(digest)) => {
            let _ = writeln!(out, "    pinned to {digest}");
        }
        None => {}
    }
    out.push('\n');
}

/// A line for each build, and below it what is known beside.
fn table(out: &mut String, rows: &[Row], image: &Overview, now: Timestamp) {
    // A registry knows no more of the time than a tag says.
    let when = match image.source {
        Source::GitHub => "PUSHED",
        Source::Registry => "DAY",
    };
    let mut cells = vec![["BUILD", when, "COMMIT"].map(str::to_owned)];
    cells.extend(rows.iter().map(|row| fixed(row, now)));
    let widths: [usize; 3] = std::array::from_fn(|column| {
        let widths = cells.iter().map(|row| width(&row[column]));
        widths.max().unwrap_or_default()
    });
    let lead = |cells: &[String; 3]| {
        let padded = cells.iter().zip(widths).map(|(cell, room)| {
            let blank = " ".repeat(room.saturating_sub(width(cell)) + 2);
            format!("{cell}{blank}")
        });
        format!("    {}", padded.collect::<String>())
    };
    let head = format!("{}TAGS", lead(&cells[0]));
    let _ = writeln!(out, "{}", paint(DIM, head));
    for (row, cells) in rows.iter().zip(&cells[1..]) {
        let lead = lead(cells);
        let indent = width(&lead);
        let _ = writeln!(
            out,
            "{}",
            pieces(&lead, &tags(row, image), indent).trim_end()
        );
        below(out, row, now);
    }
}

fn fixed(row: &Row, now: Timestamp) -> [String; 3] {
    let day = row.day.map(|day| day.to_string());
    let pushed = row.pushed_at.map(|pushed| ago(pushed, now));
    let none = || "–".to_owned();
    [
        shortest(&row.digest),
        pushed.or(day).unwrap_or_else(none),
        row.commit.as_deref().map_or_else(none, short_commit),
    ]
}

/// As git shortens it; a label may be of any length.
fn short_commit(commit: &str) -> String {
    let is_hash = commit.len() == 40 && commit.bytes().all(|b| b.is_ascii_hexdigit());
    match is_hash {
        true => commit.chars().take(7).collect(),
        false => inline(commit),
    }
}

/// The tags, those first that the spec names.
fn tags(row: &Row, image: &Overview) -> Vec<String> {
    let mut named = Vec::new();
    let mut others = Vec::new();
    for tag in &row.tags {
        match image.marks(tag) {
            (false, false) => others.push(tag.to_string()),
            (followed, pinned) => {
                let words = match (followed, pinned) {
                    (true, true) => "followed, pinned",
                    (false, _) => "pinned",
                    (true, false) => "followed",
                };
                named.push(paint(GOOD, format!("{tag} ({words})")));
            }
        }
    }
    if row.pinned && matches!(image.pin, Some(Pin::Digest(_))) {
        named.push(paint(GOOD, "(pinned)"));
    }
    named.append(&mut others);
    match row.standing {
        Standing::Listed if named.is_empty() => named.push(paint(DIM, "(no tag)")),
        Standing::Listed => {}
        Standing::NotRead => named.push(paint(WARN, "(not among the builds that were read)")),
        Standing::Gone => named.push(paint(BAD, "(the package does not have it any more)")),
    }
    named
}

/// Where it runs, and what it says of itself.
fn below(out: &mut String, row: &Row, now: Timestamp) {
    let runs = places(row.runs.iter().flatten());
    if !runs.is_empty() {
        let _ = writeln!(out, "{}", pieces("      runs: ", &runs, 12));
    }
    if let Some(remembered) = &row.journal {
        past(out, remembered);
    }
    match &row.details {
        Some(Known::Known(details)) => {
            let told = told(details, now);
            if !told.is_empty() {
                let _ = writeln!(out, "{}", pieces("      ", &told, 8));
            }
        }
        Some(Known::Unknown(trouble)) => {
            let why = format!(
                "      {} {}",
                paint(WARN, "details unknown:"),
                inline(&trouble.why)
            );
            let _ = writeln!(out, "{}", prose(&why, 8));
        }
        None => {}
    }
}

/// For which services it was good, and for which it failed.
fn past(out: &mut String, remembered: &Remembered) {
    let good = remembered.good.iter().map(|it| {
        let since = it.since.strftime("%Y-%m-%d");
        format!("{} since {since}", inline(it.service.as_str()))
    });
    let failed = remembered.failed.iter().map(|it| {
        let at = it.at.strftime("%Y-%m-%d %H:%M UTC");
        format!("{at} (service.{})", inline(it.service.as_str()))
    });
    let mut line = |lead: String, told: Vec<String>| {
        if !told.is_empty() {
            let listed = listed(&told.join(", "));
            let _ = writeln!(out, "{}", pieces(&format!("      {lead} "), &listed, 12));
        }
    };
    line(paint(GOOD, "good:"), good.collect());
    line(paint(BAD, "failed on"), failed.collect());
}

/// "web on n1, n2 and n3 (starting);", a piece for each service.
fn places<'a>(runs: impl Iterator<Item = &'a Run>) -> Vec<String> {
    let mut services: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for run in runs {
        services.entry(&run.service).or_default().push(place(run));
    }
    let last = services.len();
    let places = services
        .into_iter()
        .enumerate()
        .flat_map(|(index, (service, mut nodes))| {
            // Several tasks of a service may be on one node.
            nodes.dedup();
            let end = if index + 1 == last { "" } else { ";" };
            let mut pieces: Vec<String> = nodes.iter().map(|node| format!("{node},")).collect();
            if let Some(node) = pieces.last_mut() {
                node.truncate(node.len() - 1);
                node.push_str(end);
            }
            if let Some(first) = pieces.first_mut() {
                *first = format!("{} on {first}", inline(service));
            }
            pieces
        });
    places.collect()
}

fn place(run: &Run) -> String {
    let node = run
        .node
        .as_ref()
        .map_or_else(|| "no node".to_owned(), NodeName::to_string);
    match (run.state.as_str(), run.running) {
        ("running", true) => node,
        // The last word of a node that the managers hear no more.
        ("running", false) => format!("{node} (running?)"),
        (state, _) => format!("{node} ({})", inline(state)),
    }
}

/// "linux/amd64, linux/arm64;", "built 7 days ago;", "base 5c576d3…"
fn told(details: &Details, now: Timestamp) -> Vec<String> {
    let mut told = Vec::new();
    let platforms: Vec<String> = details
        .platforms
        .iter()
        .map(|it| inline(&it.to_string()))
        .collect();
    told.push(platforms.join(", "));
    told.extend(
        details
            .version
            .as_deref()
            .map(|it| format!("version {}", inline(it))),
    );
    told.extend(details.created.map(|it| format!("built {}", ago(it, now))));
    told.extend(details.base.as_ref().map(|base| match base {
        Known::Known(base) => format!("base {}, by {}", shortest(&base.digest), base.by),
        Known::Unknown(trouble) => format!("base unknown: {}", inline(&trouble.why)),
    }));
    told.retain(|piece| !piece.is_empty());
    let last = told.len().saturating_sub(1);
    for piece in told.iter_mut().take(last) {
        piece.push(';');
    }
    told
}

/// What there is beside, and how to see it.
fn rest(more: &More) -> String {
    let what = match more {
        More {
            builds: Some(builds),
            ..
        } => format!("{builds} more"),
        More {
            tags: Some(tags),
            from: Some(from),
            ..
        } => {
            let plural = if *tags == 1 { "" } else { "s" };
            format!("{tags} more tag{plural}, from `{from}` on, which may lead to these builds too")
        }
        More { .. } => "more, which were not read".to_owned(),
    };
    format!("{what}: --limit N, or --all")
}

fn notes(out: &mut String, image: &Overview, all: bool) {
    let mut notes = String::new();
    if let Some(unread) = &image.unread {
        let what = format!("where the tag `{}` leads is not known", unread.tag);
        note(&mut notes, BAD, "!", &what, Some(&unread.trouble));
    }
    if !image.dangling.is_empty() {
        let tags: Vec<String> = image
            .dangling
            .iter()
            .map(|tag| format!("`{tag}`"))
            .collect();
        let what = format!("what these tags led to is gone: {}", tags.join(", "));
        note(&mut notes, WARN, "!", &what, None);
    }
    if let Some(trouble) = &image.running_unknown {
        note(
            &mut notes,
            WARN,
            "!",
            "where builds run is not known",
            Some(trouble),
        );
    }
    // Without the Swarm there is no journal either.
    if let (Some(trouble), None) = (&image.journal_unknown, &image.running_unknown) {
        let what = "which builds failed or were good is not known";
        note(&mut notes, WARN, "!", what, Some(trouble));
    }
    for release in &image.unread_releases {
        let trouble = Trouble::new(release.why.clone());
        let what = format!("release {} of the journal cannot be read", release.number);
        note(&mut notes, WARN, "!", &what, Some(&trouble));
    }
    for (build, runs) in others(&image.other_tasks) {
        let what = format!("{build} runs: {}", places(runs.into_iter()).join(" "));
        note(&mut notes, WARN, "!", &what, None);
    }
    for warning in &image.warnings {
        note(&mut notes, WARN, "!", "warning", Some(warning));
    }
    if let Some(trouble) = &image.without_github {
        let what = "GitHub did not tell of the builds, so the registry did, which has no times";
        note(&mut notes, DIM, "·", what, Some(trouble));
    }
    if all && image.source == Source::Registry {
        let what = "a registry lists tags alone: builds without one are not known";
        note(&mut notes, DIM, "·", what, None);
    }
    if !notes.is_empty() {
        let _ = write!(out, "\n{notes}");
    }
}

/// Tasks by what they run: a digest, or the reference if it has none.
fn others(tasks: &[Run]) -> BTreeMap<String, Vec<&Run>> {
    let mut others: BTreeMap<String, Vec<&Run>> = BTreeMap::new();
    for run in tasks {
        let reference: Option<ImageRef> = run.image.parse().ok();
        let build = reference.and_then(|reference| {
            let digest = reference.digest?;
            Some(format!("{}@{}", reference.repository, short(&digest)))
        });
        let build = build.unwrap_or_else(|| format!("{}, a tag,", inline(&run.image)));
        others.entry(build).or_default().push(run);
    }
    others
}

fn note(
    out: &mut String,
    style: anstyle::Style,
    sign: &str,
    what: &str,
    trouble: Option<&Trouble>,
) {
    let why = trouble.map(|trouble| format!(": {}", inline(&trouble.why)));
    let text = format!("  {} {what}{}", paint(style, sign), why.unwrap_or_default());
    let _ = writeln!(out, "{}", prose(&text, 6));
    if let Some(trouble) = trouble {
        help(out, trouble);
    }
}

fn help(out: &mut String, trouble: &Trouble) {
    if let Some(hint) = &trouble.hint {
        let _ = writeln!(
            out,
            "{}",
            prose(&format!("      help: {}", inline(hint)), 12)
        );
    }
}
