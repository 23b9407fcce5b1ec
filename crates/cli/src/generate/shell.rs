//! Words of a POSIX shell, in a script that other programs read before it.

use std::fmt::Write;

/// The text as one word of a script, whatever stands in it.
///
/// The script goes through YAML, so that a word is of printable ASCII; and
/// maybe through a templater such as Terraform's, so that no `${` and no `%{`
/// is in it.
pub(crate) fn word(text: &str) -> String {
    if !text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') {
        let mut octal = String::new();
        for byte in text.bytes() {
            let _ = write!(octal, "\\{byte:03o}");
        }
        return format!("\"$(printf '{octal}')\"");
    }
    let mut word = "'".to_owned();
    for c in text.chars() {
        match c {
            '\'' | '{' => word.extend(["'\\", c.encode_utf8(&mut [0; 4]), "'"]),
            c => word.push(c),
        }
    }
    word.push('\'');
    word
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_back_what_was_written() {
        for text in [
            "",
            "ghcr.io/acme/web:16",
            "[::1]:5000",
            "a b",
            "o'brien",
            "''",
            "\"quoted\" `id` \\ $(id) $HOME !! * ~ #",
            "${token} %{ if x } $${y}",
            "-n",
            "a\tb\r\u{1}\u{7f}",
            "Jörg 日本 \u{2028}\u{85}",
        ] {
            let word = word(text);
            let safe = word.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
            assert!(
                safe && !word.contains("${") && !word.contains("%{"),
                "{word}"
            );
            let script = format!("printf '%s' {word}");
            let read = Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(read.stdout).unwrap(), text, "{word}");
        }
    }
}
