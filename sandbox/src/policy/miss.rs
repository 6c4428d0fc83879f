//! Why policies do not allow a request, part by part.

use std::fmt;

/// Why a request is denied. Its text is the sandbox's reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// A Deny statement applies.
    Explicit {
        /// The statement's `Sid` or position.
        statement: String,
        /// The statement's position in its policy, counted from 0.
        place: usize,
        /// Its conditions, all of which hold.
        conditions: Vec<ComparedCondition>,
    },
    /// No Allow statement applies: what each of them misses.
    NoneAllows(Vec<StatementMiss>),
}

/// An Allow statement that does not apply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementMiss {
    /// The statement's `Sid` or position.
    pub statement: String,
    /// The statement's position in its policy, counted from 0.
    pub place: usize,
    /// The first part that does not match the request. Sentences name only this one.
    pub first: MissedPart,
    /// The other parts that do not match.
    pub others: Vec<MissedPart>,
}

/// A part of a statement that does not match the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MissedPart {
    /// The Principal does not name the caller.
    Principal {
        /// The caller, as a policy would name it.
        caller: String,
        /// What it names.
        named: Vec<String>,
        /// What is almost right.
        near_miss: Option<NearMiss>,
    },
    /// The Action does not cover the request's.
    Action {
        /// The request's action.
        requested: String,
    },
    /// The Resource does not cover the request's.
    Resource {
        /// The request's resource.
        requested: String,
    },
    /// A condition does not hold.
    Condition(ComparedCondition),
}

/// A condition beside the request's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComparedCondition {
    /// The operator as the policy writes it.
    pub operator: String,
    /// The key as the policy writes it.
    pub key: String,
    /// The values in the policy.
    pub wanted: Vec<String>,
    /// The values of the request. `None` if it does not have the key.
    pub held: Option<Vec<String>>,
    /// Whether the sandbox ever sets the key.
    pub is_modelled: bool,
    /// What is almost right.
    pub near_miss: Option<NearMiss>,
}

/// A known mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NearMiss {
    /// The operator takes the wildcards of the value literally.
    LiteralWildcard,
    /// The key has the issuer's `https://`.
    SchemeInKey,
    /// The key has a slash before its colon, and the issuer has none.
    SlashInKey,
    /// The issuer ends with a slash, and the key has none before its colon.
    NoSlashInKey,
    /// The ARNs of the providers differ in a slash at their end.
    SlashOfProvider,
    /// The statement names the same provider in another AWS account or partition, by this ARN.
    OtherAccount(String),
    /// The statement trusts EKS Pod Identity, and the caller is a token's.
    PodIdentityOnly,
}

/// How many principals of a statement are named.
const MOST_NAMED: usize = 3;

impl Denial {
    /// Whether a Deny statement applies.
    #[must_use]
    pub fn is_explicit(&self) -> bool {
        matches!(self, Self::Explicit { .. })
    }
}

impl StatementMiss {
    /// All parts that do not match.
    pub fn parts(&self) -> impl Iterator<Item = &MissedPart> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Explicit { statement, .. } => write!(f, "{statement} denies it explicitly"),
            Self::NoneAllows(misses) if misses.is_empty() => f.write_str("no statement allows it"),
            Self::NoneAllows(misses) => {
                let sentences =
                    misses.iter().map(|miss| format!("{}: {}", miss.statement, miss.first));
                f.write_str(&sentences.collect::<Vec<_>>().join("; "))
            }
        }
    }
}

impl fmt::Display for MissedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Principal { caller, named, near_miss } => {
                write!(f, "its Principal does not name {caller}")?;
                match near_miss {
                    Some(near_miss) => write!(f, "; {near_miss}"),
                    None if named.is_empty() => Ok(()),
                    None => {
                        let more = if named.len() > MOST_NAMED { ", .." } else { "" };
                        let shown = named[..named.len().min(MOST_NAMED)].join(", ");
                        write!(f, "; it names {shown}{more}")
                    }
                }
            }
            Self::Action { requested } => write!(f, "its Action does not cover {requested}"),
            Self::Resource { requested } => write!(f, "its Resource does not cover {requested}"),
            Self::Condition(condition) => condition.fmt(f),
        }
    }
}

impl fmt::Display for ComparedCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operator, key, wanted, held, is_modelled, near_miss } = self;
        write!(f, "{operator} {key} requires {wanted:?} and the request ")?;
        match held {
            Some(held) => write!(f, "has {held:?}")?,
            None if *is_modelled || near_miss.is_some() => f.write_str("does not have the key")?,
            None => f.write_str("does not have the key, which this sandbox never sets")?,
        }
        near_miss.iter().try_for_each(|near_miss| write!(f, "; {near_miss}"))
    }
}

impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LiteralWildcard => "this operator takes * and ? literally, StringLike does not",
            Self::SchemeInKey => "write the key without https://",
            Self::SlashInKey => "write the key without / before the colon",
            Self::NoSlashInKey => {
                "the issuer ends with /, and so does the part of the key before the colon"
            }
            Self::SlashOfProvider => "one of the two ARNs ends with /, and they must be equal",
            Self::OtherAccount(arn) => {
                return write!(f, "it names {arn}, of another account or partition");
            }
            Self::PodIdentityOnly => "it trusts EKS Pod Identity only, not the cluster's tokens",
        })
    }
}
