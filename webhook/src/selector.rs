//! Label selectors, as far as it goes to say that two can never mean the same object. Pure.

/// What must hold of an object's labels; all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selector(pub(crate) Vec<Requirement>);

/// What must hold of one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Requirement {
    /// The label.
    pub(crate) key: String,
    /// What must hold of it.
    pub(crate) holds: Holds,
}

/// What holds of a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// It is one of these.
    In(Vec<String>),
    /// It is none of these, or is not there.
    NotIn(Vec<String>),
    /// It is there.
    Exists,
    /// It is not there.
    Absent,
}

impl Selector {
    /// Whether one object could be meant by both: false only where a label cannot be as both want
    /// it.
    pub(crate) fn may_overlap(&self, other: &Self) -> bool {
        let both = || self.0.iter().chain(&other.0);
        both().all(|it| can_hold(both().filter(|other| other.key == it.key).map(|it| &it.holds)))
    }
}

/// Whether a label can be as all of these want it.
fn can_hold<'a>(wants: impl Iterator<Item = &'a Holds>) -> bool {
    let (mut there, mut absent) = (false, false);
    let (mut one_of, mut none_of) = (None::<Vec<&String>>, Vec::new());
    for holds in wants {
        match holds {
            Holds::Exists => there = true,
            Holds::Absent => absent = true,
            Holds::NotIn(values) => none_of.extend(values),
            Holds::In(values) => {
                there = true;
                one_of = Some(match one_of {
                    None => values.iter().collect(),
                    Some(before) => before.into_iter().filter(|it| values.contains(it)).collect(),
                });
            }
        }
    }
    let some_value = one_of.is_none_or(|values| values.iter().any(|it| !none_of.contains(it)));
    some_value && !(there && absent)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads `a=x,y`, `a!=x`, `a` and `!a`, divided by blanks.
    fn selector(text: &str) -> Selector {
        let values = |text: &str| text.split(',').map(str::to_owned).collect();
        let read = text.split_whitespace().map(|word| {
            let (key, holds) = match (word.split_once("!="), word.split_once('=')) {
                (Some((key, none)), _) => (key, Holds::NotIn(values(none))),
                (None, Some((key, one))) => (key, Holds::In(values(one))),
                (None, None) => match word.strip_prefix('!') {
                    Some(key) => (key, Holds::Absent),
                    None => (word, Holds::Exists),
                },
            };
            Requirement { key: key.to_owned(), holds }
        });
        Selector(read.collect())
    }

    #[test]
    fn selectors_are_apart_only_where_no_label_could_please_both() {
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
