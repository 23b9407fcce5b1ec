//! What a task wrote, taken apart into lines.
//!
//! The engine frames each piece of output with its stream and length, unless
//! the container has a terminal: then the bytes come raw. Engines before API
//! 1.42 do not say which, so the bytes decide: framed output is frames from
//! the first byte on.

/// One line of a task's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where it was written to.
    pub stream: LogStream,
    /// The line without its end; bytes that are not UTF-8 replaced.
    pub text: String,
}

/// Where a line was written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogStream {
    /// Standard output, or the terminal.
    Stdout,
    /// Standard error.
    Stderr,
}

const HEADER: usize = 8;

/// Takes the body of a log answer apart. A frame cut off at the end counts as
/// far as it goes.
pub(crate) fn lines(body: &[u8]) -> Vec<LogLine> {
    let mut out = Vec::new();
    if frame(body).is_none() {
        split(LogStream::Stdout, body, &mut out);
        return out;
    }
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut rest = body;
    while let Some((stream, length)) = frame(rest) {
        let (payload, after) = rest[HEADER..].split_at(length.min(rest.len() - HEADER));
        let pending = match stream {
            LogStream::Stdout => &mut stdout,
            LogStream::Stderr => &mut stderr,
        };
        // A long line comes in several frames, only the last of which ends it.
        pending.extend_from_slice(payload);
        if pending.ends_with(b"\n") {
            split(stream, pending, &mut out);
            pending.clear();
        }
        rest = after;
    }
    split(LogStream::Stdout, &stdout, &mut out);
    split(LogStream::Stderr, &stderr, &mut out);
    out
}

/// The stream and length in the header at the start of these bytes. Stream 3
/// carries the engine's own errors.
fn frame(bytes: &[u8]) -> Option<(LogStream, usize)> {
    let header: &[u8; HEADER] = bytes.first_chunk()?;
    let [kind, 0, 0, 0, a, b, c, d] = *header else {
        return None;
    };
    let stream = match kind {
        0 | 1 => LogStream::Stdout,
        2 | 3 => LogStream::Stderr,
        _ => return None,
    };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    Some((stream, length))
}

fn split(stream: LogStream, bytes: &[u8], out: &mut Vec<LogLine>) {
    if bytes.is_empty() {
        return;
    }
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        out.push(LogLine {
            stream,
            text: String::from_utf8_lossy(line).into_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{LogLine, LogStream, lines};

    fn framed(kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![kind, 0, 0, 0];
        frame.extend_from_slice(&u32::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend_from_slice(payload);
        frame
    }

    fn told(body: &[u8]) -> Vec<String> {
        let show = |line: LogLine| match line.stream {
            LogStream::Stdout => format!("out {}", line.text),
            LogStream::Stderr => format!("err {}", line.text),
        };
        lines(body).into_iter().map(show).collect()
    }

    #[test]
    fn bodies() {
        let cut = framed(2, b"FATAL: no space\n")[..14].to_vec();
        let table: &[(&str, Vec<u8>, &[&str])] = &[
            ("nothing", vec![], &[]),
            (
                "two streams",
                [
                    framed(1, b"one\n"),
                    framed(2, b"two\n"),
                    framed(1, b"three\n"),
                ]
                .concat(),
                &["out one", "err two", "out three"],
            ),
            (
                "a long line in two frames, with the other stream in between",
                [framed(1, b"be"), framed(2, b"x\n"), framed(1, b"gin\n")].concat(),
                &["err x", "out begin"],
            ),
            (
                "no line break at the end",
                framed(2, b"panic"),
                &["err panic"],
            ),
            (
                "several lines in a frame",
                framed(1, b"a\nb\n\n"),
                &["out a", "out b", "out "],
            ),
            ("not UTF-8", framed(1, b"caf\xe9\n"), &["out caf\u{fffd}"]),
            (
                "the engine's own error",
                framed(3, b"broken log\n"),
                &["err broken log"],
            ),
            (
                "an empty frame",
                [framed(1, b""), framed(1, b"a\n")].concat(),
                &["out a"],
            ),
            ("cut off in a frame", cut, &["err FATAL:"]),
            (
                "a terminal",
                b"$ ls\r\nfile\r\n".to_vec(),
                &["out $ ls", "out file"],
            ),
            ("a short terminal", b"ok".to_vec(), &["out ok"]),
        ];
        for (name, body, expected) in table {
            assert_eq!(&told(body), expected, "{name}");
        }
    }

    #[test]
    fn no_bytes_make_it_panic() {
        let mut seed = 1_u32;
        for length in 0..400 {
            let mut next = || {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8 & 7
            };
            let body: Vec<u8> = (0..length).map(|_| next()).collect();
            lines(&body);
        }
    }
}
