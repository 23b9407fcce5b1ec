//! What a thing says, field by field, and how the language writes it.

use imgstack_spec::StackName;

use super::change::{Act, Change, Meaning, Said, Subject};

/// A field of one kind of thing.
pub(super) trait Named: Copy {
    /// Its path in the language.
    fn name(self) -> String;
}

/// A field and what it says.
pub(super) struct Field<F> {
    pub(super) field: F,
    /// As the language writes it. None: nothing.
    pub(super) value: Option<String>,
    /// Whether a spec that says nothing of it means the same.
    pub(super) is_default: bool,
}

impl<F> Field<F> {
    pub(super) fn new(field: F, value: Option<String>) -> Self {
        let is_default = value.is_none();
        Self {
            field,
            value,
            is_default,
        }
    }

    pub(super) fn or_default(field: F, value: Option<String>, is_default: bool) -> Self {
        Self {
            field,
            value,
            is_default,
        }
    }
}

/// What is said of a thing that is new or no more.
pub(super) fn said<F: Named>(fields: Vec<Field<F>>) -> Vec<Said> {
    let said = fields.into_iter().filter(|it| !it.is_default);
    said.filter_map(|it| {
        Some(Said {
            field: it.field.name(),
            value: it.value?,
        })
    })
    .collect()
}

/// The differences of a thing that both specs have. Both lists have the same
/// fields in the same order.
pub(super) fn differences<F: Named>(
    stack: &StackName,
    address: &Subject,
    old: Vec<Field<F>>,
    new: Vec<Field<F>>,
    mean: impl Fn(F) -> Meaning,
) -> Vec<Change> {
    let pairs = old.into_iter().zip(new);
    let other = pairs.filter(|(old, new)| {
        // A default that comes or goes with something else is told by that.
        old.value != new.value && !(old.is_default && new.is_default)
    });
    other
        .map(|(old, new)| Change {
            field: Some(new.field.name()),
            from: old.value,
            to: new.value,
            ..mean(new.field).change(stack, address.clone(), Act::Change)
        })
        .collect()
}

/// `[a, b]`; what YAML would not take for one word is quoted.
pub(super) fn list<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<String> = words.iter().map(|it| word(it.as_ref())).collect();
    format!("[{}]", words.join(", "))
}

fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./@=+%".contains(c);
    let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric() || "_/.".contains(c));
    match begins && text.chars().all(plain) {
        true => text.to_owned(),
        false => serde_json::Value::from(text).to_string(),
    }
}
