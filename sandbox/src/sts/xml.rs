//! STS's responses in XML, as SDKs parse them.

use serde::Serialize;

use super::{error::StsError, role_step::GrantedSession, web_identity::WebIdentity};
use crate::{accounts::Identity, sessions::Session};

/// Maximum characters of an error message: callers choose part of it, and some SDKs read up to 10 kB.
const MESSAGE_LENGTH: usize = 1000;
const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ResponseMetadata<'a> {
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRoleWithWebIdentityResponse<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    assume_role_with_web_identity_result: WebIdentityResult<'a>,
    response_metadata: ResponseMetadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WebIdentityResult<'a> {
    subject_from_web_identity_token: String,
    audience: String,
    assumed_role_user: AssumedRoleUser<'a>,
    credentials: Credentials<'a>,
    provider: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_policy_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRoleResponse<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    assume_role_result: AssumeRoleResult<'a>,
    response_metadata: ResponseMetadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRoleResult<'a> {
    assumed_role_user: AssumedRoleUser<'a>,
    credentials: Credentials<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    packed_policy_size: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_identity: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetSessionTokenResponse<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    get_session_token_result: GetSessionTokenResult<'a>,
    response_metadata: ResponseMetadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetSessionTokenResult<'a> {
    credentials: Credentials<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AssumedRoleUser<'a> {
    arn: &'a str,
    assumed_role_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    session_token: &'a str,
    /// Whole seconds with `Z`, because some clients parse nothing else.
    expiration: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetCallerIdentityResponse<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    get_caller_identity_result: CallerIdentity<'a>,
    response_metadata: ResponseMetadata<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct CallerIdentity<'a> {
    arn: &'a str,
    user_id: &'a str,
    account: &'a str,
}

#[derive(Serialize)]
#[serde(rename = "ErrorResponse", rename_all = "PascalCase")]
struct StsErrorResponse<'a> {
    #[serde(rename = "@xmlns")]
    namespace: &'static str,
    error: StsErrorXml,
    request_id: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct StsErrorXml {
    r#type: &'static str,
    code: &'static str,
    message: String,
}

/// The response of AssumeRoleWithWebIdentity.
pub(crate) fn web_identity(
    answer: &WebIdentity,
    session: &Session,
    request_id: &str,
) -> Result<String, StsError> {
    write(&AssumeRoleWithWebIdentityResponse {
        namespace: NAMESPACE,
        assume_role_with_web_identity_result: WebIdentityResult {
            subject_from_web_identity_token: legal(&answer.subject),
            audience: legal(&answer.audience),
            assumed_role_user: AssumedRoleUser::of(session),
            credentials: Credentials::of(session),
            provider: legal(&answer.provider),
            packed_policy_size: answer.granted.packed_policy_size,
            source_identity: session.grant.attributes.source_identity.as_deref(),
        },
        response_metadata: ResponseMetadata { request_id },
    })
}

/// The response of AssumeRole.
pub(crate) fn assume_role(
    granted: &GrantedSession,
    session: &Session,
    request_id: &str,
) -> Result<String, StsError> {
    write(&AssumeRoleResponse {
        namespace: NAMESPACE,
        assume_role_result: AssumeRoleResult {
            assumed_role_user: AssumedRoleUser::of(session),
            credentials: Credentials::of(session),
            packed_policy_size: granted.packed_policy_size,
            source_identity: session.grant.attributes.source_identity.as_deref(),
        },
        response_metadata: ResponseMetadata { request_id },
    })
}

/// The response of GetSessionToken.
pub(crate) fn session_token(session: &Session, request_id: &str) -> Result<String, StsError> {
    write(&GetSessionTokenResponse {
        namespace: NAMESPACE,
        get_session_token_result: GetSessionTokenResult { credentials: Credentials::of(session) },
        response_metadata: ResponseMetadata { request_id },
    })
}

/// The response of GetCallerIdentity.
pub(crate) fn caller_identity(identity: &Identity, request_id: &str) -> Result<String, StsError> {
    write(&GetCallerIdentityResponse {
        namespace: NAMESPACE,
        get_caller_identity_result: CallerIdentity {
            arn: &identity.arn,
            user_id: &identity.id,
            account: &identity.account,
        },
        response_metadata: ResponseMetadata { request_id },
    })
}

impl<'a> AssumedRoleUser<'a> {
    fn of(session: &'a Session) -> Self {
        Self { arn: &session.grant.identity.arn, assumed_role_id: &session.grant.identity.id }
    }
}

impl<'a> Credentials<'a> {
    fn of(session: &'a Session) -> Self {
        Self {
            access_key_id: &session.key_id,
            secret_access_key: &session.secret,
            session_token: &session.token,
            expiration: format!("{:.0}", session.grant.expiration),
        }
    }
}

/// An error response.
pub(crate) fn error(error: &StsError, request_id: &str) -> String {
    let (code, status) = error.code();
    let response = StsErrorResponse {
        namespace: NAMESPACE,
        error: StsErrorXml {
            r#type: if status < 500 { "Sender" } else { "Receiver" },
            code,
            message: legal(&error.to_string()).chars().take(MESSAGE_LENGTH).collect(),
        },
        request_id,
    };
    write(&response).unwrap_or_default()
}

fn write<T: Serialize>(answer: &T) -> Result<String, StsError> {
    let mut xml = quick_xml::se::to_string(answer).map_err(|_| StsError::Unwritable)?;
    xml.push('\n');
    Ok(xml)
}

/// Removes the characters that XML does not allow even when escaped.
fn legal(text: &str) -> String {
    let legal = |c: &char| !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().filter(legal).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_escaped() {
        let error = StsError::UnknownAction("<&>\u{0}\"".to_owned());
        let wanted = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
                      <Type>Sender</Type><Code>InvalidAction</Code>\
                      <Message>Could not find operation &lt;&amp;&gt;\" for version 2011-06-15</Message>\
                      </Error><RequestId>id</RequestId></ErrorResponse>\n";
        assert_eq!(super::error(&error, "id"), wanted);
    }
}
