//! Choices out of random numbers, and the writing of YAML in every style that
//! people have.

use std::fmt::Write as _;
use std::ops::Range;

/// A stream of choices. When it ends, the first choice is always taken, so that
/// a shorter stream makes a simpler file.
pub struct Draw {
    numbers: std::vec::IntoIter<u16>,
}

impl Draw {
    pub fn new(numbers: Vec<u16>) -> Self {
        Self {
            numbers: numbers.into_iter(),
        }
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.numbers.next().unwrap_or(0)) % bound
    }

    pub fn pick<'c, T: ?Sized>(&mut self, choices: &[&'c T]) -> &'c T {
        choices[self.below(choices.len())]
    }

    /// True in one of `of` cases, and never at the end of the stream.
    pub fn once_in(&mut self, of: usize) -> bool {
        self.below(of) == of - 1
    }
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    Single,
    Double,
    Block,
}

/// A scalar in the text.
#[derive(Clone, Debug)]
pub struct Scalar {
    /// The value alone, its quotes included.
    pub bytes: Range<usize>,
    pub style: Style,
}

/// A text while it is written.
pub struct Page {
    pub draw: Draw,
    pub text: String,
    pub line_break: &'static str,
    /// Every comment that stands in the text, each once.
    pub comments: Vec<String>,
    anchors: usize,
    /// A block scalar has just been written: what is indented would be its own.
    behind_block: bool,
}

impl Page {
    pub fn new(mut draw: Draw, line_breaks: &[&'static str]) -> Self {
        let line_break = draw.pick(line_breaks);
        let text = match draw.once_in(5) {
            true => "\u{feff}".to_owned(),
            false => String::new(),
        };
        Self {
            draw,
            text,
            line_break,
            comments: Vec::new(),
            anchors: 0,
            behind_block: false,
        }
    }

    pub fn put(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub fn end_line(&mut self) {
        self.put(self.line_break);
    }

    pub fn spaces(&mut self, count: usize) {
        self.put(&" ".repeat(count));
    }

    fn blanks(&mut self) {
        let blanks = self.draw.pick(&[" ", "  ", "\t", " \t ", "          "]);
        self.put(blanks);
    }

    /// `# …`, which no other comment is.
    fn comment(&mut self) {
        let word = self.draw.pick(&[
            "moves",
            "pin: 1",
            "image: x:1",
            "Größe 🦀",
            "{a: \"b",
            "it's #1",
            "- x: *y",
            "---",
            "a very long one, which goes on and on and on and on and on and on and on and on",
        ]);
        let comment = format!("#{} {word}", self.comments.len());
        self.put(&comment);
        self.comments.push(comment);
    }

    /// What may follow on a line, and its end.
    pub fn rest_of_line(&mut self) {
        match self.draw.below(5) {
            3 => self.blanks(),
            4 => {
                self.blanks();
                self.comment();
            }
            _ => {}
        }
        self.end_line();
    }

    /// Lines that mean nothing.
    pub fn idle_lines(&mut self) {
        while self.draw.once_in(4) {
            match self.draw.below(3) {
                0 => {}
                1 if !self.behind_block => self.blanks(),
                1 => {}
                _ => {
                    let most = if self.behind_block { 1 } else { 12 };
                    let indent = self.draw.below(most);
                    self.spaces(indent);
                    self.comment();
                    self.behind_block = false;
                }
            }
            self.end_line();
        }
    }

    /// `key:` and what stands before its value.
    pub fn key(&mut self, key: &str, in_json: bool) {
        self.behind_block = false;
        if in_json {
            let space = self.draw.pick(&["", " "]);
            return self.put(&format!("\"{key}\":{space}"));
        }
        let key = match self.draw.below(8) {
            6 => format!("'{key}'"),
            7 => format!("\"{key}\""),
            _ => key.to_owned(),
        };
        let before = self.draw.pick(&["", "", "", "", " "]);
        let behind = self.draw.pick(&[" ", " ", " ", "  ", "\t", "     "]);
        self.put(&format!("{key}{before}:{behind}"));
    }

    /// The name of a new anchor.
    pub fn anchor(&mut self) -> String {
        self.anchors += 1;
        format!("a{}", self.anchors)
    }

    /// A value in any style. `indent` is that of its key, None in brackets.
    pub fn scalar(&mut self, text: &str, indent: Option<usize>, in_json: bool) -> Scalar {
        let style = match self.draw.below(8) {
            _ if in_json => Style::Double,
            5 => Style::Single,
            6 => Style::Double,
            7 if indent.is_some() => Style::Block,
            _ => Style::Plain,
        };
        self.styled(text, style, indent)
    }

    pub fn styled(&mut self, text: &str, style: Style, indent: Option<usize>) -> Scalar {
        if style == Style::Block {
            let header = self.draw.pick(&["|-", ">-"]);
            self.put(header);
            if self.draw.once_in(3) {
                self.put(" ");
                self.comment();
            }
            self.end_line();
            let indent = indent.unwrap_or_default() + 1 + self.draw.below(4);
            self.spaces(indent);
            self.behind_block = true;
        }
        let spelt = match style {
            Style::Plain | Style::Block => text.to_owned(),
            Style::Single => format!("'{}'", text.replace('\'', "''")),
            Style::Double => format!("{text:?}"),
        };
        let start = self.text.len();
        self.put(&spelt);
        Scalar {
            bytes: start..self.text.len(),
            style,
        }
    }

    /// The end of the line in which a value stands in a block.
    pub fn end_value(&mut self, scalar: &Scalar) {
        match scalar.style {
            Style::Block => self.end_line(),
            Style::Plain | Style::Single | Style::Double => self.rest_of_line(),
        }
    }

    /// A break inside brackets, or nothing.
    pub fn loose_break(&mut self, indent: usize) {
        if self.draw.once_in(4) {
            if self.draw.once_in(3) {
                self.put(" ");
                self.comment();
            }
            self.end_line();
            let more = indent + 1 + self.draw.below(5);
            self.spaces(more);
        } else {
            let space = self.draw.pick(&[" ", " ", "", "  "]);
            self.put(space);
        }
    }

    /// The text without its last line break in some cases.
    pub fn finish(&mut self) {
        if self.draw.once_in(4) && self.text.ends_with(self.line_break) {
            self.text.truncate(self.text.len() - self.line_break.len());
        }
    }

    /// Lines of a mapping that have nothing to do with the matter.
    pub fn noise(&mut self, name: &str, indent: usize) {
        self.spaces(indent);
        self.key(name, false);
        match self.draw.below(4) {
            0 => {
                let text = self.draw.pick(&["a b", "x", "1", "${A:-b}", "ü"]);
                let scalar = self.scalar(text, Some(indent), false);
                self.end_value(&scalar);
            }
            1 => {
                self.put("[a, {b: \"c, d\"}, 'e']");
                self.rest_of_line();
            }
            2 => {
                self.put("|");
                self.end_line();
                for line in ["image: fake:1", "  pin: fake", "# no comment", "- x"] {
                    self.spaces(indent + 2);
                    self.put(line);
                    self.end_line();
                }
                self.behind_block = true;
            }
            _ => {
                self.rest_of_line();
                let deeper = indent + 1 + self.draw.below(4);
                for at in 0..1 + self.draw.below(3) {
                    self.spaces(deeper);
                    let mut line = String::new();
                    write!(line, "- A_{at}=b c").unwrap();
                    self.put(&line);
                    self.rest_of_line();
                }
            }
        }
    }
}

/// The text with a few characters less or more in it.
pub fn damage(text: &str, draw: &mut Draw) -> String {
    let mut text = text.to_owned();
    for _ in 0..=draw.below(4) {
        let mut at = draw.below(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        match draw.below(4) {
            0 => drop(text[at..].chars().next().map(|_| text.remove(at))),
            1 => {
                let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
                let end = text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
                let line = text[start..end].to_owned();
                text.insert_str(start, &line);
            }
            _ => {
                let new = draw.pick(&[
                    " ",
                    "  ",
                    "\t",
                    "\n",
                    "\r",
                    ":",
                    ": ",
                    "#",
                    " #",
                    "\"",
                    "'",
                    "{",
                    "}",
                    "[",
                    "]",
                    ",",
                    "- ",
                    "? ",
                    "&a1 ",
                    "*a1 ",
                    "|",
                    "!x ",
                    "<<: *a1\n",
                    "pin: 1\n",
                    "\u{feff}",
                    "---\n",
                    "\\",
                ]);
                text.insert_str(at, new);
            }
        }
    }
    text
}
