//! Condition operators, and the evaluation of conditions.
//!
//! Source: IAM's reference of condition operators and of multivalued context keys.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{
    compare::{ExpectedValue, Order, Test},
    context::Context,
    malformed::MalformedPolicy,
    version::Version,
};

/// One key of a condition, with the values that a request must have for it.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) operator: Operator,
    pub(super) key: String,
    pub(super) expected: Vec<ExpectedValue>,
}

/// An operator as a policy writes it: `ForAnyValue:StringLikeIfExists`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Operator {
    /// How a key with several values is compared.
    set: SetForm,
    comparison: Comparison,
    /// `IfExists`: a missing key is ignored.
    if_exists: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum SetForm {
    /// Without a prefix: for keys with one value.
    Single,
    /// `ForAnyValue:`: at least one of the request's values matches.
    AnyValue,
    /// `ForAllValues:`: all of the request's values match. This is also true without any value.
    AllValues,
}

/// How a value is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Comparison {
    name: &'static str,
    test: Test,
    negated: bool,
}

const fn is(name: &'static str, test: Test) -> Comparison {
    Comparison { name, test, negated: false }
}

const fn is_not(name: &'static str, test: Test) -> Comparison {
    Comparison { name, test, negated: true }
}

const COMPARISONS: [Comparison; 27] = [
    is("StringEquals", Test::Text),
    is_not("StringNotEquals", Test::Text),
    is("StringEqualsIgnoreCase", Test::TextWithoutCase),
    is_not("StringNotEqualsIgnoreCase", Test::TextWithoutCase),
    is("StringLike", Test::Like),
    is_not("StringNotLike", Test::Like),
    is("NumericEquals", Test::Number(Order::Equal)),
    is_not("NumericNotEquals", Test::Number(Order::Equal)),
    is("NumericLessThan", Test::Number(Order::Less)),
    is("NumericLessThanEquals", Test::Number(Order::LessOrEqual)),
    is("NumericGreaterThan", Test::Number(Order::Greater)),
    is("NumericGreaterThanEquals", Test::Number(Order::GreaterOrEqual)),
    is("DateEquals", Test::Time(Order::Equal)),
    is_not("DateNotEquals", Test::Time(Order::Equal)),
    is("DateLessThan", Test::Time(Order::Less)),
    is("DateLessThanEquals", Test::Time(Order::LessOrEqual)),
    is("DateGreaterThan", Test::Time(Order::Greater)),
    is("DateGreaterThanEquals", Test::Time(Order::GreaterOrEqual)),
    is("Bool", Test::Truth),
    is("BinaryEquals", Test::Bytes),
    is("IpAddress", Test::Address),
    is_not("NotIpAddress", Test::Address),
    is("ArnEquals", Test::Arn),
    is("ArnLike", Test::Arn),
    is_not("ArnNotEquals", Test::Arn),
    is_not("ArnNotLike", Test::Arn),
    is("Null", Test::Absent),
];

/// IAM does not have such an operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("IAM does not have the condition operator `{0}`")]
pub(super) struct OperatorError(String);

impl Condition {
    /// Parses the values of one key.
    pub(super) fn read(
        operator: Operator,
        key: String,
        expected: &[String],
        version: Version,
    ) -> Result<Self, MalformedPolicy> {
        let test = operator.comparison.test;
        let expected = expected.iter().map(|text| ExpectedValue::read(test, text, version));
        let expected = expected.collect::<Result<_, _>>();
        let expected = expected.map_err(|error| MalformedPolicy::Condition {
            operator: operator.to_string(),
            key: key.clone(),
            error: Box::new(error),
        })?;
        Ok(Self { operator, key, expected })
    }

    /// Whether a request fulfils the condition.
    pub(super) fn holds(&self, context: &Context) -> bool {
        let actual = context.get(&self.key);
        let Comparison { test, negated, .. } = self.operator.comparison;
        if test == Test::Absent {
            let absent = actual.is_none();
            return self.expected.iter().any(|expected| expected.is_truth(absent));
        }
        let Some(actual) = actual else {
            return self.operator.holds_without_the_key();
        };
        let matches = |value: &String| {
            self.expected.iter().any(|expected| expected.matches(test, value, context)) != negated
        };
        match self.operator.set {
            // A negated operator requires that no value matches, not that some value differs.
            SetForm::Single if negated => actual.iter().all(matches),
            SetForm::Single | SetForm::AnyValue => actual.iter().any(matches),
            SetForm::AllValues => actual.iter().all(matches),
        }
    }

    /// Its key, and those of the variables in its values.
    pub(super) fn keys(&self) -> impl Iterator<Item = String> {
        let variables = self.expected.iter().flat_map(ExpectedValue::variables);
        std::iter::once(self.key.clone()).chain(variables)
    }
}

impl Operator {
    /// Whether it compares texts without wildcards, and holds if they are equal.
    pub(super) fn is_exact(self) -> bool {
        let Comparison { test, negated, .. } = self.comparison;
        matches!(test, Test::Text | Test::TextWithoutCase) && !negated
    }

    fn holds_without_the_key(self) -> bool {
        self.if_exists
            || match self.set {
                SetForm::Single => self.comparison.negated,
                SetForm::AnyValue => false,
                SetForm::AllValues => true,
            }
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
        let comparison = COMPARISONS.into_iter().find(|one| one.name == name);
        let operator = comparison.map(|comparison| Self { set, comparison, if_exists });
        // Null tests whether the key exists: prefixes and IfExists make no sense with it.
        let sound = |one: &Self| one.comparison.test != Test::Absent || text == "Null";
        operator.filter(sound).ok_or_else(|| OperatorError(text.to_owned()))
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
        write!(f, "{prefix}{}{suffix}", self.comparison.name)
    }
}

impl Serialize for Operator {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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
    fn an_operator_parses_what_it_prints() {
        for comparison in COMPARISONS {
            for (prefix, suffix) in [("", ""), ("ForAnyValue:", ""), ("ForAllValues:", "IfExists")]
            {
                let text = format!("{prefix}{}{suffix}", comparison.name);
                match text.parse::<Operator>() {
                    Ok(operator) => assert_eq!(operator.to_string(), text),
                    Err(_) => assert!(text != "Null" && text.contains("Null"), "{text}"),
                }
            }
        }
    }

    #[test]
    fn an_unknown_operator_is_named() {
        for text in [
            "",
            "StringEqual",
            "stringequals",
            "ArnNotLikes",
            "ForEachValue:StringLike",
            "IfExists",
            "NullIfExists",
            "ForAllValues:Null",
        ] {
            let error = text.parse::<Operator>().unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}`")), "{error}");
        }
    }
}
