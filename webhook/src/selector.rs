//! Label selectors, for two questions: do they match an object, and can two of them never match the same one? Pure.

use podrole_identity::Labels;

/// Requirements on an object's labels; a matching object meets all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(pub Vec<Requirement>);

/// A requirement on one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// The label's key.
    pub key: String,
    /// The condition.
    pub condition: Condition,
}

/// A condition on a label's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The label is present and its value is one of these.
    In(Vec<String>),
    /// The label is absent, or its value is none of these.
    NotIn(Vec<String>),
    /// The label is present.
    Exists,
    /// The label is absent.
    Absent,
}

impl Selector {
    /// Whether an object with these labels meets all requirements.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|Requirement { key, condition }| {
            let value = labels.get(key);
            match condition {
                Condition::In(values) => value.is_some_and(|value| values.contains(value)),
                Condition::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
                Condition::Exists => value.is_some(),
                Condition::Absent => value.is_none(),
            }
        })
    }

    /// Whether one object could match both. Returns false only if no value of some label meets
    /// both selectors.
    #[must_use]
    pub fn may_overlap(&self, other: &Self) -> bool {
        let both = || self.0.iter().chain(&other.0);
        both().all(|it| {
            is_satisfiable(both().filter(|other| other.key == it.key).map(|it| &it.condition))
        })
    }
}

/// Whether some state of one label meets all conditions.
fn is_satisfiable<'a>(conditions: impl Iterator<Item = &'a Condition>) -> bool {
    let (mut present, mut absent) = (false, false);
    let (mut one_of, mut none_of) = (None::<Vec<&String>>, Vec::new());
    for condition in conditions {
        match condition {
            Condition::Exists => present = true,
            Condition::Absent => absent = true,
            Condition::NotIn(values) => none_of.extend(values),
            Condition::In(values) => {
                present = true;
                one_of = Some(match one_of {
                    None => values.iter().collect(),
                    Some(before) => before.into_iter().filter(|it| values.contains(it)).collect(),
                });
            }
        }
    }
    let some_value = one_of.is_none_or(|values| values.iter().any(|it| !none_of.contains(it)));
    some_value && !(present && absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `a=x,y`, `a!=x`, `a` and `!a`, separated by spaces.
    fn selector(text: &str) -> Selector {
        let values = |text: &str| text.split(',').map(str::to_owned).collect();
        let read = text.split_whitespace().map(|word| {
            let (key, condition) = match (word.split_once("!="), word.split_once('=')) {
                (Some((key, none)), _) => (key, Condition::NotIn(values(none))),
                (None, Some((key, one))) => (key, Condition::In(values(one))),
                (None, None) => match word.strip_prefix('!') {
                    Some(key) => (key, Condition::Absent),
                    None => (word, Condition::Exists),
                },
            };
            Requirement { key: key.to_owned(), condition }
        });
        Selector(read.collect())
    }

    #[test]
    fn a_selector_matches_as_in_kubernetes() {
        let labels: Labels =
            [("a", "x"), ("b", "")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        for (text, expected) in [
            ("", true),
            ("a=x,y b !c", true),
            ("a=y", false),
            ("a!=y c!=y", true),
            ("a!=x", false),
            ("c", false),
            ("!b", false),
        ] {
            assert_eq!(selector(text).matches(&labels), expected, "{text}");
        }
    }

    #[test]
    fn selectors_are_disjoint_only_if_no_label_can_meet_both() {
        for (one, other, overlap) in [
            ("", "", true),
            ("a=x", "", true),
            ("a=x", "a=x,y", true),
            ("a=x", "a=y", false),
            ("a=x", "b=y", true),
            ("a=x,y", "a!=x", true),
            ("a=x", "a!=x", false),
            ("a=x,y", "a=y,z a!=y", false),
            ("a", "!a", false),
            ("a=x", "!a", false),
            ("a!=x", "!a", true),
            ("a=x b=y", "b=z", false),
        ] {
            let (left, right) = (selector(one), selector(other));
            assert_eq!(left.may_overlap(&right), overlap, "{one} / {other}");
            assert_eq!(right.may_overlap(&left), overlap, "{other} / {one}");
        }
    }
}
