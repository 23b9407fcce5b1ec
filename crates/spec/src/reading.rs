//! From texts to stacks: the pure part of reading.

use std::sync::Arc;

use crate::Input;
use crate::check::{self, Names};
use crate::decode;
use crate::diagnostic::{Diagnostics, Finding, Findings, Kind, quoted};
use crate::document::{API_VERSION, Document, KIND};
use crate::load::Content;
use crate::model::StackSet;
use crate::section::{Context, Read};
use crate::source::Source;
use crate::yaml::{self, Node, Value};

/// The most bytes that one input may have: a stack of thousands of services.
pub(crate) const MOST_BYTES_OF_ONE: usize = 1 << 20;

/// The most bytes that the inputs may have together. What comes after is not
/// read, nor loaded.
pub(crate) const MOST_BYTES: usize = 8 << 20;

/// Reads the inputs as one set of stacks.
///
/// # Errors
/// Every mistake in them, by input and place. A syntax error hides what stands
/// behind it in its document, and nothing else.
pub fn read(inputs: &[Input]) -> Result<StackSet, Diagnostics> {
    let mut findings = Findings::default();
    let texts = texts(inputs, &mut findings);
    let mut nodes = 0;
    let documents: Vec<(&Source, Document)> = texts
        .iter()
        .filter(|text| text.parses)
        .flat_map(|text| {
            let found = documents(&text.source, &mut nodes, &mut findings);
            found.into_iter().map(|document| (&text.source, document))
        })
        .collect();
    let names = Names::collect(
        documents.iter().map(|(_, document)| document),
        &mut findings,
    );
    let stacks = documents
        .iter()
        .filter_map(|(source, document)| {
            let mut context = Context {
                source,
                findings: &mut findings,
            };
            check::stack(document, &names, &mut context)
        })
        .collect();
    if inputs.is_empty() {
        let finding = Finding::new(Kind::NoDocument, "no spec was given");
        findings.push(finding.help("name a file or a folder with -f"));
    }
    if findings.is_empty() {
        Ok(StackSet { stacks })
    } else {
        let sources: Vec<_> = texts.into_iter().map(|text| text.source).collect();
        Err(findings.into_diagnostics(&sources))
    }
}

/// The text of an input, and whether it is worth parsing.
struct Text {
    source: Source,
    parses: bool,
}

/// The texts of the inputs. Each input has one, if only an empty one, so that
/// mistakes keep the order of the inputs.
fn texts(inputs: &[Input], findings: &mut Findings) -> Vec<Text> {
    let mut total = 0;
    let mut texts = Vec::new();
    for (id, input) in inputs.iter().enumerate() {
        let mut source = Source {
            id,
            name: Arc::from(input.name.as_str()),
            folder: input.folder.clone(),
            text: String::new(),
        };
        let parses = match &input.content {
            Content::Failed { message, help } => {
                let finding = Finding::new(Kind::Unreadable, message).of(&source);
                findings.push(finding.help(help));
                false
            }
            Content::Bytes(bytes) => {
                let full = total > MOST_BYTES;
                total += bytes.len();
                !full
                    && fits(bytes.len(), total, &source, findings)
                    && decode::decode(bytes, &mut source, findings)
            }
        };
        texts.push(Text { source, parses });
    }
    texts
}

/// Whether one more text is not too much.
fn fits(size: usize, total: usize, source: &Source, findings: &mut Findings) -> bool {
    let (message, help) = if size > MOST_BYTES_OF_ONE {
        let most = MOST_BYTES_OF_ONE >> 20;
        let message = format!("{} is larger than {most} MiB", quoted(&source.name));
        (message, "give a YAML file of imgstack's")
    } else if total > MOST_BYTES {
        let most = MOST_BYTES >> 20;
        let message = format!(
            "with {}, the files are larger than {most} MiB: what comes after is not read",
            quoted(&source.name)
        );
        (message, "give fewer files at once")
    } else {
        return true;
    };
    findings.push(Finding::new(Kind::TooLarge, message).of(source).help(help));
    false
}

/// The documents of a text, as far as they can be read. `nodes` are the values
/// of all texts so far.
fn documents(source: &Source, nodes: &mut usize, findings: &mut Findings) -> Vec<Document> {
    if yaml::are_too_many(*nodes) {
        // Which has been told of the text where it happened.
        return Vec::new();
    }
    let before = findings.count();
    let mut roots = yaml::documents(source, nodes, findings);
    roots.retain(|root| !root.is_null());
    if roots.is_empty() && findings.count() == before {
        findings.push(nothing(source));
    }
    let mut read = |root: &Node| {
        if !is_ours(root, findings) {
            return None;
        }
        Document::read(root, "a document", &mut Context { source, findings })
    };
    roots.iter().filter_map(&mut read).collect()
}

fn nothing(source: &Source) -> Finding {
    let name = quoted(&source.name);
    Finding::new(Kind::NoDocument, format!("{name} holds no {KIND} document"))
        .of(source)
        .help(format!(
            "a document begins with the lines `apiVersion: {API_VERSION}` and `kind: {KIND}`"
        ))
}

/// Whether a document is meant for us; if not, that is the only mistake told.
fn is_ours(root: &Node, findings: &mut Findings) -> bool {
    if matches!(root.value, Value::Unknown) {
        return false;
    }
    let Value::Map(map) = &root.value else {
        let message = format!("this document is {}, not an {KIND}", root.noun());
        let finding = Finding::new(Kind::OtherDocument, message).at(root.span, "not a mapping");
        findings.push(finding.help(format!(
            "a document begins with the lines `apiVersion: {API_VERSION}` and `kind: {KIND}`"
        )));
        return false;
    };
    let entry = |key: &str| map.iter().find(|entry| entry.key.text == key);
    let text = |key: &str| match entry(key).map(|entry| &entry.value.value) {
        Some(Value::Scalar(scalar)) => Some(scalar.text.as_str()),
        _ => None,
    };
    if check::is_ours(text("apiVersion"), text("kind")) {
        return true;
    }
    let (message, help) = match (text("kind"), entry("services").is_some()) {
        (None, true) => (
            format!("this is not an {KIND}, but looks like a stack file of docker's"),
            "give imgstack its own files with -f; a folder given with -f holds nothing else",
        ),
        (Some(kind), _) if kind != KIND => (
            format!("this document is of the kind {}, not {KIND}", quoted(kind)),
            "take it out of what is given with -f",
        ),
        (Some(_), _) => (
            format!("this version of imgstack reads `apiVersion: {API_VERSION}` only"),
            "use a version of imgstack that knows this one, or rewrite the document",
        ),
        (None, false) => (
            format!("this document does not say that it is an {KIND}"),
            "begin it with the lines `apiVersion: imgstack.dev/v1alpha1` and `kind: ImageStack`",
        ),
    };
    let place = match (entry("kind"), entry("apiVersion")) {
        (Some(entry), _) if text("kind") != Some(KIND) => entry.value.span,
        (_, Some(entry)) => entry.value.span,
        _ => root.span,
    };
    findings.push(
        Finding::new(Kind::OtherDocument, message)
            .at(place, "not ours")
            .help(help),
    );
    false
}
