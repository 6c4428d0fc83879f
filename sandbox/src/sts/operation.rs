//! The STS operations that the sandbox supports.

use super::{error::StsError, parameters::Parameters};

/// An operation of STS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    AssumeRole,
    AssumeRoleWithWebIdentity,
    GetCallerIdentity,
    GetSessionToken,
}

impl Operation {
    /// The operation in the parameters. `Version` is ignored, because there is only one.
    pub(crate) fn read(parameters: &Parameters) -> Result<Self, StsError> {
        match parameters.get("Action") {
            None => Err(StsError::MissingAction),
            Some("AssumeRole") => Ok(Self::AssumeRole),
            Some("GetSessionToken") => Ok(Self::GetSessionToken),
            Some("AssumeRoleWithWebIdentity") => Ok(Self::AssumeRoleWithWebIdentity),
            Some("GetCallerIdentity") => Ok(Self::GetCallerIdentity),
            Some(other) => Err(StsError::UnknownAction(other.to_owned())),
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
