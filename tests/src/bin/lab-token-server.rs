//! The token server of the lab's private registry, as a program.

use std::process::ExitCode;

use clap::Parser;
use imgstack_tests::token_server::{self, Settings};

/// Gives out tokens for the lab's private registry, as GHCR does for its own.
#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
}

#[tokio::main]
async fn main() -> ExitCode {
    match token_server::serve(Arguments::parse().settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "a program of the lab, not the product")]
fn complain(error: &dyn std::error::Error) {
    eprintln!("lab-token-server: {error}");
}
