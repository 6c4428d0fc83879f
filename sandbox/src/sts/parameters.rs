//! The query protocol's parameters, and the limits that STS's model sets them.

use std::collections::BTreeMap;

use podrole_identity::{RoleArn, SessionName};

use super::Call;

const ROLE_ARN: std::ops::RangeInclusive<usize> = 20..=2048;
const SESSION_NAME: std::ops::RangeInclusive<usize> = 2..=64;
const TOKEN: std::ops::RangeInclusive<usize> = 4..=20_000;
const POLICY: std::ops::RangeInclusive<usize> = 1..=2048;
const DURATION: std::ops::RangeInclusive<u32> = 900..=43_200;
const DEFAULT_DURATION: u32 = 3600;

/// The parameters of a call, of its query and of its body.
pub(crate) struct Parameters(BTreeMap<String, String>);

/// A parameter that STS does not take. Values are not repeated: one of them is a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ParameterError {
    #[error("The parameters of the request cannot be read")]
    Unreadable,
    #[error("A parameter is there more than once")]
    Twice,
    #[error(
        "1 validation error detected: Value null at '{0}' failed to satisfy constraint: Member must not be null"
    )]
    Missing(&'static str),
    #[error(
        "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must have length between {least} and {most}"
    )]
    Length { name: &'static str, least: usize, most: usize },
    #[error(
        "1 validation error detected: Value at 'roleSessionName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
    )]
    SessionName,
    #[error("Request ARN is invalid")]
    RoleArn,
    #[error(
        "1 validation error detected: Value at 'durationSeconds' failed to satisfy constraint: Member must have value between 900 and 43200"
    )]
    Duration,
    #[error("The policy is not in the valid JSON format.")]
    Policy(&'static str),
}

/// What AssumeRoleWithWebIdentity is asked with.
pub(crate) struct WebIdentityRequest<'a> {
    pub(crate) role: RoleArn,
    pub(crate) session_name: SessionName,
    pub(crate) token: &'a str,
    /// Seconds.
    pub(crate) duration: u32,
    /// How much of what a session policy may take this one takes, in percent.
    pub(crate) packed_policy_size: Option<usize>,
}

impl Parameters {
    /// Reads the query and the body of a call.
    pub(crate) fn read(call: &Call<'_>) -> Result<Self, ParameterError> {
        let mut parameters = BTreeMap::new();
        for part in [call.query().as_bytes(), call.body] {
            let pairs: Vec<(String, String)> =
                serde_urlencoded::from_bytes(part).map_err(|_| ParameterError::Unreadable)?;
            for (name, value) in pairs {
                // Two values would let one check read the first and another the second.
                if parameters.insert(name, value).is_some() {
                    return Err(ParameterError::Twice);
                }
            }
        }
        Ok(Self(parameters))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The parameters of AssumeRoleWithWebIdentity, each within its limits.
    pub(crate) fn web_identity(&self) -> Result<WebIdentityRequest<'_>, ParameterError> {
        let role = self.sized("RoleArn", "roleArn", ROLE_ARN)?;
        let name = self.sized("RoleSessionName", "roleSessionName", SESSION_NAME)?;
        let token = self.sized("WebIdentityToken", "webIdentityToken", TOKEN)?;
        Ok(WebIdentityRequest {
            role: role.parse().map_err(|_| ParameterError::RoleArn)?,
            session_name: name.parse().map_err(|_| ParameterError::SessionName)?,
            token,
            duration: self.duration()?,
            packed_policy_size: self.packed_policy_size()?,
        })
    }

    fn sized(
        &self,
        parameter: &str,
        name: &'static str,
        limits: std::ops::RangeInclusive<usize>,
    ) -> Result<&str, ParameterError> {
        let value = self.get(parameter).ok_or(ParameterError::Missing(name))?;
        let fault = ParameterError::Length { name, least: *limits.start(), most: *limits.end() };
        let fits = limits.contains(&value.chars().count());
        fits.then_some(value).ok_or(fault)
    }

    fn duration(&self) -> Result<u32, ParameterError> {
        let Some(text) = self.get("DurationSeconds") else {
            return Ok(DEFAULT_DURATION);
        };
        let seconds = text.parse().map_err(|_| ParameterError::Duration)?;
        let fits = DURATION.contains(&seconds);
        fits.then_some(seconds).ok_or(ParameterError::Duration)
    }

    /// An approximation: AWS packs policies in a way of its own. Here it is the text's share of
    /// the 2,048 characters that it may have.
    fn packed_policy_size(&self) -> Result<Option<usize>, ParameterError> {
        if self.get("Policy").is_none() {
            return Ok(None);
        }
        let policy = self.sized("Policy", "policy", POLICY)?;
        let document: serde_json::Value =
            serde_json::from_str(policy).map_err(|_| ParameterError::Policy("it is no JSON"))?;
        if document.get("Statement").is_none() {
            return Err(ParameterError::Policy("it has no Statement"));
        }
        let length = policy.chars().count();
        Ok(Some((length * 100).div_ceil(*POLICY.end())))
    }
}

#[cfg(test)]
mod tests;
