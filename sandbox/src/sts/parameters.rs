//! The query protocol's parameters, checked against the limits of STS's service model.

use std::{collections::BTreeMap, ops::RangeInclusive, str::FromStr};

use podrole_identity::{RoleArn, SessionName};

use super::{
    error::StsError, parameter_error::ParameterError, session_policies::SessionPolicies,
    session_tags::SessionTags,
};
use crate::{call::Call, policy::IdentityPolicy};

const ROLE_ARN: RangeInclusive<usize> = 20..=2048;
const SESSION_NAME: RangeInclusive<usize> = 2..=64;
const TOKEN: RangeInclusive<usize> = 4..=20_000;
const POLICY: RangeInclusive<usize> = 1..=2048;
const EXTERNAL_ID: RangeInclusive<usize> = 2..=1224;
const POLICY_ARNS: usize = 10;
const DURATION: RangeInclusive<u32> = 900..=43_200;
const SESSION_TOKEN_DURATION: RangeInclusive<u32> = 900..=129_600;
const DEFAULT_SESSION_TOKEN_DURATION: u32 = 43_200;

/// The parameters in a call's query and body.
pub(crate) struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Parses the query and the body of a call.
    pub(crate) fn read(call: &Call<'_>) -> Result<Self, ParameterError> {
        let mut parameters = BTreeMap::new();
        for part in [call.query().as_bytes(), call.body] {
            let pairs: Vec<(String, String)> =
                serde_urlencoded::from_bytes(part).map_err(|_| ParameterError::Unreadable)?;
            for (name, value) in pairs {
                // With two values, two checks could read different ones.
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

    /// The token of AssumeRoleWithWebIdentity.
    pub(crate) fn web_identity_token(&self) -> Result<&str, ParameterError> {
        self.sized("WebIdentityToken", "webIdentityToken", TOKEN)
    }

    pub(crate) fn role(&self) -> Result<RoleArn, ParameterError> {
        let role = self.sized("RoleArn", "roleArn", ROLE_ARN)?;
        role.parse().map_err(|_| ParameterError::RoleArn)
    }

    pub(crate) fn session_name(&self) -> Result<SessionName, ParameterError> {
        let name = "roleSessionName";
        let text = self.sized("RoleSessionName", name, SESSION_NAME)?;
        let pattern = r"[\w+=,.@-]*";
        text.parse().map_err(|_| ParameterError::Pattern { name, pattern })
    }

    /// Seconds, if requested.
    pub(crate) fn duration(&self) -> Result<Option<u32>, ParameterError> {
        self.seconds(&DURATION)
    }

    pub(crate) fn session_token_duration(&self) -> Result<u32, ParameterError> {
        let asked = self.seconds(&SESSION_TOKEN_DURATION)?;
        Ok(asked.unwrap_or(DEFAULT_SESSION_TOKEN_DURATION))
    }

    pub(crate) fn external_id(&self) -> Result<Option<String>, ParameterError> {
        self.matching("ExternalId", "externalId", EXTERNAL_ID, ("+=,.@:/-", r"[\w+=,.@:\/-]*"))
    }

    pub(crate) fn source_identity(&self) -> Result<Option<String>, ParameterError> {
        let pattern = ("+=,.@-", r"[\w+=,.@-]*");
        self.matching("SourceIdentity", "sourceIdentity", SESSION_NAME, pattern)
    }

    /// The inline session policy and the ARNs of managed ones.
    pub(crate) fn session_policies(&self) -> Result<SessionPolicies, StsError> {
        let inline = match self.get("Policy") {
            None => None,
            Some(_) => Some(session_policy(self.sized("Policy", "policy", POLICY)?)?),
        };
        let arns = self.members("PolicyArns", "arn");
        let arns: Vec<&str> = arns.into_iter().flat_map(BTreeMap::into_values).collect();
        let error = |least, most| ParameterError::Length { name: "policyArns", least, most };
        if arns.len() > POLICY_ARNS {
            return Err(error(0, POLICY_ARNS).into());
        }
        if !arns.iter().all(|arn| ROLE_ARN.contains(&arn.chars().count())) {
            return Err(error(*ROLE_ARN.start(), *ROLE_ARN.end()).into());
        }
        SessionPolicies::new(inline, &arns)
    }

    /// The session tags, with those that are transitive.
    pub(crate) fn session_tags(&self) -> Result<SessionTags, StsError> {
        let mut tags = Vec::new();
        for member in self.members("Tags", "") {
            let part = |name, at| member.get(name).copied().ok_or(ParameterError::Missing(at));
            tags.push((part("Key", "tags.key")?, part("Value", "tags.value")?));
        }
        let keys = self.members("TransitiveTagKeys", "");
        let keys = keys.into_iter().flat_map(BTreeMap::into_values);
        Ok(SessionTags::read(tags, keys)?)
    }

    /// Rejects MFA codes, because the sandbox has no MFA devices.
    pub(crate) fn check_mfa(&self) -> Result<(), StsError> {
        let given = self.get("SerialNumber").or_else(|| self.get("TokenCode"));
        given.map_or(Ok(()), |_| Err(StsError::Mfa))
    }

    /// The members of a list in order, each with its fields, as in `Tags.member.1.Key`. A member without fields
    /// has its value under the empty name.
    fn members(&self, list: &str, only: &str) -> Vec<BTreeMap<&str, &str>> {
        let mut members: BTreeMap<u32, BTreeMap<&str, &str>> = BTreeMap::new();
        for (name, value) in &self.0 {
            let rest = name.strip_prefix(list).and_then(|rest| rest.strip_prefix(".member."));
            let Some(rest) = rest else { continue };
            let (number, field) = rest.split_once('.').unwrap_or((rest, ""));
            let wanted = only.is_empty() || field == only;
            if let (Ok(number), true) = (number.parse(), wanted) {
                members.entry(number).or_default().insert(field, value);
            }
        }
        members.into_values().collect()
    }

    fn sized(
        &self,
        parameter: &str,
        name: &'static str,
        limits: RangeInclusive<usize>,
    ) -> Result<&str, ParameterError> {
        let value = self.get(parameter).ok_or(ParameterError::Missing(name))?;
        let error = ParameterError::Length { name, least: *limits.start(), most: *limits.end() };
        let fits = limits.contains(&value.chars().count());
        fits.then_some(value).ok_or(error)
    }

    /// An optional parameter of letters, digits, `_` and the characters in `others`.
    fn matching(
        &self,
        parameter: &str,
        name: &'static str,
        limits: RangeInclusive<usize>,
        (others, pattern): (&str, &'static str),
    ) -> Result<Option<String>, ParameterError> {
        if self.get(parameter).is_none() {
            return Ok(None);
        }
        let text = self.sized(parameter, name, limits)?;
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || others.contains(c);
        let fits = text.chars().all(legal);
        fits.then(|| Some(text.to_owned())).ok_or(ParameterError::Pattern { name, pattern })
    }

    fn seconds(&self, limits: &RangeInclusive<u32>) -> Result<Option<u32>, ParameterError> {
        let Some(text) = self.get("DurationSeconds") else {
            return Ok(None);
        };
        let error = ParameterError::Duration { least: *limits.start(), most: *limits.end() };
        let seconds = u32::from_str(text).ok().filter(|seconds| limits.contains(seconds));
        seconds.map(Some).ok_or(error)
    }
}

fn session_policy(text: &str) -> Result<IdentityPolicy, ParameterError> {
    IdentityPolicy::read(text).map_err(|error| ParameterError::Policy(error.to_string()))
}

#[cfg(test)]
mod tests;
