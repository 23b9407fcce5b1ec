//! Makes a build and pushes it to a registry of the lab.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use imgstack_tests::build::{self, Build, Destination, Kind, Login, Platform, Pushed};
use jiff::civil::Date;

/// Pushes an image under the tags MAJOR-SHA, MAJOR-DATE and MAJOR, and prints
/// what it pushed as one line of JSON.
#[derive(Parser)]
struct Arguments {
    /// The repository, without the registry: stacks/postgres.
    repository: String,
    /// What the image does when it runs.
    #[arg(long, value_enum, default_value = "good")]
    kind: Kind,
    /// The commit it is made from.
    #[arg(long)]
    sha: String,
    /// The day it is made: 20260209.
    #[arg(long, value_parser = day)]
    date: Date,
    /// The mutable tag.
    #[arg(long, default_value = "16")]
    major: String,
    /// The platforms of the index.
    #[arg(long, value_delimiter = ',', default_value = "linux/amd64,linux/arm64")]
    platforms: Vec<Platform>,
    /// Push the manifest of the first platform alone.
    #[arg(long)]
    no_index: bool,
    /// The registry's address.
    #[arg(long, default_value = "http://10.77.0.1:5000")]
    registry: String,
    /// The user, for a registry that asks.
    #[arg(long, requires = "password_env")]
    username: Option<String>,
    /// The environment variable that holds the password.
    #[arg(long, requires = "username", value_name = "VARIABLE")]
    password_env: Option<String>,
    /// A statically linked busybox.
    #[arg(long, default_value = "/bin/busybox")]
    busybox: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(pushed) => {
            show(&pushed);
            ExitCode::SUCCESS
        }
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<Pushed, String> {
    let login = match (arguments.username, arguments.password_env) {
        (Some(username), Some(variable)) => Some(Login {
            username,
            password: std::env::var(&variable).map_err(|error| format!("{variable}: {error}"))?,
        }),
        _ => None,
    };
    let destination = Destination {
        registry: arguments.registry,
        login,
    };
    let build = Build {
        major: arguments.major,
        platforms: arguments.platforms,
        index: !arguments.no_index,
        busybox: arguments.busybox,
        ..Build::new(
            &arguments.repository,
            arguments.kind,
            &arguments.sha,
            arguments.date,
        )
    };
    build::push(&build, &destination)
        .await
        .map_err(|error| with_causes(&error))
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

fn day(text: &str) -> Result<Date, String> {
    Date::strptime("%Y%m%d", text).map_err(|error| error.to_string())
}

#[expect(clippy::print_stdout, reason = "what the program is for")]
fn show(pushed: &Pushed) {
    println!("{}", serde_json::json!(pushed));
}

#[expect(clippy::print_stderr, reason = "a program of the lab, not the product")]
fn complain(message: &str) {
    eprintln!("lab-build: {message}");
}
