//! STS's query protocol: which operation, its parameters, its checks, its XML.
//!
//! ```text
//!   Call ─► Parameters ─► operation ─► hop: permission ─► Granted ─► XML
//!     └───► caller ──────────┘           └──────────────► Fault ───► XML, and the reason in the journal
//! ```
//!
//! A new operation is a file beside `web_identity`, a variant here, and an answer in `xml`. What
//! ends in a role's credentials goes through `hop`, EKS Auth's too.

pub(crate) mod answer;
pub(crate) mod assume_role;
pub(crate) mod caller;
pub(crate) mod fault;
pub(crate) mod hop;
pub(crate) mod known;
pub(crate) mod parameters;
pub(crate) mod permission;
pub(crate) mod session_policies;
pub(crate) mod session_tags;
pub(crate) mod session_token;
pub(crate) mod web_identity;
#[cfg(test)]
pub(crate) mod world;
pub(crate) mod xml;

use http::{HeaderMap, Uri};

pub(crate) use crate::signature::{authorization, sigv4};

use self::{fault::Fault, parameters::Parameters};

/// A request as it arrived.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// What a caller asks of STS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    AssumeRole,
    AssumeRoleWithWebIdentity,
    GetCallerIdentity,
    GetSessionToken,
}

impl Operation {
    /// The operation that the parameters name. `Version` is not looked at: there is only one.
    pub(crate) fn read(parameters: &Parameters) -> Result<Self, Fault> {
        match parameters.get("Action") {
            None => Err(Fault::MissingAction),
            Some("AssumeRole") => Ok(Self::AssumeRole),
            Some("GetSessionToken") => Ok(Self::GetSessionToken),
            Some("AssumeRoleWithWebIdentity") => Ok(Self::AssumeRoleWithWebIdentity),
            Some("GetCallerIdentity") => Ok(Self::GetCallerIdentity),
            Some(other) => Err(Fault::UnknownAction(other.to_owned())),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AssumeRole => "AssumeRole",
            Self::GetSessionToken => "GetSessionToken",
            Self::AssumeRoleWithWebIdentity => "AssumeRoleWithWebIdentity",
            Self::GetCallerIdentity => "GetCallerIdentity",
        }
    }
}

impl Call<'_> {
    /// A header's first value, where it is text.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The query as it stands in the URL.
    pub(crate) fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }
}
