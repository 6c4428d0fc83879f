//! One rule: which calls, and what happens to them. Parsed strictly, from JSON or from one line.

use std::{num::NonZeroU64, str::FromStr};

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A longer delay is more likely a typo than a test.
const MAX_DELAY: SignedDuration = SignedDuration::from_mins(10);
const MAX_SKEW: SignedDuration = SignedDuration::from_hours(24 * 366);
const MAX_TEXT: usize = 200;

/// Which calls get which fault.
///
/// ```json
/// {"operation": "AssumeRoleWithWebIdentity", "code": "Throttling", "status": 400, "first": 2}
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[serde(default)]
pub struct Rule {
    /// AWS's name of the operation; `*` means all. For calls to the upstream emulator it is
    /// `secretsmanager`, `GetSecretValue` or `secretsmanager.GetSecretValue`, and `s3.PUT` if the
    /// operation is in method and path.
    pub operation: String,
    /// The response's HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// AWS's error code. The response has the operation's own format.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The error message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long the call is delayed, before anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
    /// The call never gets a response.
    #[serde(skip_serializing_if = "is_false")]
    pub hang: bool,
    /// The connection is dropped without a response.
    #[serde(skip_serializing_if = "is_false")]
    pub reset: bool,
    /// The connection is dropped after half of the real response.
    #[serde(skip_serializing_if = "is_false")]
    pub truncated: bool,
    /// The body is not parseable.
    #[serde(skip_serializing_if = "is_false")]
    pub garbage: bool,
    /// How much the sandbox's clock is off for the call, the `Date` header included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_skew: Option<Span>,
    /// Applies to every n-th call only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub every: Option<NonZeroU64>,
    /// Applies to the first n calls only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<NonZeroU64>,
    /// How long the rule applies after it was added.
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub lasts: Option<Span>,
}

/// A duration such as `500ms`, `30s` or `-20m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub SignedDuration);

/// A text that is not a duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a duration; write 500ms, 30s or -20m")]
pub struct SpanError(String);

/// Why a text is not a valid fault.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The text cannot be parsed.
    #[error("not a fault: {0}; write JSON, or operation=GetCallerIdentity,code=Throttling,first=2")]
    Read(String),
    /// The rule would have no effect.
    #[error(
        "the fault has no effect; add status, code, delay, hang, reset, truncated, garbage or clockSkew"
    )]
    Nothing,
    /// The same call would get two responses.
    #[error(
        "a call has one response; choose one of status/code, hang, reset, truncated and garbage"
    )]
    Twice,
    /// The status is out of range.
    #[error("the status {0} is out of range; use 200 to 599")]
    Status(u16),
    /// A code or an operation with other characters, or a text that is too long.
    #[error(
        "code and operation may have letters, digits, - . : _ and *; message may have up to 200 characters"
    )]
    Text,
    /// A duration that is out of range.
    #[error(
        "a duration is out of range; use delay 0 to 10m, clockSkew up to a year, and for greater than 0"
    )]
    Time,
}

impl Default for Rule {
    fn default() -> Self {
        Self {
            operation: "*".to_owned(),
            status: None,
            code: None,
            message: None,
            delay: None,
            hang: false,
            reset: false,
            truncated: false,
            garbage: false,
            clock_skew: None,
            every: None,
            first: None,
            lasts: None,
        }
    }
}

impl Rule {
    /// Whether the rule applies to the operation.
    pub(super) fn is_for(&self, operation: &str) -> bool {
        let is = |name: &str| self.operation.eq_ignore_ascii_case(name);
        let parts = operation.split_once('.');
        self.operation == "*"
            || is(operation)
            || parts.is_some_and(|(service, name)| is(service) || is(name))
    }

    /// Whether the rule's time is over at that age.
    pub(super) fn is_over(&self, age: SignedDuration) -> bool {
        self.lasts.is_some_and(|lasts| age >= lasts.0)
    }

    /// Whether the rule applies to the n-th call, counted from 1.
    pub(super) fn is_turn(&self, call: u64) -> bool {
        let every = self.every.is_none_or(|every| call.is_multiple_of(every.get()));
        every && self.first.is_none_or(|first| call <= first.get())
    }

    fn checked(self) -> Result<Self, RuleError> {
        let error = (self.status.is_some() && !self.garbage) || self.code.is_some();
        let answers = [error, self.hang, self.reset, self.truncated, self.garbage];
        let answers = answers.into_iter().filter(|one| *one).count();
        if answers == 0 && self.delay.is_none() && self.clock_skew.is_none() {
            return Err(RuleError::Nothing);
        }
        if answers > 1 {
            return Err(RuleError::Twice);
        }
        if let Some(status) = self.status.filter(|status| !(200..=599).contains(status)) {
            return Err(RuleError::Status(status));
        }
        let name = |text: &String| text.len() <= MAX_TEXT && text.bytes().all(is_name);
        let short = |text: &String| text.chars().count() <= MAX_TEXT;
        if !name(&self.operation)
            || !self.code.as_ref().is_none_or(name)
            || !self.message.as_ref().is_none_or(short)
        {
            return Err(RuleError::Text);
        }
        self.check_times()?;
        Ok(self)
    }

    fn check_times(&self) -> Result<(), RuleError> {
        let delay = self.delay.is_none_or(|d| !d.0.is_negative() && d.0 <= MAX_DELAY);
        let skew = self.clock_skew.is_none_or(|skew| skew.0.abs() <= MAX_SKEW);
        let lasts = self.lasts.is_none_or(|lasts| lasts.0.is_positive());
        (delay && skew && lasts).then_some(()).ok_or(RuleError::Time)
    }
}

impl FromStr for Rule {
    type Err = RuleError;

    /// Parses JSON, or a list of `name=value` and bare names, separated by commas.
    fn from_str(text: &str) -> Result<Self, RuleError> {
        let unreadable = |error: serde_json::Error| RuleError::Read(error.to_string());
        let text = text.trim();
        let rule: Self = if text.starts_with('{') {
            serde_json::from_str(text).map_err(unreadable)?
        } else {
            serde_json::from_value(Value::Object(line(text)?)).map_err(unreadable)?
        };
        rule.checked()
    }
}

fn line(text: &str) -> Result<Map<String, Value>, RuleError> {
    let mut fields = Map::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = match part.split_once('=') {
            None => (part, Value::Bool(true)),
            Some((name, value)) => (name.trim(), typed(value.trim())),
        };
        if fields.insert(name.to_owned(), value).is_some() {
            return Err(RuleError::Read(format!("{:?} occurs twice", name.escape_debug())));
        }
    }
    Ok(fields)
}

fn typed(value: &str) -> Value {
    match value {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => value.parse::<u64>().map_or_else(|_| value.into(), Value::from),
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._:*".contains(&byte)
}

fn is_false(value: &bool) -> bool {
    !value
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, SpanError> {
        let span = text.parse().map(Self);
        span.map_err(|_| SpanError(text))
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        format!("{:#}", span.0)
    }
}
