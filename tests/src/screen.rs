//! A terminal that is looked at while a program draws on it: just enough of one
//! for lines that move.

use std::io::Read;
use std::process::{Command, Stdio};

/// What a person sees, line by line.
#[derive(Debug, Default)]
pub struct Screen {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
    /// Of a character, or of what moves the cursor.
    pending: Vec<u8>,
}

impl Screen {
    /// The columns of a terminal that [`watch`] makes.
    pub const COLUMNS: usize = 100;

    /// Takes what a program has written.
    ///
    /// # Panics
    /// When it does what this terminal cannot.
    pub fn write(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        while let Some(taken) = self.take() {
            self.pending.drain(..taken);
        }
    }

    /// The lines that are not empty.
    pub fn lines(&self) -> Vec<String> {
        let lines = self.lines.iter().map(|line| line.iter().collect());
        let lines = lines.map(|line: String| line.trim_end().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    }

    /// Does the next thing, if all of it is there; how many bytes it was.
    fn take(&mut self) -> Option<usize> {
        match *self.pending.first()? {
            0x1b => self.sequence(),
            b'\r' => {
                self.column = 0;
                Some(1)
            }
            b'\n' => {
                self.row += 1;
                Some(1)
            }
            first => {
                let wide = match first {
                    0x00..=0x7f => 1,
                    0xc0..=0xdf => 2,
                    0xe0..=0xef => 3,
                    _ => 4,
                };
                let text = std::str::from_utf8(self.pending.get(..wide)?);
                let c = text.expect("UTF-8").chars().next().expect("a character");
                assert!(!c.is_control(), "{c:?}");
                self.put(c);
                Some(wide)
            }
        }
    }

    fn sequence(&mut self) -> Option<usize> {
        let rest = self.pending.get(1..)?;
        assert_eq!(rest.first().unwrap_or(&b'['), &b'[', "{rest:?}");
        let end = 1 + rest.get(1..)?.iter().position(u8::is_ascii_alphabetic)?;
        let number = String::from_utf8_lossy(&rest[1..end]).into_owned();
        let count = number.parse().unwrap_or(1);
        match rest[end] {
            b'A' => self.row = self.row.saturating_sub(count),
            b'B' => self.row += count,
            b'K' => {
                let from = if number == "2" { 0 } else { self.column };
                self.line().truncate(from);
            }
            // Colours, and whether the cursor is shown.
            b'm' | b'h' | b'l' => {}
            other => panic!("{number}{} is not known", char::from(other)),
        }
        Some(end + 2)
    }

    fn put(&mut self, c: char) {
        if self.column == Self::COLUMNS {
            (self.row, self.column) = (self.row + 1, 0);
        }
        let column = self.column;
        let line = self.line();
        if line.len() <= column {
            line.resize(column + 1, ' ');
        }
        line[column] = c;
        self.column += 1;
    }

    fn line(&mut self) -> &mut Vec<char> {
        if self.lines.len() <= self.row {
            self.lines.resize(self.row + 1, Vec::new());
        }
        &mut self.lines[self.row]
    }
}

/// Runs a command on a terminal, and looks at the screen each time that
/// something was drawn. Returns the exit code.
///
/// # Panics
/// When there is no terminal to be had.
pub fn watch(command: &Command, mut look: impl FnMut(&[String])) -> Option<i32> {
    let words = [command.get_program()]
        .into_iter()
        .chain(command.get_args());
    let words: Vec<String> = words
        .map(|word| format!("'{}'", word.to_str().expect("UTF-8")))
        .collect();
    let line = format!(
        "stty cols {} rows 50 && exec {}",
        Screen::COLUMNS,
        words.join(" ")
    );
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    script.env_clear();
    for (key, value) in command.get_envs() {
        script.env(key, value.unwrap_or_default());
    }
    script.env("TERM", "xterm");
    if let Some(folder) = command.get_current_dir() {
        script.current_dir(folder);
    }
    let mut child = script
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script starts");
    let mut terminal = child.stdout.take().expect("a piped stdout");
    let (mut screen, mut buffer) = (Screen::default(), [0; 4096]);
    while let Ok(read @ 1..) = terminal.read(&mut buffer) {
        screen.write(&buffer[..read]);
        look(&screen.lines());
    }
    child.wait().expect("script ends").code()
}

#[cfg(test)]
mod tests {
    use super::Screen;

    /// (what is written, what is seen)
    #[test]
    fn what_is_written_is_seen() {
        let long = "x".repeat(Screen::COLUMNS + 1);
        let table = [
            ("one\r\ntwo\r\n", vec!["one", "two"]),
            ("one\rtw", vec!["twe"]),
            ("one\r\x1b[2Ktwo", vec!["two"]),
            ("one\r\ntwo\x1b[1A\r\x1b[Kx", vec!["x", "two"]),
            ("a\r\nb\r\nc\x1b[2A\r1\r\n2", vec!["1", "2", "c"]),
            ("\x1b[?25l\x1b[1;31mred\x1b[0m ü█", vec!["red ü█"]),
            (&long, vec![&long[1..], "x"]),
        ];
        for (written, seen) in table {
            let mut whole = Screen::default();
            whole.write(written.as_bytes());
            assert_eq!(whole.lines(), seen, "{written:?}");
            // A reader gets it in any pieces.
            let mut pieces = Screen::default();
            written.bytes().for_each(|byte| pieces.write(&[byte]));
            assert_eq!(pieces.lines(), seen, "{written:?}");
        }
    }
}
