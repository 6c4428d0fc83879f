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

    /// Whether the value is that boolean.
    pub(super) fn is_truth(&self, truth: bool) -> bool {
        matches!(self.value, Value::Truth(wanted) if wanted == truth)
    }

    /// Whether a request's value matches. A value of another type does not.
    pub(super) fn fits(&self, test: Test, held: &str, context: &Context) -> bool {
        match (test, &self.value) {
            (Test::Number(order), Value::Number(wanted)) => {
                number(held).is_some_and(|held| order.holds(held, *wanted))
            }
            (Test::Time(order), Value::Time(wanted)) => {
                time(held).is_some_and(|held| order.holds(held, *wanted))
            }
            (Test::Bytes, Value::Bytes(wanted)) => {
                STANDARD.decode(held).is_ok_and(|held| held == *wanted)
            }
            (Test::Address, Value::Network(wanted)) => {
                held.parse().is_ok_and(|held| wanted.contains(held))
            }
            (Test::Truth, Value::Truth(wanted)) => truth(held) == Some(*wanted),
            (test, _) => {
                self.text.fill(context).is_some_and(|wanted| text_fits(test, &wanted, held))
            }
        }
    }
}

fn text_fits(test: Test, wanted: &Pattern, held: &str) -> bool {
    match test {
        Test::Text => wanted.text() == held,
        Test::TextWithoutCase => wanted.text().to_lowercase() == held.to_lowercase(),
        Test::Like => wanted.matches(held),
        Test::Arn => arn_fits(wanted, held),
        Test::Truth => truth(&wanted.text()).is_some_and(|wanted| truth(held) == Some(wanted)),
        _ => false,
    }
}

/// Compares each of an ARN's six parts: `*` does not match a colon, except in the last part.
fn arn_fits(wanted: &Pattern, held: &str) -> bool {
    let held: Vec<&str> = held.splitn(6, ':').collect();
    let Some(wanted) = wanted.arn_parts().filter(|_| held.len() == 6) else {
        return false;
    };
    wanted.iter().zip(held).all(|(wanted, held)| wanted.matches(held))
}

impl Order {
    fn holds<T: PartialOrd + Copy>(self, held: T, wanted: T) -> bool {
        match self {
            Self::Equal => held == wanted,
            Self::Less => held < wanted,
            Self::LessOrEqual => held <= wanted,
            Self::Greater => held > wanted,
            Self::GreaterOrEqual => held >= wanted,
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
