//! Lists of container names in an annotation.

use std::collections::BTreeSet;

/// Container names from `skip-containers` and its kind: divided by commas, blanks and quotes
/// around a name dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerList(BTreeSet<String>);

impl ContainerList {
    /// Reads an annotation's value. An empty one names nobody.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let names = text.split([',', '\n']);
        let names = names.map(|name| name.trim_matches(|c: char| c.is_whitespace() || c == '"'));
        Self(names.filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// Whether a container is named.
    #[must_use]
    pub fn names(&self, container: &str) -> bool {
        self.0.contains(container)
    }

    /// Whether nobody is named.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names that are in one of the two lists.
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
    fn blanks_quotes_and_empty_places_do_not_count() {
        let list = ContainerList::read(" a, \"b\" ,\tc\n,,d");
        for name in ["a", "b", "c", "d"] {
            assert!(list.names(name), "{name}");
        }
        assert!(!list.names(""));
        assert!(!list.names("a, b"));
        assert!(ContainerList::read(" , ").is_empty());
    }
}
