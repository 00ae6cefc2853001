//! Says in words what is wrong with a key, and which one was probably meant.

/// How alike two keys must be (Jaro–Winkler, 0 to 1) for one to be taken for the other's misspelling.
const ALIKE: f64 = 0.75;

/// What serde says of a refused key, for people. Anything else stays as it is.
pub(super) fn in_words(message: &str) -> String {
    let Some((unknown, known)) = unknown_field(message) else { return message.trim_end().to_owned() };
    let likeness = |key: &&str| strsim::jaro_winkler(unknown, key);
    let best = known.iter().copied().max_by(|one, other| likeness(one).total_cmp(&likeness(other)));
    match best.filter(|key| likeness(key) >= ALIKE) {
        Some(meant) => format!("「{unknown}」という項目はありません。「{meant}」ではありませんか"),
        None => format!("「{unknown}」という項目はありません。ここに書けるのは {} です", known.join("、")),
    }
}

/// The refused key and those that are known in its place: ``unknown field `a`, expected one of `b`, `c` ``.
pub(super) fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let (_, rest) = message.split_once("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    Some((unknown, rest.lines().next()?.split('`').skip(1).step_by(2).collect()))
}
