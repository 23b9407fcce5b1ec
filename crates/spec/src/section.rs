//! Sections: mappings with known keys.
//!
//! Each section of the language is declared once, with [`sections!`]; from
//! that one declaration come the Rust type, its reading (which keeps going
//! after a mistake, as serde cannot) and its JSON Schema. So an editor never
//! accepts what reading refuses, or the reverse.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value as Json, json};

use crate::diagnostic::{Finding, Findings, Kind, quoted};
use crate::near::nearest;
use crate::secrets;
use crate::source::{Source, Span};
use crate::yaml::{Entry, Node, Value};

/// What reading needs at hand: the text, and where mistakes go.
pub(crate) struct Context<'r> {
    pub(crate) source: &'r Source,
    pub(crate) findings: &'r mut Findings,
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Span,
}

/// A value that can be read from a node. `what` is what messages call it, such
/// as "`after`". None when it is not of this type; a mistake then tells so.
pub(crate) trait Read: Sized {
    /// What a list of these is called.
    const LIST: &str = "a list of mappings";

    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self>;
}

/// Any scalar, as it is spelt.
impl Read for At<String> {
    const LIST: &str = "a list";

    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        match &node.value {
            Value::Scalar(scalar) => Some(Self {
                value: scalar.text.clone(),
                span: node.span,
            }),
            Value::List(_) | Value::Map(_) | Value::Unknown => {
                context.wrong_type(node, what, "text");
                None
            }
        }
    }
}

impl Read for At<bool> {
    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        let span = node.span;
        let Value::Scalar(scalar) = &node.value else {
            context.wrong_type(node, what, "`true` or `false`");
            return None;
        };
        let meant = match scalar.text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "y" | "1" => Some(true),
            "false" | "no" | "off" | "n" | "0" => Some(false),
            _ => None,
        };
        let spelt = matches!(
            scalar.text.as_str(),
            "true" | "True" | "TRUE" | "false" | "False" | "FALSE"
        );
        if spelt && scalar.plain {
            return meant.map(|value| Self { value, span });
        }
        let message = format!("{what} must be `true` or `false`");
        let finding = Finding::new(Kind::WrongType, message).at(span, "neither of the two");
        let without = if scalar.plain { "" } else { ", without quotes" };
        context.findings.push(match meant {
            Some(meant) => finding.help(format!("write `{meant}`{without}")),
            None => finding.help("write `true` or `false`"),
        });
        None
    }
}

/// A whole number as people count: without a sign, zeros before it, or quotes.
/// Zero is one; where it makes no sense, the check knows more to say.
impl Read for At<u32> {
    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        let span = node.span;
        let Value::Scalar(scalar) = &node.value else {
            context.wrong_type(node, what, "a whole number without a sign");
            return None;
        };
        let text = scalar.text.as_str();
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let bare = match text.trim_start_matches('0') {
            "" => "0",
            bare => bare,
        };
        let number = bare.parse().ok().filter(|_| digits);
        if let Some(value) = number
            && scalar.plain
            && bare == text
        {
            return Some(Self { value, span });
        }
        let message = format!("{what} must be a whole number without a sign");
        let finding = Finding::new(Kind::WrongType, message);
        let without = if scalar.plain { "" } else { ", without quotes" };
        context.findings.push(match number {
            Some(number) => finding
                .at(span, "not written as a number")
                .help(format!("write `{number}`{without}")),
            None if digits => finding
                .at(span, "too large")
                .help(format!("write at most {}", u32::MAX)),
            None => finding
                .at(span, "not such a number")
                .help("write a number such as `3`"),
        });
        None
    }
}

impl<T: Read> Read for At<Vec<T>> {
    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        let Value::List(items) = &node.value else {
            context.wrong_type(node, what, T::LIST);
            return None;
        };
        let what = format!("an entry of {what}");
        let read = |item: &Node| {
            if item.is_null() {
                let message = format!("{what} has no value");
                let finding = Finding::new(Kind::NoValue, message).at(item.span, "nothing here");
                let help = "write a value behind the `-`, or remove the line";
                context.findings.push(finding.help(help));
                return None;
            }
            T::read(item, &what, context)
        };
        Some(Self {
            value: items.iter().filter_map(read).collect(),
            span: node.span,
        })
    }
}

/// A mapping whose keys are the user's own, in file order.
#[derive(Debug)]
pub(crate) struct Pairs<T>(pub(crate) Vec<(At<String>, T)>);

impl<T: Read> Read for Pairs<T> {
    fn read(node: &Node, what: &str, context: &mut Context<'_>) -> Option<Self> {
        let Value::Map(entries) = &node.value else {
            context.wrong_type(node, what, "a mapping");
            return None;
        };
        let mut read = |entry: &Entry| {
            let key = At {
                value: entry.key.text.clone(),
                span: entry.key.span,
            };
            let name = quoted(&key.value);
            if entry.value.is_null() {
                let finding = no_value(&name, key.span);
                context
                    .findings
                    .push(finding.help("write a value, or remove the line"));
                return None;
            }
            T::read(&entry.value, &name, context).map(|value| (key, value))
        };
        Some(Self(entries.iter().filter_map(&mut read).collect()))
    }
}

impl<T: JsonSchema> JsonSchema for Pairs<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        BTreeMap::<String, T>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        BTreeMap::<String, T>::json_schema(generator)
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl Context<'_> {
    fn wrong_type(&mut self, node: &Node, what: &str, wanted: &str) {
        if matches!(node.value, Value::Unknown) {
            return;
        }
        let is_secret = matches!(&node.value, Value::Scalar(it) if secrets::is_given(&it.text));
        if is_secret {
            self.findings.blacken(node.span);
        }
        let message = format!("{what} must be {wanted}, not {}", node.noun());
        let finding = Finding::new(Kind::WrongType, message);
        let finding = finding.at(node.span, format!("not {wanted}"));
        self.findings.push(match (&node.value, wanted) {
            (Value::Scalar(_), "a list") if is_secret => {
                finding.help("write `[`, the words with `, ` between them, and `]`")
            }
            (Value::Scalar(text), "a list") => {
                let list = in_brackets(text.text.split_whitespace());
                finding.help(format!("write {}", quoted(&list)))
            }
            (Value::Map(_) | Value::Scalar(_), "a list of mappings") => {
                finding.help("write the entries on lines of their own, each with `- ` before it")
            }
            (Value::Map(_), "a list") => finding.help("begin each entry with `- `"),
            (Value::List(_), "a mapping") => finding.help("write `key: value`, without `- `"),
            (Value::Scalar(_), "a mapping") => {
                finding.help("write its keys on lines of their own, as `key: value`")
            }
            (Value::List(_) | Value::Map(_), "text") => finding.help("write one value"),
            (Value::List(_) | Value::Map(_), "a whole number without a sign") => {
                finding.help("write a number such as `3`")
            }
            _ => finding,
        });
    }
}

/// `[a, "b: c"]`: words as a list on one line.
pub(crate) fn in_brackets<'w>(words: impl IntoIterator<Item = &'w str>) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '=');
    let words = words.into_iter().map(|word| match word {
        // One that begins so, or is a number or the like, would be no text.
        word if word.starts_with(char::is_alphabetic) && word.chars().all(is_plain) => {
            word.to_owned()
        }
        word if word.starts_with(['-', '/']) && word.chars().all(is_plain) => word.to_owned(),
        word => format!("'{}'", word.replace('\'', "''")),
    });
    format!("[{}]", words.collect::<Vec<_>>().join(", "))
}

fn no_value(what: &str, place: Span) -> Finding {
    let finding = Finding::new(Kind::NoValue, format!("{what} has no value"));
    finding.at(place, "no value")
}

/// A section while its keys are taken one by one.
pub(crate) struct Fields<'n, 'c, 'r> {
    /// What a message calls the section, such as "image `web`".
    subject: String,
    /// Where a mistake of the section as a whole is shown: its name, if it has
    /// one.
    span: Span,
    entries: BTreeMap<&'n str, &'n Entry>,
    /// Required keys that are not there, with a line that would do.
    missing: Vec<(&'static str, &'static str)>,
    context: &'c mut Context<'r>,
}

impl<'n, 'c, 'r> Fields<'n, 'c, 'r> {
    /// None when the node is no mapping.
    pub(crate) fn open(
        node: &'n Node,
        what: &str,
        noun: &str,
        context: &'c mut Context<'r>,
    ) -> Option<Self> {
        let Value::Map(map) = &node.value else {
            context.wrong_type(node, what, "a mapping");
            return None;
        };
        let entries: BTreeMap<_, _> = map
            .iter()
            .map(|entry| (entry.key.text.as_str(), entry))
            .collect();
        let named = entries.get("name").or(entries.get("host"));
        let (subject, span) = match named.map(|entry| &entry.value) {
            Some(name) if !noun.starts_with('`') && !name.is_null() => match &name.value {
                Value::Scalar(text) => (format!("{noun} {}", quoted(&text.text)), name.span),
                _ => (format!("this {noun}"), node.span),
            },
            _ if noun.starts_with('`') => (noun.to_owned(), node.span),
            _ => (format!("this {noun}"), node.span),
        };
        Some(Self {
            subject,
            span,
            entries,
            missing: Vec::new(),
            context,
        })
    }

    /// Takes a key that may be absent.
    pub(crate) fn optional<T: Read>(&mut self, key: &'static str, _: &'static str) -> Option<T> {
        let entry = self.entries.remove(key)?;
        self.read(entry, "write a value, or remove the line".to_owned())
    }

    /// Takes a key that must be there; the example is a line that would do.
    pub(crate) fn required<T: Read>(
        &mut self,
        key: &'static str,
        example: &'static str,
    ) -> Option<T> {
        if let Some(entry) = self.entries.remove(key) {
            return self.read(entry, format!("write a value, such as `{example}`"));
        }
        self.missing.push((key, example));
        None
    }

    fn read<T: Read>(&mut self, entry: &Entry, help: String) -> Option<T> {
        let what = format!("`{}`", entry.key.text);
        if entry.value.is_null() {
            let finding = no_value(&what, entry.key.span);
            self.context.findings.push(finding.help(help));
            return None;
        }
        T::read(&entry.value, &what, self.context)
    }

    /// Whatever has not been taken does not belong here, and what was wanted and
    /// not found is missing, unless it seems to be there under a wrong name.
    pub(crate) fn close(mut self, noun: &str, known: &[&str]) {
        for (key, entry) in std::mem::take(&mut self.entries) {
            let span = entry.key.span;
            // Looking for near names is work, for nothing once nobody reads on.
            let near = match self.context.findings.is_full() {
                false => nearest(key, known.iter().copied()),
                true => None,
            };
            self.missing.retain(|(missing, _)| Some(*missing) != near);
            // What stands in the place of a password's source may be one.
            let message = match near {
                None if secrets::is_secret_key(noun) => format!("{} has no such key", self.subject),
                _ => format!("{} has no key {}", self.subject, quoted(key)),
            };
            let finding = Finding::new(Kind::UnknownKey, message).at(span, "unknown key");
            self.context.findings.push(match near {
                Some(_) => finding.did_you_mean(near),
                None => finding.help(format!("the keys here are {}", listed(known, ""))),
            });
        }
        self.tell_missing();
    }

    fn tell_missing(self) {
        let (keys, examples): (Vec<_>, Vec<_>) = self.missing.into_iter().unzip();
        let (label, help) = match keys.as_slice() {
            [] => return,
            [key] => (format!("`{key}` is missing"), "add a line such as"),
            _ => (
                format!("{} are missing", listed(&keys, "")),
                "add lines such as",
            ),
        };
        let message = format!("{} has {}", self.subject, listed(&keys, "no "));
        let finding = Finding::new(Kind::MissingKey, message).at(self.span, label);
        let help = format!("{help} {}", listed(&examples, ""));
        self.context.findings.push(finding.help(help));
    }
}

/// `a`, `b` and `c`, each with a word such as "no " before it.
fn listed(words: &[&str], before: &str) -> String {
    let quoted: Vec<_> = words
        .iter()
        .map(|word| format!("{before}`{word}`"))
        .collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => rest.join(", ") + " and " + last,
        Some((only, _)) => only.clone(),
        None => String::new(),
    }
}

/// A key of a section, for its schema.
pub(crate) struct Property {
    pub(crate) key: &'static str,
    pub(crate) docs: &'static [&'static str],
    pub(crate) required: bool,
    pub(crate) schema: Schema,
}

/// The schema of a section.
pub(crate) fn schema(docs: &[&str], properties: Vec<Property>) -> Schema {
    let mut required = Vec::new();
    let mut by_key = Map::new();
    for mut property in properties {
        let description = Json::from(prose(property.docs));
        property.schema.insert("description".into(), description);
        if property.required {
            required.push(property.key);
        }
        by_key.insert(property.key.to_owned(), property.schema.to_value());
    }
    let mut schema = json!({
        "type": "object",
        "description": prose(docs),
        "properties": by_key,
        "additionalProperties": false,
    });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema.try_into().unwrap_or_default()
}

/// The lines of a doc comment as one paragraph.
fn prose(docs: &[&str]) -> String {
    let lines: Vec<_> = docs.iter().map(|line| line.trim()).collect();
    lines.join(" ").trim().to_owned()
}

/// Declares sections: `required "key" field: Type, "an example line";` and
/// `optional "key" field: Type;`. The string behind the type's name is what
/// messages call the section: a noun, or its key in backticks.
macro_rules! sections {
    (@required required) => { true };
    (@required optional) => { false };
    ($(
        $(#[doc = $doc:literal])*
        struct $section:ident $noun:literal {
            $(
                $(#[doc = $field_doc:literal])*
                $need:ident $key:literal $field:ident: $type:ty $(, $example:literal)?;
            )*
        }
    )*) => {$(
        $(#[doc = $doc])*
        #[derive(Debug)]
        pub(crate) struct $section {
            $($(#[doc = $field_doc])* pub(crate) $field: Option<$type>,)*
        }

        impl $crate::section::Read for $section {
            fn read(
                node: &$crate::yaml::Node,
                what: &str,
                context: &mut $crate::section::Context<'_>,
            ) -> Option<Self> {
                let mut fields = $crate::section::Fields::open(node, what, $noun, context)?;
                let section = Self {
                    $($field: fields.$need($key, concat!($($example)?)),)*
                };
                fields.close($noun, &[$($key,)*]);
                Some(section)
            }
        }

        impl schemars::JsonSchema for $section {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($section).into()
            }

            fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                $crate::section::schema(&[$($doc),*], vec![$($crate::section::Property {
                    key: $key,
                    docs: &[$($field_doc),*],
                    required: $crate::section::sections!(@required $need),
                    schema: generator.subschema_for::<$type>(),
                }),*])
            }
        }
    )*};
}
pub(crate) use sections;
