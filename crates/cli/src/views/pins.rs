//! What becomes of the files when a build is held, or let go.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use imgstack_planner::{FORMAT_VERSION, Plan, Trouble, UnreadRelease};
use imgstack_spec::edit::Edit;
use imgstack_spec::{Digest, Image, ImageName, Pin, ServiceName};
use serde::Serialize;

use super::fold::prose;
use super::style::{BAD, WARN, inline, paint, short};
use super::typed;
use crate::pins::{Changes, Held, StackFileChange};

/// What is said of releases that this imgstack cannot read.
pub(crate) fn unread(pages: &[UnreadRelease]) -> Option<String> {
    let numbers: Vec<_> = pages.iter().map(|page| page.number.to_string()).collect();
    let which = match numbers.as_slice() {
        [] => return None,
        [one] => format!("release {one} of the journal cannot be read"),
        several => format!(
            "releases {} of the journal cannot be read",
            several.join(", ")
        ),
    };
    let warning = paint(WARN, "Warning:");
    let text = format!(
        "{warning} {which}, so what failed there may count as good here; to see why: imgstack history"
    );
    Some(prose(&text, 2) + "\n")
}

/// In which words it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Words {
    Pin,
    Unpin,
    Rollback,
}

/// What was asked for.
pub(crate) struct Page {
    pub(crate) words: Words,
    pub(crate) image: Image,
    /// The service, where one was named.
    pub(crate) service: Option<ServiceName>,
    /// The other services of the image.
    pub(crate) others: Vec<ServiceName>,
    /// None: it is let go.
    pub(crate) held: Option<Held>,
    /// The files of the spec, as they were typed, for the next command.
    pub(crate) files: Vec<PathBuf>,
    /// Whether another major version was allowed.
    pub(crate) allows_major: bool,
    /// Whether builds that have failed may be tried again.
    pub(crate) retries: bool,
    /// Whether nothing is written.
    pub(crate) dry_run: bool,
}

/// What `-o json` prints.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    format_version: &'static str,
    command: Words,
    image: &'a ImageName,
    /// The service, where one was named, and those that go with it.
    service: Option<&'a ServiceName>,
    with: &'a [ServiceName],
    /// The pin as it was.
    was: Option<&'a Pin>,
    /// The pin as it is to be. None: no pin.
    pin: Option<&'a Pin>,
    digest: Option<&'a Digest>,
    /// Whether the files were written, as far as that was possible.
    written: bool,
    spec: FileView<'a>,
    stack_files: Vec<FileView<'a>>,
    /// The plan that follows.
    plan: &'a Plan,
}

/// What becomes of a file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct FileView<'a> {
    file: &'a Path,
    /// The services of a stack file that are to run the image.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    services: &'a [String],
    /// Empty: it says so already, or is left as it is.
    diff: String,
    /// Why it is left as it is.
    trouble: Option<&'a Trouble>,
}

impl<'a> FileView<'a> {
    fn of(file: &'a Path, services: &'a [String], edit: Result<&'a Edit, &'a Trouble>) -> Self {
        let name = file.display().to_string();
        Self {
            file,
            services,
            diff: edit.map(|it| it.diff(&name)).unwrap_or_default(),
            trouble: edit.err(),
        }
    }
}

impl Page {
    /// What changes in the files.
    pub(crate) fn diffs(&self, changes: &Changes) -> String {
        let mut out = String::new();
        let mut add = |file: &Path, edit: &Edit| {
            let diff = edit.diff(&file.display().to_string());
            if !diff.is_empty() {
                let _ = writeln!(out, "\n{}", diff.trim_end());
            }
        };
        add(&changes.spec.file, &changes.spec.edit);
        for StackFileChange { file, edit, .. } in &changes.stack_files {
            if let Ok(edit) = edit {
                add(file, edit);
            }
        }
        out
    }

    /// All of it for programs.
    pub(crate) fn document(
        &self,
        changes: &Changes,
        plan: &Plan,
        written: bool,
    ) -> serde_json::Result<String> {
        let spec = FileView::of(&changes.spec.file, &[], Ok(&changes.spec.edit));
        let stack_files = changes
            .stack_files
            .iter()
            .map(|it| FileView::of(&it.file, &it.services, it.edit.as_ref()));
        let document = Document {
            format_version: FORMAT_VERSION,
            command: self.words,
            image: &self.image.name,
            service: self.service.as_ref(),
            with: &self.others,
            was: self.image.pin.as_ref(),
            pin: self.held.as_ref().map(|it| &it.pin),
            digest: self.held.as_ref().map(|it| &it.digest),
            written,
            spec,
            stack_files: stack_files.collect(),
            plan,
        };
        serde_json::to_string_pretty(&document).map(|text| text + "\n")
    }

    /// What was done, and what comes next.
    pub(crate) fn render(&self, changes: &Changes, plan: &Plan) -> String {
        let mut out = String::from("\n");
        let mut say = |text: &str, indent: usize| {
            let _ = writeln!(out, "{}", prose(text, indent));
        };
        say(&self.spec(changes), 2);
        if let Some(shared) = self.shared() {
            say(&shared, 2);
        }
        for change in &changes.stack_files {
            let StackFileChange { file, services, .. } = change;
            let (file, services) = (file.display(), services.join(", "));
            match &change.edit {
                Ok(edit) if edit.is_empty() => {
                    say(&format!("{file} says so already, for {services}."), 2);
                }
                Ok(_) => say(&format!("{file}: {} for {services}.", self.done()), 2),
                Err(Trouble { why, hint }) => {
                    let left = paint(BAD, "is left as it is");
                    say(
                        &format!("{file} {left}, for {services}: {}", inline(why)),
                        2,
                    );
                    if let Some(hint) = hint {
                        say(&format!("  help: {}", inline(hint)), 8);
                    }
                }
            }
        }
        for line in self.next(changes, plan) {
            say(&line, 2);
        }
        out
    }

    /// What the spec says of the image.
    fn spec(&self, changes: &Changes) -> String {
        let about = format!("image.{}", self.image.name);
        let file = changes.spec.file.display();
        let is_same = changes.spec.edit.is_empty();
        let Some(held) = &self.held else {
            return match (self.image.pin.is_some(), self.dry_run) {
                (false, _) => format!("{about} is not pinned in {file}."),
                (true, false) => format!("{about} is pinned no more: {file}."),
                (true, true) => format!("{about} would be pinned no more: {file}."),
            };
        };
        let build = match &held.pin {
            Pin::Tag(tag) => format!("`{tag}` ({})", short(&held.digest)),
            Pin::Digest(digest) => short(digest),
        };
        match (is_same, self.dry_run, self.words) {
            (true, _, _) => format!("{about} is pinned to {build} already, in {file}."),
            (false, false, Words::Rollback) => {
                format!("{about} goes back to {build}, and is pinned to it: {file}.")
            }
            (false, true, Words::Rollback) => {
                format!("{about} would go back to {build}, and be pinned to it: {file}.")
            }
            (false, false, _) => format!("{about} is pinned to {build}: {file}."),
            (false, true, _) => format!("{about} would be pinned to {build}: {file}."),
        }
    }

    /// A pin is of an image, so that a service does not move alone.
    fn shared(&self) -> Option<String> {
        let service = self.service.as_ref()?;
        let others: Vec<_> = self
            .others
            .iter()
            .map(|name| format!("service.{name}"))
            .collect();
        (!others.is_empty()).then(|| {
            format!(
                "service.{service} has that image together with {}: what holds for one holds for all.",
                others.join(", ")
            )
        })
    }

    fn done(&self) -> &'static str {
        match (self.dry_run, self.held.is_some()) {
            (false, true) => "the same build",
            (false, false) => "the tag that is followed",
            (true, true) => "it would get the same build",
            (true, false) => "it would get the tag that is followed",
        }
    }

    fn next(&self, changes: &Changes, plan: &Plan) -> Vec<String> {
        if self.dry_run {
            return vec![String::new(), "Nothing was written (--dry-run).".to_owned()];
        }
        let mut lines = Vec::new();
        if !plan.is_empty() {
            let files = typed::files(&self.files);
            let major = match self.allows_major {
                true => format!(" --allow-major {}", self.image.name),
                false => String::new(),
            };
            let retry = match self.retries {
                true => " --retry-failed",
                false => "",
            };
            lines.push(format!("To do it: imgstack apply{files}{major}{retry}"));
        }
        if !changes.is_empty() && !changes.is_partial() {
            lines.push("Commit what changed in the files.".to_owned());
        }
        if !lines.is_empty() {
            lines.insert(0, String::new());
        }
        lines
    }
}
