//! The principals in a trust policy, and the caller's.

use std::fmt;

use podrole_identity::AccountId;

use super::{malformed::MalformedPolicy, written::WrittenPrincipals};

/// The caller, as policies name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Principal<'a> {
    /// An identity of an identity provider, by the provider's ARN.
    Federated(&'a str),
    /// An AWS service, by its domain name.
    Service(&'a str),
    /// A user, by its ARN.
    User(&'a str),
    /// A session of a role.
    Session {
        /// `arn:aws:sts::<account>:assumed-role/<role>/<session>`
        arn: &'a str,
        /// The role's ARN, path included.
        role: &'a str,
    },
}

/// How specifically a policy names the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PrincipalMatch {
    /// By its account. The caller's own policies must then allow the action too.
    Account,
    /// As a user, role, provider or service, or by `*`.
    Itself,
    /// As this role session.
    Session,
}

/// The principals of a statement.
#[derive(Debug)]
pub(super) struct Principals {
    /// `"*"`, or `{"AWS": "*"}`, which IAM documents as the same.
    everyone: bool,
    aws: Vec<AwsPrincipal>,
    federated: Vec<String>,
    service: Vec<String>,
}

#[derive(Debug)]
enum AwsPrincipal {
    /// `arn:<partition>:iam::<account>:root`, or the 12 digits, which match in any partition.
    Account { partition: Option<String>, id: String },
    /// A user, role or role session.
    Arn(String),
}

impl TryFrom<WrittenPrincipals> for Principals {
    type Error = MalformedPolicy;

    fn try_from(written: WrittenPrincipals) -> Result<Self, MalformedPolicy> {
        let (mut aws, federated, service) = match written {
            WrittenPrincipals::Everyone => (vec!["*".to_owned()], Vec::new(), Vec::new()),
            WrittenPrincipals::Named(named) => (named.aws, named.federated, named.service),
        };
        if aws.is_empty() && federated.is_empty() && service.is_empty() {
            return Err(MalformedPolicy::NoPrincipal);
        }
        // IAM takes an ARN or a domain such as accounts.google.com, and never a URL.
        if let Some(url) = federated.iter().find(|name| name.contains("://") || name.is_empty()) {
            return Err(MalformedPolicy::FederatedPrincipal(url.clone()));
        }
        let everyone = aws.iter().any(|name| name == "*");
        aws.retain(|name| name != "*");
        let aws = aws.iter().map(|name| AwsPrincipal::read(name));
        Ok(Self { everyone, aws: aws.collect::<Result<_, _>>()?, federated, service })
    }
}

impl AwsPrincipal {
    fn read(name: &str) -> Result<Self, MalformedPolicy> {
        let error = || MalformedPolicy::AwsPrincipal(name.to_owned());
        if name.parse::<AccountId>().is_ok() {
            return Ok(Self::Account { partition: None, id: name.to_owned() });
        }
        let parts: Vec<&str> = name.splitn(6, ':').collect();
        let ["arn", partition, service, "", account, resource] = parts[..] else {
            return Err(error());
        };
        let valid = partition.starts_with("aws") && account.parse::<AccountId>().is_ok();
        if !valid || resource.contains(['*', '?']) {
            return Err(error());
        }
        match (service, resource.split_once('/')) {
            ("iam", None) if resource == "root" => {
                let (partition, id) = (Some(partition.to_owned()), account.to_owned());
                Ok(Self::Account { partition, id })
            }
            ("iam", Some(("user" | "role", _))) | ("sts", Some(("assumed-role", _))) => {
                Ok(Self::Arn(name.to_owned()))
            }
            _ => Err(error()),
        }
    }

    /// Whether this is the account of the ARN.
    fn is_account_of(&self, arn: &str) -> bool {
        let Self::Account { partition, id } = self else {
            return false;
        };
        let mut parts = arn.split(':').skip(1);
        let same_partition =
            parts.next().is_some_and(|of| partition.as_deref().is_none_or(|p| p == of));
        same_partition && parts.nth(2) == Some(id)
    }

    fn is_arn(&self, arn: &str) -> bool {
        matches!(self, Self::Arn(one) if one == arn)
    }
}

impl Principals {
    /// How specifically the caller is named. `None` if it is not.
    pub(super) fn name(&self, principal: Principal<'_>) -> Option<PrincipalMatch> {
        let listed = |list: &[String], name: &str| {
            list.iter().any(|one| one == name).then_some(PrincipalMatch::Itself)
        };
        let everyone = self.everyone.then_some(PrincipalMatch::Itself);
        let named = match principal {
            Principal::Federated(provider) => listed(&self.federated, provider),
            Principal::Service(domain) => listed(&self.service, domain),
            Principal::User(arn) => self.aws_name(arn, arn, None),
            Principal::Session { arn, role } => self.aws_name(role, role, Some(arn)),
        };
        everyone.max(named)
    }

    /// The identity providers that it names.
    pub(super) fn federated(&self) -> impl Iterator<Item = &str> {
        self.federated.iter().map(String::as_str)
    }

    /// The services that it names.
    pub(super) fn services(&self) -> impl Iterator<Item = &str> {
        self.service.iter().map(String::as_str)
    }

    /// All that it names, as a policy writes it.
    pub(super) fn names(&self) -> Vec<String> {
        let aws = self.aws.iter().map(|one| match one {
            AwsPrincipal::Account { id, .. } => format!("AWS {id}"),
            AwsPrincipal::Arn(arn) => format!("AWS {arn}"),
        });
        let federated = self.federated().map(|name| format!("Federated {name}"));
        let services = self.services().map(|name| format!("Service {name}"));
        aws.chain(federated).chain(services).collect()
    }

    fn aws_name(
        &self,
        arn: &str,
        of_account: &str,
        session: Option<&str>,
    ) -> Option<PrincipalMatch> {
        let named = self.aws.iter().filter_map(|one| {
            if session.is_some_and(|session| one.is_arn(session)) {
                Some(PrincipalMatch::Session)
            } else if one.is_arn(arn) {
                Some(PrincipalMatch::Itself)
            } else {
                one.is_account_of(of_account).then_some(PrincipalMatch::Account)
            }
        });
        named.max()
    }
}

impl fmt::Display for Principal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Federated(name) => write!(f, "Federated {name}"),
            Self::Service(name) => write!(f, "Service {name}"),
            Self::User(arn) => write!(f, "AWS {arn}"),
            Self::Session { arn, role } => write!(f, "AWS {arn} (of {role})"),
        }
    }
}
