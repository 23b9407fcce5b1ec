//! "Did you mean …?"

/// The candidate nearest to `given`, if it is near enough to be a slip of the
/// hand: at most a third of the characters differ, transpositions counting one.
#[must_use]
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let limit = (given.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(given, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        // The distance first, then the name: the answer does not depend on order.
        .min()
        .map(|(_, candidate)| candidate.to_owned())
}
