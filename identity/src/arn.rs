//! IAM role ARNs: `arn:<partition>:iam::<account>:role/<path/><name>`.

use std::{fmt, str::FromStr};

use crate::blank::{self, Blank};

/// The ARN of an IAM role, within IAM's documented limits.
/// The name has 1 to 64 characters of
/// `A-Z a-z 0-9 + = , . @ _ -`; the path before it is up to 512 printable ASCII characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleArn {
    text: String,
    partition_end: usize,
    name_start: usize,
}

/// The 12 digits of an AWS account.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(String);

/// Why a text is not the ARN of an IAM role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArnError {
    /// It contains a blank, which no ARN does.
    #[error("it contains {0}; remove it")]
    Blank(Blank),
    /// A template's placeholder was not replaced: `<ACCOUNT_ID>`, `${ACCOUNT_ID}`, `{{ .account }}`.
    #[error("it contains the placeholder {0}; replace it")]
    Placeholder(Box<str>),
    /// It does not have the six parts of an ARN.
    #[error("it is not an ARN (arn:aws:iam::<account>:role/<name>)")]
    NotAnArn,
    /// The partition is not one of AWS's.
    #[error("its partition is not AWS's (aws, aws-cn, aws-us-gov, ...)")]
    Partition,
    /// The service is not `iam`.
    #[error("its service is not iam")]
    Service,
    /// It has a region, which ARNs of IAM do not have.
    #[error("it has a region, and ARNs of IAM have none")]
    Region,
    /// The account is not twelve digits.
    #[error("its account is not 12 digits")]
    Account,
    /// It is the ARN of something else: a user, an instance profile, an assumed role.
    #[error("it is not the ARN of a role (role/<name> is missing)")]
    NotARole,
    /// The role's path has characters that IAM does not allow, or is too long.
    #[error("its role path is not one that IAM allows")]
    Path,
    /// The role's name has characters that IAM does not allow, or is empty or too long.
    #[error("its role name is not 1 to 64 characters of A-Z a-z 0-9 + = , . @ _ -")]
    Name,
}

impl RoleArn {
    /// `aws`, `aws-cn`, `aws-us-gov`, ...
    #[must_use]
    pub fn partition(&self) -> &str {
        &self.text["arn:".len()..self.partition_end]
    }

    /// The twelve digits of the role's account.
    #[must_use]
    pub fn account(&self) -> &str {
        let start = self.partition_end + ":iam::".len();
        &self.text[start..start + 12]
    }

    /// The role's name without its path.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.text[self.name_start..]
    }

    /// The whole ARN.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for RoleArn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        // A path may contain brackets, so only a text that is no ARN has a placeholder.
        parse(text).map_err(|error| placeholder(text).map_or(error, ArnError::Placeholder))
    }
}

fn parse(text: &str) -> Result<RoleArn, ArnError> {
    if let Some(blank) = blank::first(text) {
        return Err(ArnError::Blank(blank));
    }
    let mut parts = text.splitn(6, ':');
    let mut next = || parts.next().ok_or(ArnError::NotAnArn);
    if next()? != "arn" {
        return Err(ArnError::NotAnArn);
    }
    let (partition, service, region) = (next()?, next()?, next()?);
    let (account, resource) = (next()?, next()?);
    check_partition(partition)?;
    if service != "iam" {
        return Err(ArnError::Service);
    }
    if !region.is_empty() {
        return Err(ArnError::Region);
    }
    account.parse::<AccountId>()?;
    let role = resource.strip_prefix("role/").ok_or(ArnError::NotARole)?;
    let name = role.rsplit('/').next().unwrap_or(role);
    check_path(&role[..role.len() - name.len()])?;
    check_name(name)?;
    Ok(RoleArn {
        partition_end: "arn:".len() + partition.len(),
        name_start: text.len() - name.len(),
        text: text.to_owned(),
    })
}

/// The first placeholder of a template, cut to 24 characters.
fn placeholder(text: &str) -> Option<Box<str>> {
    let found = [("${", "}"), ("$(", ")"), ("{{", "}}"), ("<", ">")].into_iter();
    let found = found.filter_map(|(open, close)| {
        let begin = text.find(open)?;
        let end = text[begin..].find(close)? + close.len();
        Some(&text[begin..begin + end])
    });
    let first = found.min_by_key(|found| found.as_ptr())?;
    Some(first.chars().take(24).collect::<String>().into())
}

fn check_partition(partition: &str) -> Result<(), ArnError> {
    let rest = partition.strip_prefix("aws").ok_or(ArnError::Partition)?;
    let words = rest.is_empty()
        || rest.strip_prefix('-').is_some_and(|words| {
            words
                .split('-')
                .all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
        });
    words.then_some(()).ok_or(ArnError::Partition)
}

fn check_path(path: &str) -> Result<(), ArnError> {
    let legal = path.len() <= 511
        && !path.starts_with('/')
        && path.bytes().all(|byte| (0x21..=0x7e).contains(&byte));
    legal.then_some(()).ok_or(ArnError::Path)
}

fn check_name(name: &str) -> Result<(), ArnError> {
    let legal = (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+=,.@_-".contains(&byte));
    legal.then_some(()).ok_or(ArnError::Name)
}

impl FromStr for AccountId {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, ArnError> {
        let legal = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
        legal.then(|| Self(text.to_owned())).ok_or(ArnError::Account)
    }
}

impl AccountId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl serde::Serialize for RoleArn {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> serde::Deserialize<'de> for RoleArn {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_read() {
        let role: RoleArn = "arn:aws-us-gov:iam::111122223333:role/team/app@x".parse().unwrap();
        assert_eq!(role.partition(), "aws-us-gov");
        assert_eq!(role.account(), "111122223333");
        assert_eq!(role.name(), "app@x");
        assert_eq!(role.to_string(), "arn:aws-us-gov:iam::111122223333:role/team/app@x");
    }

    #[test]
    fn each_error_has_its_own_variant() {
        for (text, error) in [
            ("", ArnError::NotAnArn),
            ("app", ArnError::NotAnArn),
            ("arm:aws:iam::111122223333:role/app", ArnError::NotAnArn),
            ("arn:aws:iam::111122223333", ArnError::NotAnArn),
            ("arn:azure:iam::111122223333:role/app", ArnError::Partition),
            ("arn:aws-:iam::111122223333:role/app", ArnError::Partition),
            ("arn:aws-CN:iam::111122223333:role/app", ArnError::Partition),
            ("arn:aws:sts::111122223333:assumed-role/app/me", ArnError::Service),
            ("arn:aws:iam:eu-west-1:111122223333:role/app", ArnError::Region),
            ("arn:aws:iam::1111:role/app", ArnError::Account),
            ("arn:aws:iam::11112222333x:role/app", ArnError::Account),
            ("arn:aws:iam::111122223333:user/app", ArnError::NotARole),
            ("arn:aws:iam::111122223333:role", ArnError::NotARole),
            ("arn:aws:iam::111122223333:role/", ArnError::Name),
            ("arn:aws:iam::111122223333:role/a:b", ArnError::Name),
            ("arn:aws:iam::111122223333:role//app", ArnError::Path),
            ("arn:aws:iam::111122223333:role/té/app", ArnError::Path),
        ] {
            assert_eq!(text.parse::<RoleArn>().unwrap_err(), error, "{text}");
        }
        for (text, error) in [
            ("arn:aws:iam::111122223333:role/a b", "it contains a space; remove it"),
            ("arn:aws:iam::111122223333:role/app\n", "it contains a line break; remove it"),
            (
                "arn:aws:iam::<ACCOUNT_ID>:role/<ROLE>",
                "it contains the placeholder <ACCOUNT_ID>; replace it",
            ),
            (
                "arn:aws:iam::${ACCOUNT_ID}:role/app",
                "it contains the placeholder ${ACCOUNT_ID}; replace it",
            ),
            ("{{.Values.role}}", "it contains the placeholder {{.Values.role}}; replace it"),
            (
                "arn:aws:iam::$(ACCOUNT):role/app",
                "it contains the placeholder $(ACCOUNT); replace it",
            ),
        ] {
            assert_eq!(text.parse::<RoleArn>().unwrap_err().to_string(), error, "{text}");
        }
        // IAM allows any visible character in a path.
        assert!("arn:aws:iam::111122223333:role/<a>/app".parse::<RoleArn>().is_ok());
        let long = format!("arn:aws:iam::111122223333:role/{}", "a".repeat(65));
        assert_eq!(long.parse::<RoleArn>().unwrap_err(), ArnError::Name);
    }
}
