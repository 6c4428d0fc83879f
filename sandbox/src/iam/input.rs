//! The parameters of IAM's operations, checked against the limits of IAM's service model.

use std::ops::RangeInclusive;

use super::error::IamError;
use crate::sts::parameters::Parameters;

const ROLE_NAME: RangeInclusive<usize> = 1..=64;
const POLICY_NAME: RangeInclusive<usize> = 1..=128;
const DOCUMENT: RangeInclusive<usize> = 1..=131_072;
const DESCRIPTION: RangeInclusive<usize> = 0..=1000;
const PATH: RangeInclusive<usize> = 1..=512;
const ARN: RangeInclusive<usize> = 20..=2048;
const SESSION: RangeInclusive<u32> = 3600..=43_200;

/// The parameters of a call.
pub(super) struct Input<'a>(&'a Parameters);

impl<'a> Input<'a> {
    pub(super) fn new(parameters: &'a Parameters) -> Self {
        Self(parameters)
    }

    /// A parameter's value, if it is present.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.get(name)
    }

    /// A required parameter, with its length checked.
    pub(super) fn sized(
        &self,
        name: &str,
        limits: &RangeInclusive<usize>,
    ) -> Result<&'a str, IamError> {
        let value = self.get(name).ok_or_else(|| invalid(name, "Member must not be null"))?;
        check_length(name, value, limits)?;
        Ok(value)
    }

    pub(super) fn role_name(&self) -> Result<&'a str, IamError> {
        self.name("RoleName", &ROLE_NAME)
    }

    pub(super) fn policy_name(&self) -> Result<&'a str, IamError> {
        self.name("PolicyName", &POLICY_NAME)
    }

    pub(super) fn provider_arn(&self) -> Result<&'a str, IamError> {
        self.sized("OpenIDConnectProviderArn", &ARN)
    }

    /// A policy document, not yet parsed.
    pub(super) fn document(&self, name: &str) -> Result<&'a str, IamError> {
        self.sized(name, &DOCUMENT)
    }

    /// `/`, or a path with a slash at both ends.
    pub(super) fn path(&self) -> Result<&'a str, IamError> {
        let path = self.get("Path").unwrap_or("/");
        check_length("Path", path, &PATH)?;
        let whole = path.starts_with('/') && path.ends_with('/');
        if whole && path.bytes().all(|byte| (0x21..=0x7e).contains(&byte)) {
            return Ok(path);
        }
        Err(invalid("Path", "Member must begin and end with /"))
    }

    pub(super) fn description(&self) -> Result<Option<String>, IamError> {
        let Some(text) = self.get("Description") else {
            return Ok(None);
        };
        check_length("Description", text, &DESCRIPTION)?;
        let legal = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{a1}'..='\u{ff}');
        let fits = text.chars().all(legal);
        fits.then(|| Some(text.to_owned())).ok_or_else(|| {
            invalid("Description", "Member contains characters that IAM does not allow")
        })
    }

    pub(super) fn max_session_duration(&self) -> Result<Option<u32>, IamError> {
        let Some(text) = self.get("MaxSessionDuration") else {
            return Ok(None);
        };
        let seconds = text.parse().ok().filter(|seconds| SESSION.contains(seconds));
        seconds.map(Some).ok_or_else(|| {
            invalid("MaxSessionDuration", "Member must have value between 3600 and 43200")
        })
    }

    /// `<name>.member.1`, `.2`, and so on until one is missing.
    pub(super) fn list(&self, name: &str) -> Vec<&'a str> {
        let member = |number: usize| self.get(&format!("{name}.member.{number}"));
        (1..).map_while(member).collect()
    }

    fn name(&self, name: &str, limits: &RangeInclusive<usize>) -> Result<&'a str, IamError> {
        let value = self.sized(name, limits)?;
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
        let fits = value.bytes().all(legal);
        fits.then_some(value).ok_or_else(|| {
            invalid(name, "Member must satisfy regular expression pattern: [\\w+=,.@-]+")
        })
    }
}

/// The error for a parameter that violates the service model. Its value is not repeated.
pub(super) fn invalid(name: &str, rule: &str) -> IamError {
    // Names in IAM's messages begin with a lower-case letter.
    let mut letters = name.chars();
    let first = letters.next().map(|first| first.to_ascii_lowercase());
    let name = first.into_iter().chain(letters).collect();
    IamError::Validation { name, rule: rule.to_owned() }
}

pub(super) fn check_length(
    name: &str,
    value: &str,
    limits: &RangeInclusive<usize>,
) -> Result<(), IamError> {
    if limits.contains(&value.chars().count()) {
        return Ok(());
    }
    let (least, most) = limits.clone().into_inner();
    Err(invalid(name, &format!("Member must have length between {least} and {most}")))
}
