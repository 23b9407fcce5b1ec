//! Tells the story: what happens in each scene, and the commands with what
//! they print.

use std::process::ExitStatus;
use std::time::Duration;

use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::scenes::{SCENES, Scene};
use super::stage::Stage;
use super::told;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::problem::Problem;
use crate::views::style::{BOLD, paint};

/// No command of the story takes that long.
const PATIENCE: Duration = Duration::from_secs(45);
/// A command that hears Ctrl-C, too, may say its last words.
const LAST_WORDS: Duration = Duration::from_secs(5);

const INTRODUCTION: [&str; 4] = [
    "A simulated cluster, inside this process: three nodes, PostgreSQL with",
    "Patroni on each, its image on GHCR. Nothing of this machine is touched,",
    "the commands are the real ones. imgstack.yaml says what is to run:",
    "",
];
const CLOSING: [&str; 1] = ["To try it by hand: imgstack demo --keep"];

/// Walks through the story.
pub(crate) async fn walk(
    stage: &Stage,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    printer.page(&introduction(stage))?;
    for (number, scene) in (1..).zip(SCENES) {
        printer.page(&heading(number, scene))?;
        if play(scene, stage, printer, cancel).await? == Exit::Interrupted {
            return Ok(Exit::Interrupted);
        }
    }
    printer.page(&format!("\n{}", told(&CLOSING)))?;
    Ok(Exit::Done)
}

/// Plays one scene, and makes sure that it goes as it is told.
async fn play(
    scene: &Scene,
    stage: &Stage,
    printer: Printer,
    cancel: &CancellationToken,
) -> Result<Exit, Problem> {
    let untold = |why| Problem::Untold {
        scene: scene.title,
        why,
    };
    (scene.happens)(stage);
    // What was set going is over before anybody looks.
    stage.settles().await;
    for (typed, exit) in scene.typed {
        let prompt = paint(BOLD, format!("$ imgstack {typed}"));
        printer.page(&format!("\n{prompt}\n"))?;
        let why = match run(stage, typed, cancel).await? {
            // It heard of the interrupt before this program did.
            Ended::With(status) if status.code() == Some(130) => return Ok(Exit::Interrupted),
            Ended::With(status) if status.code() == Some(*exit) => {
                if *exit != 0 {
                    printer.page(&told(&[format!("exit code {exit}")]))?;
                }
                continue;
            }
            Ended::With(status) => format!("ended with {status}, not with {exit}"),
            Ended::Late => format!("took more than {PATIENCE:?}"),
            Ended::Interrupted => return Ok(Exit::Interrupted),
        };
        return Err(untold(format!("`imgstack {typed}` {why}")));
    }
    match stage.runs(scene.leaves).await {
        true => Ok(Exit::Done),
        false => Err(untold(format!(
            "the services do not run the build of {}",
            scene.leaves
        ))),
    }
}

fn introduction(stage: &Stage) -> String {
    let spec = stage.text().lines().map(|line| format!("    {line}\n"));
    told(&INTRODUCTION) + &spec.collect::<String>()
}

fn heading(number: usize, scene: &Scene) -> String {
    let title = paint(BOLD, format!("# {number}. {}", scene.title));
    format!("\n{title}\n{}", told(scene.told))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The test itself takes the program's place: it lists no test, and ends
    /// with 0.
    const TYPED: &str = "--list --exact no-such-test";

    #[tokio::test]
    async fn a_scene_that_does_not_go_as_told_is_an_error() {
        let stage = Stage::set().await.unwrap();
        let table: [(&[_; 1], _, _); 3] = [
            (&[(TYPED, 0)], "9b1d2e7", None),
            (&[(TYPED, 1)], "9b1d2e7", Some("not with 1")),
            (
                &[(TYPED, 0)],
                "abc1234",
                Some("do not run the build of abc1234"),
            ),
        ];
        for (typed, leaves, words) in table {
            let scene = Scene {
                title: "A test",
                told: &[],
                happens: |_| {},
                typed,
                leaves,
            };
            let played = play(&scene, &stage, Printer, &CancellationToken::new()).await;
            let problem = played.err().map(|problem| problem.to_string());
            match words {
                None => assert_eq!(problem, None),
                Some(words) => assert!(problem.unwrap().contains(words)),
            }
        }
    }
}
