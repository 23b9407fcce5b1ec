//! The one door to stdout and stderr.
//!
//! Results go to stdout; progress, prompts and diagnostics to stderr
//! (design, command line). Colour is taken away where there is no terminal or
//! `NO_COLOR` is set.

use std::io::{self, IsTerminal, Write};

use anstream::AutoStream;

/// Where the program's words go.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Printer;

impl Printer {
    /// A result. A reader that went away, as in `imgstack plan | head`, is no
    /// error of ours.
    pub(crate) fn result(self, text: &str) -> io::Result<()> {
        let mut out = AutoStream::auto(io::stdout().lock());
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            other => other,
        }
    }

    /// Progress, a prompt or a diagnostic. Without a stderr there is nobody to
    /// tell, so a failure is dropped.
    pub(crate) fn notice(self, text: &str) {
        let mut err = AutoStream::auto(io::stderr().lock());
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    /// Whether a person watches stderr.
    pub(crate) fn is_watched(self) -> bool {
        io::stderr().is_terminal()
    }

    /// Whether colour may be used on stderr.
    pub(crate) fn coloured_notices(self) -> bool {
        AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
    }
}
