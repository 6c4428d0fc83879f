//! What kube2iam and kiam write before a role that is no ARN.

use std::str::FromStr;

use podrole_identity::RoleArn;

/// The beginning of role ARNs, such as `arn:aws:iam::111122223333:role/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BaseRoleArn(String);

/// A text is not the beginning of role ARNs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write the beginning of role ARNs: arn:aws:iam::111122223333:role/")]
pub(super) struct BaseRoleArnError;

impl BaseRoleArn {
    /// The text of the ARN of a role by its name, or path and name. Like kube2iam, it appends the name
    /// as it is, because a base may end within a name (`role/prod-`); like kiam, it permits a name
    /// that begins with a slash.
    pub(super) fn join(&self, name: &str) -> String {
        let name = if self.0.ends_with('/') { name.trim_start_matches('/') } else { name };
        format!("{}{name}", self.0)
    }
}

impl FromStr for BaseRoleArn {
    type Err = BaseRoleArnError;

    fn from_str(text: &str) -> Result<Self, BaseRoleArnError> {
        let slash = if text.ends_with(":role") { "/" } else { "" };
        let base = Self(format!("{text}{slash}"));
        let role: Result<RoleArn, _> = base.join("x").parse();
        role.map(|_| base).map_err(|_| BaseRoleArnError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_appended() {
        for (base, name, arn) in [
            ("arn:aws:iam::111122223333:role/", "app", "arn:aws:iam::111122223333:role/app"),
            ("arn:aws:iam::111122223333:role", "app", "arn:aws:iam::111122223333:role/app"),
            ("arn:aws:iam::111122223333:role/", "/a/app", "arn:aws:iam::111122223333:role/a/app"),
            ("arn:aws-cn:iam::111122223333:role/a/", "b", "arn:aws-cn:iam::111122223333:role/a/b"),
            ("arn:aws:iam::111122223333:role/prod-", "b", "arn:aws:iam::111122223333:role/prod-b"),
        ] {
            assert_eq!(base.parse::<BaseRoleArn>().unwrap().join(name), arn);
        }
    }

    #[test]
    fn another_text_is_refused() {
        let long = format!("arn:aws:iam::111122223333:role/{}", "x".repeat(64));
        for text in
            ["", "role/", "arn:aws:iam::1:role/", "arn:aws:iam::111122223333:user/", " arn:", &long]
        {
            assert_eq!(text.parse::<BaseRoleArn>(), Err(BaseRoleArnError), "{text}");
        }
    }
}
