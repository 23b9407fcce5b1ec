//! Looking at the world, with a sign of life for whoever waits.

use std::pin::pin;
use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use tokio::time::timeout;

use crate::printer::Printer;

/// What takes no longer than this is not spoken of.
const SOON: Duration = Duration::from_secs(1);
/// How often a pipe is told that something is still going on.
const BEAT: Duration = Duration::from_secs(10);
const WHAT: &str = "Reading the Swarm and the registries...";
/// What is said where GitHub alone is asked.
pub(crate) const GITHUB: &str = "Asking GitHub...";

/// Waits for a look at the world.
pub(crate) async fn waiting<T>(printer: Printer, looking: impl Future<Output = T>) -> T {
    waiting_for(WHAT, printer, looking).await
}

/// Waits for `looking`: after a second with a spinner on a terminal, in a pipe
/// with a line every ten seconds.
pub(crate) async fn waiting_for<T>(
    what: &'static str,
    printer: Printer,
    looking: impl Future<Output = T>,
) -> T {
    let mut looking = pin!(looking);
    if let Ok(seen) = timeout(SOON, &mut looking).await {
        return seen;
    }
    let began = Instant::now();
    let _spinner = printer.is_watched().then(|| Spinner::start(what));
    loop {
        if let Ok(seen) = timeout(BEAT, &mut looking).await {
            return seen;
        }
        if !printer.is_watched() {
            let seconds = (SOON + began.elapsed()).as_secs();
            printer.notice(&format!("{what} [{seconds}s elapsed]\n"));
        }
    }
}

/// Leaves a clean line behind, also when it is dropped half-way.
struct Spinner(ProgressBar);

impl Spinner {
    fn start(what: &'static str) -> Self {
        let bar = ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(Duration::from_millis(100));
        Self(bar)
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
