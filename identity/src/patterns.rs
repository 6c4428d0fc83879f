//! The list of patterns in a guard-rail's annotation.

/// Reads the patterns of a guard-rail's annotation, which are separated by commas or whitespace.
///
/// # Errors
/// The error of the first pattern that cannot be read, and its number, from 1.
pub(crate) fn read_patterns<P, E>(
    annotation: &str,
    read: impl Fn(&str) -> Result<P, E>,
) -> Result<Vec<P>, (usize, E)> {
    let patterns = annotation.split(|c: char| c == ',' || c.is_whitespace());
    let patterns = patterns.filter(|pattern| !pattern.is_empty()).zip(1..);
    patterns.map(|(pattern, index)| read(pattern).map_err(|error| (index, error))).collect()
}
