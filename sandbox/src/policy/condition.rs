//! Condition operators, and when a condition holds.
//!
//! Source: IAM's reference of condition operators and of multivalued context keys.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, de::Error as _};

use super::pattern;

/// An operator as a policy writes it: `ForAnyValue:StringLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operator {
    /// What a key with many values is asked.
    pub set: SetForm,
    /// How two texts are compared.
    pub comparison: Comparison,
    /// Whether a key that the request does not have is passed over.
    pub if_exists: bool,
}

/// What a key with many values is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SetForm {
    /// No prefix: the key has one value.
    Single,
    /// `ForAnyValue:`, at least one of the request's values fits.
    AnyValue,
    /// `ForAllValues:`, each of the request's values fits; so it is with no value at all.
    AllValues,
}

/// How two texts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Comparison {
    /// `StringEquals`
    Equals,
    /// `StringNotEquals`
    NotEquals,
    /// `StringEqualsIgnoreCase`
    EqualsIgnoreCase,
    /// `StringNotEqualsIgnoreCase`
    NotEqualsIgnoreCase,
    /// `StringLike`
    Like,
    /// `StringNotLike`
    NotLike,
}

/// An operator that is not known here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the condition operator `{0}` is not known here; StringEquals, StringLike, \
     StringEqualsIgnoreCase, their Not and IfExists forms, ForAnyValue: and ForAllValues: are"
)]
pub struct OperatorError(String);

impl Operator {
    /// Whether the condition holds, for the values that the request has under the key (`None` when
    /// it has no such key) and those that the policy wants.
    #[must_use]
    pub fn holds(self, held: Option<&[String]>, wanted: &[String]) -> bool {
        let held = held.unwrap_or_default();
        if held.is_empty() {
            return self.holds_without_the_key();
        }
        let fits = |value: &String| {
            let like = wanted.iter().any(|want| self.comparison.like(want, value));
            like != self.comparison.is_negated()
        };
        match self.set {
            // A negated operator asks that no value is the unwanted one, not that some other is there.
            SetForm::Single if self.comparison.is_negated() => held.iter().all(fits),
            SetForm::Single | SetForm::AnyValue => held.iter().any(fits),
            SetForm::AllValues => held.iter().all(fits),
        }
    }

    fn holds_without_the_key(self) -> bool {
        self.if_exists
            || match self.set {
                SetForm::Single => self.comparison.is_negated(),
                SetForm::AnyValue => false,
                SetForm::AllValues => true,
            }
    }
}

impl Comparison {
    fn is_negated(self) -> bool {
        matches!(self, Self::NotEquals | Self::NotEqualsIgnoreCase | Self::NotLike)
    }

    /// The comparison without its negation.
    fn like(self, want: &str, value: &str) -> bool {
        match self {
            Self::Equals | Self::NotEquals => want == value,
            Self::EqualsIgnoreCase | Self::NotEqualsIgnoreCase => {
                want.to_lowercase() == value.to_lowercase()
            }
            Self::Like | Self::NotLike => pattern::matches(want, value),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Equals => "StringEquals",
            Self::NotEquals => "StringNotEquals",
            Self::EqualsIgnoreCase => "StringEqualsIgnoreCase",
            Self::NotEqualsIgnoreCase => "StringNotEqualsIgnoreCase",
            Self::Like => "StringLike",
            Self::NotLike => "StringNotLike",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [
            Self::Equals,
            Self::NotEquals,
            Self::EqualsIgnoreCase,
            Self::NotEqualsIgnoreCase,
            Self::Like,
            Self::NotLike,
        ];
        all.into_iter().find(|one| one.name() == name)
    }
}

impl FromStr for Operator {
    type Err = OperatorError;

    fn from_str(text: &str) -> Result<Self, OperatorError> {
        let (set, rest) = if let Some(rest) = text.strip_prefix("ForAnyValue:") {
            (SetForm::AnyValue, rest)
        } else if let Some(rest) = text.strip_prefix("ForAllValues:") {
            (SetForm::AllValues, rest)
        } else {
            (SetForm::Single, text)
        };
        let (name, if_exists) = match rest.strip_suffix("IfExists") {
            Some(name) => (name, true),
            None => (rest, false),
        };
        let comparison = Comparison::named(name).ok_or_else(|| OperatorError(text.to_owned()))?;
        Ok(Self { set, comparison, if_exists })
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.set {
            SetForm::Single => "",
            SetForm::AnyValue => "ForAnyValue:",
            SetForm::AllValues => "ForAllValues:",
        };
        let suffix = if self.if_exists { "IfExists" } else { "" };
        write!(f, "{prefix}{}{suffix}", self.comparison.name())
    }
}

impl<'de> Deserialize<'de> for Operator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_reads_what_it_prints() {
        for text in [
            "StringEquals",
            "StringNotEqualsIfExists",
            "ForAnyValue:StringLike",
            "ForAllValues:StringNotEqualsIgnoreCaseIfExists",
        ] {
            assert_eq!(text.parse::<Operator>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn an_unknown_operator_is_named() {
        for text in
            ["", "StringEqual", "stringequals", "IpAddress", "ForEachValue:StringLike", "IfExists"]
        {
            let fault = text.parse::<Operator>().unwrap_err().to_string();
            assert!(fault.contains(&format!("`{text}`")), "{fault}");
        }
    }
}
