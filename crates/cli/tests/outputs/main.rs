//! What `plan` and `show` print, and `graph` draws: every output of plans that
//! the planner made, as golden files.
//!
//! `golden/CASE.…` is what `imgstack show` and `imgstack graph` print of the
//! plan CASE; of a page without its style. After a change,
//! `UPDATE_GOLDEN=1 cargo test -p imgstack-cli --test outputs` writes them
//! anew; read them before committing.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cases;
mod crowd;
mod hostile;
mod markup;
mod schema;
mod stopwatch;
mod versions;
mod world;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use imgstack_planner::Plan;
use tempfile::TempDir;

/// (ending of the golden file, command, its `-o`)
const OUTPUTS: [(&str, &str, &str); 7] = [
    ("txt", "show", "human"),
    ("json", "show", "json"),
    ("md", "show", "markdown"),
    ("html", "show", "html"),
    ("dot", "graph", "dot"),
    ("mmd", "graph", "mermaid"),
    ("svg", "graph", "svg"),
];

/// A plan in a file.
pub struct Saved {
    folder: TempDir,
}

impl Saved {
    /// As `imgstack plan --out` saves it.
    pub fn new(plan: &Plan) -> Self {
        Self::text(&format!(
            "{}\n",
            serde_json::to_string_pretty(plan).unwrap()
        ))
    }

    /// As somebody wrote it.
    pub fn text(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plan.json"), text).unwrap();
        Self { folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("plan.json")
    }

    /// What the program says to `COMMAND PLAN ARGS`.
    pub fn run(&self, command: &str, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_imgstack"))
            .arg(command)
            .arg(self.path())
            .args(args)
            .env_remove("IMGSTACK_FILE")
            .output()
            .unwrap()
    }

    /// What it prints.
    pub fn printed(&self, command: &str, output: &str) -> String {
        let done = self.run(command, &["-o", output]);
        let error = String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{command} -o {output}: {error}");
        String::from_utf8(done.stdout).unwrap()
    }
}

/// A page without its style, which would be the same in each.
fn without_style(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<style>") {
        out.push_str(before);
        out.push_str("<style/>");
        rest = after.split_once("</style>").unwrap().1;
    }
    out + rest
}

fn golden(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outputs/golden");
    folder.join(name)
}

#[test]
fn every_output_of_every_plan_is_as_it_was_read() {
    let write = std::env::var_os("UPDATE_GOLDEN").is_some();
    let mut wrong = Vec::new();
    for (case, plan) in cases::all() {
        let saved = Saved::new(&plan);
        for (ending, command, output) in OUTPUTS {
            let printed = without_style(&saved.printed(command, output));
            let path = golden(&format!("{case}.{ending}"));
            if write {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &printed).unwrap();
            } else if fs::read_to_string(&path).ok().as_ref() != Some(&printed) {
                wrong.push(format!("{case}.{ending}:\n{printed}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A golden file that no case writes would never be wrong.
#[test]
fn every_golden_file_has_its_case() {
    let cases: Vec<&str> = cases::all().into_iter().map(|(name, _)| name).collect();
    assert!(cases.len() >= 10);
    let files = fs::read_dir(golden("")).unwrap();
    let files: Vec<String> = files
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files.len(), cases.len() * OUTPUTS.len());
    for file in files {
        let (case, ending) = file.rsplit_once('.').unwrap();
        assert!(cases.contains(&case), "{file}");
        assert!(OUTPUTS.iter().any(|it| it.0 == ending), "{file}");
    }
}

/// The plan that is shown is the plan that was saved, to the byte.
#[test]
fn json_is_what_was_saved() {
    for (case, plan) in cases::all() {
        let saved = Saved::new(&plan);
        let written = fs::read_to_string(saved.path()).unwrap();
        assert_eq!(saved.printed("show", "json"), written, "{case}");
    }
}

/// What the documents look like to who reads them: balanced, closed, and only
/// of the markup that is ours.
#[test]
fn every_document_is_sound() {
    for (case, plan) in cases::all() {
        let saved = Saved::new(&plan);
        markup::check_markdown(&saved.printed("show", "markdown"), case);
        markup::check_html(&saved.printed("show", "html"), case);
        markup::check_html(&saved.printed("graph", "svg"), case);
    }
}

/// Without a plan the spec alone is drawn, and nothing is asked.
#[test]
fn the_order_of_a_spec_needs_no_cluster() {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("imgstack.yaml");
    fs::write(
        &spec,
        "apiVersion: imgstack.dev/v1alpha1\nkind: ImageStack\nmetadata: {name: db}\nspec:\n  \
         swarm: {endpoint: \"ssh://nowhere.invalid\"}\n  \
         images: [{name: pg, repository: ghcr.io/acme/pg, tag: \"16\"}]\n  services:\n    \
         - {name: a, image: pg, after: [c]}\n    - {name: b, image: pg}\n    \
         - {name: c, image: pg}\n",
    )
    .unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_imgstack"))
        .args(["graph", "-o", "mermaid", "-f"])
        .arg(&spec)
        .output()
        .unwrap();
    let expected = "flowchart TD\n  subgraph g0[\"db\"]\n  \
                    s0_0[\"1  image.pg<br/>service.b\"]\n  \
                    s0_1[\"2  image.pg<br/>service.c\"]\n  \
                    s0_2[\"3  image.pg<br/>service.a\"]\n  \
                    s0_0 -.-> s0_1\n  s0_1 --> s0_2\n  end\n";
    assert_eq!(String::from_utf8(done.stdout).unwrap(), expected);
}
