//! Mistakes while they are being collected.

use std::collections::{BTreeSet, HashSet};
use std::ops::Range;

use miette::LabeledSpan;

use super::{Diagnostics, Elsewhere, Kind, Mistake, Shown};
use crate::secrets;
use crate::source::{Source, SourceId, Span};

/// How many mistakes a run shows. More are not read by anybody, and this bounds
/// what a hostile file can make us write.
const SHOWN: usize = 100;

/// A mistake, with places in texts that may hold secrets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Finding {
    kind: Kind,
    message: String,
    /// The text it is in, when no place in it says so.
    source: Option<SourceId>,
    labels: Vec<(Span, String)>,
    help: Option<String>,
}

impl Finding {
    /// The message is a lower-case fragment.
    pub(crate) fn new(kind: Kind, message: impl AsRef<str>) -> Self {
        Self {
            kind,
            message: harmless(message.as_ref()),
            source: None,
            labels: Vec::new(),
            help: None,
        }
    }

    /// Says which text it is in, when it has no place there.
    pub(crate) fn of(mut self, source: &Source) -> Self {
        self.source = Some(source.id);
        self
    }

    /// Adds a place. The first is the one a person should go to.
    pub(crate) fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.labels.push((span, label.into()));
        self
    }

    /// What to do about it.
    pub(crate) fn help(mut self, help: impl AsRef<str>) -> Self {
        self.help = Some(harmless(help.as_ref()));
        self
    }

    /// The remedy for a slip of the fingers, if there is a near name.
    pub(crate) fn did_you_mean(self, near: Option<&str>) -> Self {
        match near {
            Some(near) => self.help(format!("did you mean {}?", quoted(near))),
            None => self,
        }
    }

    fn source(&self) -> Option<SourceId> {
        let first = self.labels.first();
        first.map_or(self.source, |(span, _)| Some(span.source))
    }

    fn place(&self) -> (Option<SourceId>, usize) {
        let first = self.labels.first();
        (self.source(), first.map_or(0, |(span, _)| span.start))
    }
}

/// The mistakes so far, and the secrets that must not be shown with them.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Finding>,
    /// What stands behind an alias is read at each use; its mistakes count once.
    seen: HashSet<Finding>,
    omitted: usize,
    /// Once each, however often it is met.
    secrets: BTreeSet<Span>,
    trees: BTreeSet<SourceId>,
}

impl Findings {
    pub(crate) fn push(&mut self, finding: Finding) {
        if self.is_full() {
            self.omitted += 1;
        } else if self.seen.insert(finding.clone()) {
            self.list.push(finding);
        }
    }

    /// Whether more are only counted: looking for near names is then useless.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() >= SHOWN
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many there are: a larger number later means that something is wrong
    /// in between.
    pub(crate) fn count(&self) -> usize {
        self.list.len() + self.omitted
    }

    /// Marks a place as not to be shown.
    pub(crate) fn blacken(&mut self, span: Span) {
        self.secrets.insert(span);
    }

    #[cfg(test)]
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Span> {
        self.secrets.iter()
    }

    /// Says that a text is YAML from end to end, so that the places blackened
    /// are all its secrets.
    pub(crate) fn is_tree(&mut self, source: &Source) {
        self.trees.insert(source.id);
    }

    /// Binds the mistakes to what may be shown of the texts.
    pub(crate) fn into_diagnostics(mut self, sources: &[Source]) -> Diagnostics {
        self.list.sort_by_key(Finding::place);
        let shown: Vec<Shown> = sources
            .iter()
            .map(|source| {
                let is_tree = self.trees.contains(&source.id);
                Shown::new(source, self.secrets_of(source), is_tree)
            })
            .collect();
        Diagnostics {
            mistakes: self
                .list
                .into_iter()
                .map(|finding| bind(finding, &shown))
                .collect(),
            omitted: self.omitted,
        }
    }

    /// The places in a text that have been marked so.
    pub(crate) fn secrets_of(&self, source: &Source) -> Vec<Range<usize>> {
        self.secrets
            .iter()
            .filter(|span| span.source == source.id)
            .map(|span| span.start..span.end)
            .collect()
    }
}

fn bind(finding: Finding, shown: &[Shown]) -> Mistake {
    let main = finding.source();
    let (here, there): (Vec<_>, Vec<_>) = finding
        .labels
        .into_iter()
        .partition(|(span, _)| Some(span.source) == main);
    Mistake {
        kind: finding.kind,
        message: finding.message,
        help: finding.help,
        labels: here
            .into_iter()
            .enumerate()
            .map(|(index, (span, label))| {
                let place = shown[span.source].clip(span.start..span.end);
                if index == 0 {
                    LabeledSpan::new_primary_with_span(Some(label), place)
                } else {
                    LabeledSpan::new_with_span(Some(label), place)
                }
            })
            .collect(),
        text: main.map(|id| shown[id].clone()),
        elsewhere: there
            .into_iter()
            .map(|(span, label)| Elsewhere {
                message: format!("{label}, in {}", shown[span.source].name()),
                label: LabeledSpan::new_with_span(
                    Some(label),
                    shown[span.source].clip(span.start..span.end),
                ),
                text: shown[span.source].clone(),
            })
            .collect(),
    }
}

/// Text of the user's for a message: in backticks and of bounded length.
pub(crate) fn quoted(text: &str) -> String {
    const LONGEST: usize = 80;
    // A secret that is cut short would not look like one any more.
    let text = without_secrets(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

/// The text on one line, of bounded length, with nothing in it that a terminal
/// would obey and without what is known for a secret by its look.
pub(crate) fn harmless(text: &str) -> String {
    const LONGEST: usize = 600;
    let mut out = String::new();
    for c in without_secrets(text).chars() {
        if out.len() > LONGEST {
            out.push('…');
            break;
        }
        if is_unprintable(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// The text with an asterisk for each character of what looks like a secret.
fn without_secrets(text: &str) -> String {
    let mut secrets = secrets::by_look(text);
    secrets.sort_by_key(|range| range.start);
    let mut secrets = secrets.into_iter().peekable();
    let shown = |(at, c)| {
        while secrets.next_if(|secret| secret.end <= at).is_some() {}
        let hidden = secrets.peek().is_some_and(|secret| secret.contains(&at));
        if hidden { '*' } else { c }
    };
    text.char_indices().map(shown).collect()
}

/// Control characters and the ones that turn the direction of a line.
pub(super) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_harmless() {
        assert_eq!(harmless("a b"), "a b");
        assert_eq!(harmless("a\u{1b}[31m\nb"), "a\\u{1b}[31m\\nb");
        assert_eq!(harmless("\u{202e}x"), "\\u{202e}x");
        assert_eq!(harmless("`ssh://a:b@c`"), "`ssh://a:*@c`");
        assert_eq!(harmless("ä ghp_0123456789abcdef"), "ä ********************");
        assert_eq!(harmless(&"ä".repeat(9000)).chars().count(), 302);
    }

    #[test]
    fn quoted_text_is_bounded() {
        assert_eq!(quoted("a b"), "`a b`");
        assert_eq!(quoted(&"ä".repeat(81)), format!("`{}…`", "ä".repeat(80)));
        let long = format!("a:{}@b", "x".repeat(81));
        assert_eq!(quoted(&long), format!("`a:{}…`", "*".repeat(78)));
    }
}
