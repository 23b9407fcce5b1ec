//! From bytes to text that a YAML parser and a terminal can be trusted with.

use crate::diagnostic::{Finding, Findings, Kind, quoted};
use crate::source::Source;

/// Puts the bytes into the source as text, without a byte order mark, and says
/// whether it can be parsed. What is not UTF-8 is told, and stands there as
/// replacement characters.
pub(crate) fn decode(bytes: &[u8], source: &mut Source, findings: &mut Findings) -> bool {
    let not_text = |message: String, help: &str| Finding::new(Kind::NotText, message).help(help);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        let message = format!("{} is UTF-16 text", quoted(&source.name));
        findings.push(not_text(message, "save the file as UTF-8").of(source));
        return false;
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        let message = format!(
            "{} is not a text file: its byte {} is NUL",
            quoted(&source.name),
            at + 1
        );
        findings.push(not_text(message, "give a YAML file in UTF-8").of(source));
        return false;
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) => text.clone_into(&mut source.text),
        Err(error) => {
            source.text = String::from_utf8_lossy(bytes).into_owned();
            // One replacement character takes the place of the wrong bytes.
            let at = error.valid_up_to();
            let span = source.span(at, at + char::REPLACEMENT_CHARACTER.len_utf8());
            let finding = not_text("this is not UTF-8".to_owned(), "save the file as UTF-8");
            findings.push(finding.at(span, "not a character"));
            return false;
        }
    }
    if let Some((at, c)) = source
        .text
        .char_indices()
        .find(|(at, c)| is_foreign(&source.text, *at, *c))
    {
        let span = source.span(at, at + c.len_utf8());
        let message = format!(
            "the control character U+{:04X} cannot stand in a spec",
            c as u32
        );
        let help = match c {
            '\r' => "save the file with line breaks of LF or CR LF",
            _ => "remove the character",
        };
        findings.push(not_text(message, help).at(span, "here"));
        return false;
    }
    true
}

/// Control characters, and a line break that only half of the world sees.
fn is_foreign(text: &str, at: usize, c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        '\r' => !text[at + 1..].starts_with('\n'),
        '\u{feff}' => true,
        c => c.is_control(),
    }
}
