//! What a host says when it refuses, in whichever shape it says it.

use std::fmt;

use reqwest::header::HeaderMap;
use serde::Deserialize;

/// The longest message that is kept of an answer.
const LONGEST_MESSAGE: usize = 200;

/// What a host said when it refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// The error code of the distribution protocol, such as `DENIED`.
    pub code: Option<String>,
    /// The host's words: one line, shortened.
    pub message: Option<String>,
    /// `x-github-request-id`: what GitHub's support asks for.
    pub request_id: Option<String>,
    /// `x-accepted-github-permissions`: what GitHub says that it takes. Sets
    /// are divided by semicolons, and one of them is enough.
    pub takes: Option<String>,
}

impl Answer {
    pub(crate) const NONE: Self = Self {
        status: 0,
        code: None,
        message: None,
        request_id: None,
        takes: None,
    };
}

/// In parentheses, with a space before it, to end an error's message.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.status == 0 {
            return Ok(());
        }
        write!(f, " (HTTP {}", self.status)?;
        if let Some(code) = &self.code {
            write!(f, " {code}")?;
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        if let Some(takes) = &self.takes {
            write!(f, "; GitHub names: {takes}")?;
        }
        if let Some(id) = &self.request_id {
            write!(f, "; request ID {id}")?;
        }
        f.write_str(")")
    }
}

/// The shapes of an error's body that registries and token servers use.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    /// The distribution protocol.
    errors: Vec<OciError>,
    /// GitHub, and token servers.
    message: Option<String>,
    /// Docker Hub's token server.
    details: Option<String>,
    /// OAuth 2.
    error: Option<String>,
    error_description: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct OciError {
    code: Option<String>,
    message: Option<String>,
}

/// Reads what a refusal says of itself.
pub(crate) fn read(headers: &HeaderMap, status: u16, body: &[u8]) -> Answer {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (code, message) = match serde_json::from_slice::<Body>(body) {
        Ok(mut body) => {
            let first = body.errors.drain(..).next().unwrap_or_default();
            let message = first.message.or(body.message).or(body.details);
            (
                first.code,
                message.or(body.error_description).or(body.error),
            )
        }
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let page = text.trim_start().starts_with('<');
            (None, (!page).then(|| text.into_owned()))
        }
    };
    Answer {
        status,
        code: code.and_then(|code| one_line(&code)),
        message: message.and_then(|message| one_line(&message)),
        request_id: header("x-github-request-id").and_then(one_line),
        takes: header("x-accepted-github-permissions").and_then(one_line),
    }
}

/// One line that a terminal can be trusted with; None for an empty one.
fn one_line(text: &str) -> Option<String> {
    let line: String = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(LONGEST_MESSAGE) {
        Some((end, _)) => Some(format!("{}…", &line[..end])),
        None => Some(line).filter(|line| !line.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_fits_on_a_line_of_a_terminal() {
        let body = format!("\u{1b}[31mred\r\n{}", "ü".repeat(1000));
        let answer = read(&HeaderMap::new(), 500, body.as_bytes());
        let message = answer.message.unwrap();
        assert!(message.starts_with("[31mred ü"));
        assert_eq!(message.chars().count(), LONGEST_MESSAGE + 1);
    }
}
