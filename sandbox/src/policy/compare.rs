//! Compares one value of a request with one value of a policy.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::{Timestamp, civil::Date, tz::TimeZone};

use super::{
    context::Context, malformed::MalformedPolicy, pattern::Pattern, variable::Template,
    version::Version,
};

/// The type of comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Test {
    Text,
    TextWithoutCase,
    Like,
    Number(Order),
    Time(Order),
    Truth,
    Bytes,
    Address,
    Arn,
    /// Tests whether the key is missing, for the operator `Null`.
    Absent,
}

/// The relation between two numbers or times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A value in a policy's condition: its text and the parsed form.
#[derive(Debug)]
pub(super) struct ExpectedValue {
    text: Template,
    value: Value,
}

#[derive(Debug)]
enum Value {
    /// The text, with its variables replaced.
    Text,
    Number(f64),
    Time(Timestamp),
    Truth(bool),
    Bytes(Vec<u8>),
    Network(Network),
}

/// An IP address or CIDR block.
#[derive(Debug)]
struct Network {
    base: IpAddr,
    bits: u32,
}

impl ExpectedValue {
    /// Parses a value of the type that the operator compares.
    pub(super) fn read(test: Test, text: &str, version: Version) -> Result<Self, MalformedPolicy> {
        let template = Template::read(text, version)?;
        let may_vary = matches!(
            test,
            Test::Text | Test::TextWithoutCase | Test::Like | Test::Arn | Test::Truth
        );
        if template.has_variables() && !may_vary {
            return Err(MalformedPolicy::VariableNotAllowed(text.to_owned()));
        }
        let value = match test {
            Test::Text | Test::TextWithoutCase | Test::Like | Test::Arn => Some(Value::Text),
            Test::Truth if template.has_variables() => Some(Value::Text),
            Test::Truth | Test::Absent => truth(text).map(Value::Truth),
            Test::Number(_) => number(text).map(Value::Number),
            Test::Time(_) => time(text).map(Value::Time),
            Test::Bytes => STANDARD.decode(text).ok().map(Value::Bytes),
            Test::Address => Network::read(text).map(Value::Network),
        };
        let value = value.ok_or_else(|| MalformedPolicy::Value(text.to_owned()))?;
        Ok(Self { text: template, value })
    }

    /// The text in the policy.
    pub(super) fn written(&self) -> &str {
        self.text.written()
    }

    /// The keys of its variables.
    pub(super) fn variables(&self) -> Vec<String> {
        self.text.keys()
    }

    /// Whether the value is that boolean.
    pub(super) fn is_truth(&self, truth: bool) -> bool {
        matches!(self.value, Value::Truth(expected) if expected == truth)
    }

    /// Whether a request's value matches. A value of another type does not.
    pub(super) fn matches(&self, test: Test, actual: &str, context: &Context) -> bool {
        match (test, &self.value) {
            (Test::Number(order), Value::Number(expected)) => {
                number(actual).is_some_and(|actual| order.holds(actual, *expected))
            }
            (Test::Time(order), Value::Time(expected)) => {
                time(actual).is_some_and(|actual| order.holds(actual, *expected))
            }
            (Test::Bytes, Value::Bytes(expected)) => {
                STANDARD.decode(actual).is_ok_and(|actual| actual == *expected)
            }
            (Test::Address, Value::Network(expected)) => {
                actual.parse().is_ok_and(|actual| expected.contains(actual))
            }
            (Test::Truth, Value::Truth(expected)) => truth(actual) == Some(*expected),
            (test, _) => self
                .text
                .fill(context)
                .is_some_and(|expected| text_matches(test, &expected, actual)),
        }
    }
}

fn text_matches(test: Test, expected: &Pattern, actual: &str) -> bool {
    match test {
        Test::Text => expected.text() == actual,
        Test::TextWithoutCase => expected.text().to_lowercase() == actual.to_lowercase(),
        Test::Like => expected.matches(actual),
        Test::Arn => arn_matches(expected, actual),
        Test::Truth => {
            truth(&expected.text()).is_some_and(|expected| truth(actual) == Some(expected))
        }
        _ => false,
    }
}

/// Compares each of an ARN's six parts: `*` does not match a colon, except in the last part.
fn arn_matches(expected: &Pattern, actual: &str) -> bool {
    let actual: Vec<&str> = actual.splitn(6, ':').collect();
    let Some(expected) = expected.arn_parts().filter(|_| actual.len() == 6) else {
        return false;
    };
    expected.iter().zip(actual).all(|(expected, actual)| expected.matches(actual))
}

impl Order {
    fn holds<T: PartialOrd + Copy>(self, actual: T, expected: T) -> bool {
        match self {
            Self::Equal => actual == expected,
            Self::Less => actual < expected,
            Self::LessOrEqual => actual <= expected,
            Self::Greater => actual > expected,
            Self::GreaterOrEqual => actual >= expected,
        }
    }
}

fn truth(text: &str) -> Option<bool> {
    text.to_lowercase().parse().ok()
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// Parses an ISO 8601 time or date, or seconds since the epoch.
fn time(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse() {
        return Timestamp::from_second(seconds).ok();
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    let day: Date = text.parse().ok()?;
    Some(day.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

impl Network {
    fn read(text: &str) -> Option<Self> {
        let (base, bits) = match text.split_once('/') {
            Some((base, bits)) => (base, Some(bits.parse().ok()?)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().ok()?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.unwrap_or(most);
        (bits <= most).then_some(Self { base, bits })
    }

    fn contains(&self, one: IpAddr) -> bool {
        match (self.base, one) {
            (IpAddr::V4(base), IpAddr::V4(one)) => {
                let differ = u32::from(base) ^ u32::from(one);
                differ.checked_shr(32 - self.bits).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(one)) => {
                let differ = u128::from(base) ^ u128::from(one);
                differ.checked_shr(128 - self.bits).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}
