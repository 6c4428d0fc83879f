//! Answers in JSON, of the shapes of EKS Auth's model.

use serde_json::{Value, json};

use super::{Done, audience, fault::EksFault};
use crate::sessions::Session;

/// An answer: HTTP status and JSON; and the error's code, which goes into a header.
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(super) request_id: String,
    pub(super) code: Option<&'static str>,
    pub(super) body: Value,
}

impl Answer {
    pub(super) fn yes(body: Value, request_id: String) -> Self {
        Self { status: 200, request_id, code: None, body }
    }

    pub(super) fn no(fault: &EksFault, request_id: String) -> Self {
        let (code, status) = fault.code();
        let body = json!({"message": fault.to_string()});
        Self { status, request_id, code: Some(code), body }
    }
}

/// The credentials, and whose they are.
pub(super) fn write(done: &Done, session: &Session) -> Value {
    let (arn, id) = &done.association;
    json!({
        "subject": {
            "namespace": done.pod.account.namespace(),
            "serviceAccount": done.pod.account.name(),
        },
        "audience": audience(),
        "podIdentityAssociation": {"associationArn": arn, "associationId": id},
        "assumedRoleUser": {
            "arn": session.identity.arn,
            "assumeRoleId": session.identity.id,
        },
        "credentials": {
            "accessKeyId": session.key_id,
            "secretAccessKey": session.secret,
            "sessionToken": session.token,
            "expiration": session.expiration.as_second(),
        },
    })
}
