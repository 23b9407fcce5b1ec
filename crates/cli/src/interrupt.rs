//! Ctrl-C and the polite kill.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that is cancelled by the first SIGINT, SIGTERM or SIGHUP (a terminal
/// that was closed). The second ends the program at once: a person who insists
/// is obeyed.
pub(crate) fn watch() -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let cancel = token.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            if cancel.is_cancelled() {
                std::process::exit(130);
            }
            cancel.cancel();
        }
    });
    Ok(token)
}

/// The same for what must always tidy up, and does so soon: the second signal
/// is not needed, and a terminal that was closed counts, too.
pub(crate) fn watch_to_the_end() -> io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ];
    for mut heard in kinds
        .map(signal)
        .into_iter()
        .collect::<io::Result<Vec<Signal>>>()?
    {
        let cancel = token.clone();
        tokio::spawn(async move {
            while heard.recv().await.is_some() {
                cancel.cancel();
            }
        });
    }
    Ok(token)
}
