//! Responses in JSON, as in EKS Auth's service model.

use podrole_identity::Exchange;
use serde_json::{Value, json};

use super::{error::EksAuthError, pod::Pod};
use crate::sessions::Session;

/// A response: HTTP status, JSON body, and the error code, which is sent in a header.
pub(crate) struct JsonResponse {
    pub(super) status: u16,
    pub(super) request_id: String,
    pub(super) code: Option<&'static str>,
    pub(super) body: Value,
}

impl JsonResponse {
    pub(super) fn success(body: Value, request_id: String) -> Self {
        Self { status: 200, request_id, code: None, body }
    }

    pub(super) fn error(error: &EksAuthError, request_id: String) -> Self {
        let (code, status) = error.code();
        let body = json!({"message": error.to_string()});
        Self { status, request_id, code: Some(code), body }
    }
}

/// The body of a success: the credentials and whose they are.
pub(super) fn write(pod: &Pod, (arn, id): &(String, String), session: &Session) -> Value {
    json!({
        "subject": {
            "namespace": pod.account.namespace(),
            "serviceAccount": pod.account.name(),
        },
        "audience": Exchange::EksAuth.audience(),
        "podIdentityAssociation": {"associationArn": arn, "associationId": id},
        "assumedRoleUser": {
            "arn": session.grant.identity.arn,
            "assumeRoleId": session.grant.identity.id,
        },
        "credentials": {
            "accessKeyId": session.key_id,
            "secretAccessKey": session.secret,
            "sessionToken": session.token,
            "expiration": session.grant.expiration.as_second(),
        },
    })
}
