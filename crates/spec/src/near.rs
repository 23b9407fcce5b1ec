//! The nearest valid name to a wrong one.

/// More candidates than this are not compared; nobody has so many names.
const MOST: usize = 500;

/// Longer ones are not compared either: no address of ours is longer.
const LONGEST: usize = 100;

/// The candidate that a slip of the fingers could have turned into `wrong`:
/// one edit in three characters, and the same but for case always.
#[must_use]
pub fn nearest<'c>(wrong: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let length = wrong.chars().count();
    if length > LONGEST {
        return None;
    }
    let tolerance = (length / 3).max(1);
    let wrong = wrong.to_lowercase();
    candidates
        .into_iter()
        .take(MOST)
        .filter(|candidate| candidate.chars().count().abs_diff(length) <= tolerance)
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&wrong, &candidate.to_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, _)| *distance <= tolerance)
        // Of equally near ones the first by name, in whatever order they come.
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let names = ["repository", "name", "tag", "pin", "purpose"];
        let cases = [
            ("repositry", Some("repository")),
            ("Repository", Some("repository")),
            ("tags", Some("tag")),
            ("nmae", Some("name")),
            ("naem", Some("name")),
            ("image", None),
            ("x", None),
            ("", None),
        ];
        for (wrong, expected) in cases {
            assert_eq!(nearest(wrong, names), expected, "{wrong}");
        }
    }
}
