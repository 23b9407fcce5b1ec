//! Tells the story: what happens in each scene, and the commands with what
//! they print.

use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::scenes::{SCENES, Scene};
use super::stage::{SPEC, Stage};
use super::told;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::style::{BOLD, paint};

/// No command of the story takes that long.
const PATIENCE: Duration = Duration::from_secs(45);
/// A command that hears Ctrl-C, too, may say its last words.
const LAST_WORDS: Duration = Duration::from_secs(1);

const INTRODUCTION: [&str; 4] = [
    "A simulated cluster, inside this process: three nodes, PostgreSQL with",
    "Patroni on each, its image on GHCR. Nothing of this machine is touched,",
    "the commands are the real ones. imgstack.yaml says what is to run:",
    "",
];
const CLOSING: [&str; 1] = ["To try it by hand: imgstack demo --keep"];

/// Walks through all scenes.
pub(crate) async fn walk(
    stage: &Stage,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    printer.page(&introduction())?;
    for (number, scene) in (1..).zip(SCENES) {
        printer.page(&heading(number, scene))?;
        (scene.happens)(stage);
        for (typed, exit) in scene.typed {
            let prompt = paint(BOLD, format!("$ imgstack {typed}"));
            printer.page(&format!("\n{prompt}\n"))?;
            match run(stage, typed, cancel).await? {
                Ended::With(status) if status.code() == Some(*exit) => {}
                Ended::With(status) => {
                    let why = format!("`imgstack {typed}` ended with {status}, not with {exit}");
                    return Err(untold(scene, why));
                }
                Ended::Late => {
                    let why = format!("`imgstack {typed}` took more than {PATIENCE:?}");
                    return Err(untold(scene, why));
                }
                Ended::Interrupted => return Ok(Exit::Interrupted),
            }
        }
        if !stage.runs(scene.leaves).await {
            let why = format!("the services do not run the build of {}", scene.leaves);
            return Err(untold(scene, why));
        }
    }
    printer.page(&format!("\n{}", told(&CLOSING)))?;
    Ok(Exit::Done)
}

fn introduction() -> String {
    let spec = SPEC.lines().map(|line| format!("    {line}\n"));
    told(&INTRODUCTION) + &spec.collect::<String>()
}

fn heading(number: usize, scene: &Scene) -> String {
    let title = paint(BOLD, format!("# {number}. {}", scene.title));
    format!("\n{title}\n{}", told(scene.told))
}

fn untold(scene: &Scene, why: String) -> Problem {
    Problem::Untold {
        scene: scene.title,
        why,
    }
}

/// How a command ended.
enum Ended {
    With(ExitStatus),
    /// It did not, and was killed.
    Late,
    Interrupted,
}

/// Runs this program, with the terminal or the pipe that it has itself.
async fn run(stage: &Stage, typed: &str, cancel: &CancellationToken) -> Result<Ended, Problem> {
    let mut command = stage.imgstack()?;
    let mut child = command.args(typed.split(' ')).spawn()?;
    let ended = tokio::select! {
        ended = timeout(PATIENCE, child.wait()) => ended,
        () = cancel.cancelled() => {
            // On a terminal it has been interrupted, too, and ends by itself.
            if timeout(LAST_WORDS, child.wait()).await.is_err() {
                child.kill().await?;
            }
            return Ok(Ended::Interrupted);
        }
    };
    match ended {
        Ok(status) => Ok(Ended::With(status?)),
        Err(_) => {
            child.kill().await?;
            Ok(Ended::Late)
        }
    }
}
