//! Secrets that are recognised wherever they turn up, however they are written.

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Secrets of one run that begin alike, and like nothing else.
#[derive(Clone, Debug)]
pub struct Marks {
    beginning: String,
    /// How that may be written, and what it then looks like.
    forms: Vec<(&'static str, String)>,
}

impl Default for Marks {
    fn default() -> Self {
        // The signs are those in which the two alphabets of base64 differ.
        let beginning = format!("marked~~~~????~~~~{}", std::process::id());
        let hex: String = beginning.bytes().map(|it| format!("{it:02x}")).collect();
        let query = form_urlencoded::byte_serialize(beginning.as_bytes()).collect();
        let mut forms = vec![
            ("plain", beginning.clone()),
            ("hexadecimal", hex),
            ("as in a query", query),
        ];
        for before in 0..3 {
            let standard = within(&STANDARD_NO_PAD, &beginning, before);
            let url_safe = within(&URL_SAFE_NO_PAD, &beginning, before);
            forms.extend([("base64", standard), ("URL-safe base64", url_safe)]);
        }
        Self { beginning, forms }
    }
}

impl Marks {
    /// A secret.
    pub fn secret(&self, name: &str) -> String {
        format!("{}-{name}", self.beginning)
    }

    /// In what writing one of them is there, if it is.
    pub fn found_in(&self, text: &[u8]) -> Option<&'static str> {
        let text = String::from_utf8_lossy(text);
        let found = self.forms.iter().find(|(_, form)| text.contains(form));
        found.map(|(writing, _)| *writing)
    }
}

/// What base64 makes of a text inside something longer, with so many bytes
/// before it beyond a multiple of three: the signs that it alone decides.
fn within(alphabet: &impl base64::Engine, text: &str, before: usize) -> String {
    let mut bytes = vec![0; before];
    bytes.extend(text.bytes());
    let encoded = alphabet.encode(&bytes);
    encoded[(before * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    #[test]
    fn a_secret_is_found_in_every_writing_at_every_place() {
        let marks = Marks::default();
        let secret = marks.secret("it");
        assert_eq!(marks.found_in(secret.as_bytes()), Some("plain"));
        for before in ["", "r", "ro", "rob", "robot"] {
            for after in ["", "\"", "\"}", "\"}}"] {
                let text = format!("{before}{secret}{after}");
                let header = STANDARD.encode(&text);
                assert_eq!(marks.found_in(header.as_bytes()), Some("base64"), "{text}");
                let header = URL_SAFE.encode(&text);
                let found = marks.found_in(header.as_bytes());
                assert_eq!(found, Some("URL-safe base64"), "{text}");
            }
        }
        for text in ["", "marked", "marked~~~~????~~~~"] {
            assert_eq!(marks.found_in(text.as_bytes()), None);
        }
    }
}
