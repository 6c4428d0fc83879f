//! Lists of container names in an annotation.

use std::collections::BTreeSet;

/// Container names in an annotation like `skip-containers`: separated by commas or newlines, without
/// the whitespace and quotes around a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerList(BTreeSet<String>);

impl ContainerList {
    /// Parses an annotation's value.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let names = text.split([',', '\n']);
        let names = names.map(|name| name.trim_matches(|c: char| c.is_whitespace() || c == '"'));
        Self(names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// Whether a container is in the list.
    #[must_use]
    pub fn names(&self, container: &str) -> bool {
        self.0.contains(container)
    }

    /// Whether the list has no names.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of both lists.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }
}

impl FromIterator<String> for ContainerList {
    fn from_iter<I: IntoIterator<Item = String>>(names: I) -> Self {
        Self(names.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whitespace_quotes_and_empty_names_are_ignored() {
        let list = ContainerList::read(" a, \"b\" ,\tc\n,,d");
        for name in ["a", "b", "c", "d"] {
            assert!(list.names(name), "{name}");
        }
        assert!(!list.names(""));
        assert!(!list.names("a, b"));
        assert!(ContainerList::read(" , ").is_empty());
    }
}
