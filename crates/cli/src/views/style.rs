//! The few styles in use, and words that several views share.

use anstyle::{AnsiColor, Style};
use imgstack_spec::Digest;
use jiff::Timestamp;

pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const CHANGE: Style = AnsiColor::Yellow.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default().bold();

/// `text` in a style.
pub(crate) fn paint(style: Style, text: impl std::fmt::Display) -> String {
    format!("{style}{text}{style:#}")
}

/// Words from outside, such as a task's error or a label, as a part of one
/// line: nothing in them begins a line of its own or sets a colour.
pub(crate) fn inline(text: &str) -> String {
    let plain = |c: char| match c {
        '\n' | '\r' | '\t' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    text.trim_end().chars().map(plain).collect()
}

/// The same where no printer stands between the text and who reads it: what
/// would reorder it is made visible as well.
pub(crate) fn visible(text: &str) -> String {
    let reorders = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let chars = inline(text);
    let chars = chars.chars().map(|c| match reorders(c) {
        true => char::REPLACEMENT_CHARACTER,
        false => c,
    });
    chars.collect()
}

/// A digest short enough to be read, long enough to be told apart:
/// `sha256:9f31c0a2b4d6…`
pub(crate) fn short(digest: &Digest) -> String {
    match digest.as_str().split_once(':') {
        Some((algorithm, hex)) => format!("{algorithm}:{}…", hex.get(..12).unwrap_or(hex)),
        None => digest.to_string(),
    }
}

/// The same where a column's head says what it is: `9f31c0a2b4d6…`
pub(crate) fn shortest(digest: &Digest) -> String {
    let short = short(digest);
    match short.split_once(':') {
        Some((_, hex)) => hex.to_owned(),
        None => short,
    }
}

/// "1m2s"
pub(crate) fn lasting(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

/// "7 days ago", seen from `now`. The clocks of two machines are never quite
/// the same, so what is less than a minute ahead is of now.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - then.as_second();
    let (count, unit) = match seconds {
        i64::MIN..=-60 => return "in the future".to_owned(),
        -59..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        86_400..5_184_000 => (seconds / 86_400, "day"),
        5_184_000..63_072_000 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural} ago")
}

/// "2026-12-03, in 9 days", "2026-11-03, 21 days ago", seen from `now`.
pub(crate) fn until(end: Timestamp, now: Timestamp) -> String {
    let date = end.strftime("%Y-%m-%d");
    if end <= now {
        return format!("{date}, {}", ago(end, now));
    }
    let hours = end.duration_since(now).as_hours();
    match hours {
        0..48 => format!("{date}, in {hours} h"),
        _ => format!("{date}, in {} days", hours / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_a_little_ahead_is_of_now() {
        let at = |second| Timestamp::from_second(second).unwrap();
        for (then, expected) in [
            (900, "in the future"),
            (660, "in the future"),
            (659, "just now"),
            (600, "just now"),
            (541, "just now"),
            (540, "1 minute ago"),
            (480, "2 minutes ago"),
        ] {
            assert_eq!(ago(at(then), at(600)), expected, "{then}");
        }
    }

    #[test]
    fn words_from_outside_forge_no_line_and_no_colour() {
        let forged = "exit 1\nApply complete!\r\n\u{1b}[32mNo changes.\u{2028}x\n";
        assert_eq!(
            inline(forged),
            "exit 1 Apply complete!  \u{fffd}[32mNo changes. x"
        );
    }
}
