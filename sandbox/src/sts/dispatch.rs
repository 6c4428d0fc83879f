//! Handles a call to STS: reads it, decides, records the decision and responds.

use jiff::Timestamp;

use super::{
    assume_role,
    caller::{self, Caller},
    error::StsError,
    operation::Operation,
    parameters::Parameters,
    role_step::GrantedSession,
    session_token,
    web_identity::{self, WebIdentityRequest},
    xml,
};
use crate::{
    call::Call, cluster_state::ClusterStateError, decisions::Decision, random, sandbox::Sandbox,
    sessions::Session, signature::authorization::SignatureError,
};

/// A response of STS or IAM: HTTP status and XML.
pub(crate) struct XmlResponse {
    pub(crate) status: u16,
    pub(crate) request_id: String,
    pub(crate) xml: String,
    /// Why it refuses, which AWS would not say.
    pub(crate) reason: Option<String>,
}

/// A successful call: its XML, and the reason for the decision log.
struct StsOutcome {
    xml: String,
    reason: String,
}

/// Writes the XML of a granted session. The last argument is the request id.
type WriteXml = fn(&GrantedSession, &Session, &str) -> Result<String, StsError>;

/// GetCallerIdentity needs a signature only: no policy can deny it.
fn caller_identity(caller: &Caller, request_id: &str) -> Result<StsOutcome, StsError> {
    let identity = caller.identity().ok_or(SignatureError::UnknownKey)?;
    let xml = xml::caller_identity(identity, request_id)?;
    Ok(StsOutcome { xml, reason: format!("signed by {}", identity.arn) })
}

impl Sandbox {
    /// Handles a call to STS and records the decision. A call that could not be prepared fails.
    pub(crate) fn answer(
        &self,
        call: &Call<'_>,
        prepared: Result<(), ClusterStateError>,
        now: Timestamp,
    ) -> XmlResponse {
        // Without random bytes no credentials are issued either, so a missing id does not matter.
        let request_id = random::uuid().unwrap_or_default();
        let parameters = Parameters::read(call);
        let mut operation = None;
        let done = parameters.as_ref().map_err(|f| f.clone().into()).and_then(|parameters| {
            let named = Operation::read(parameters)?;
            operation = Some(named);
            prepared?;
            self.perform(named, call, parameters, &request_id, now)
        });
        let role = parameters.ok().and_then(|p| p.get("RoleArn").map(str::to_owned));
        self.write_down((operation, role), &request_id, &done, now);
        match done {
            Ok(StsOutcome { xml, .. }) => XmlResponse::new(200, request_id, xml),
            Err(error) => XmlResponse::error(&error, request_id),
        }
    }

    fn perform(
        &self,
        operation: Operation,
        call: &Call<'_>,
        parameters: &Parameters,
        request_id: &str,
        now: Timestamp,
    ) -> Result<StsOutcome, StsError> {
        if operation == Operation::AssumeRoleWithWebIdentity {
            return self.assume_role_with_web_identity(parameters, request_id, now);
        }
        let caller = self.caller(call, "sts", now)?;
        let (granted, xml): (_, WriteXml) = match operation {
            Operation::AssumeRole => {
                let accounts = self.accounts();
                let granted =
                    assume_role::decide(self.inputs(&accounts), &caller, parameters, now)?;
                (granted, xml::assume_role)
            }
            Operation::GetSessionToken => {
                let life = self.inputs(&self.accounts()).credential_life;
                let granted = session_token::decide(life, &caller, parameters, now)?;
                (granted, |_, session, id| xml::session_token(session, id))
            }
            _ => return caller_identity(&caller, request_id),
        };
        let session = self.issue(&granted, now)?;
        let xml = xml(&granted, &session, request_id)?;
        Ok(StsOutcome { xml, reason: granted.reason })
    }

    fn assume_role_with_web_identity(
        &self,
        parameters: &Parameters,
        request_id: &str,
        now: Timestamp,
    ) -> Result<StsOutcome, StsError> {
        let request = WebIdentityRequest::read(parameters)?;
        let answer = web_identity::decide(self.inputs(&self.accounts()), request, now)?;
        let session = self.issue(&answer.granted, now)?;
        let xml = xml::web_identity(&answer, &session, request_id)?;
        let reason = format!("{} allows {}", answer.granted.reason, answer.subject);
        Ok(StsOutcome { xml, reason })
    }

    /// Authenticates the caller of a service by the signature.
    pub(crate) fn caller(
        &self,
        call: &Call<'_>,
        service: &str,
        now: Timestamp,
    ) -> Result<Caller, SignatureError> {
        caller::authenticate(&self.accounts(), self.session_key(), call, service, now)
    }

    fn write_down(
        &self,
        (operation, role): (Option<Operation>, Option<String>),
        request_id: &str,
        done: &Result<StsOutcome, StsError>,
        now: Timestamp,
    ) {
        let decision = Decision {
            at: now,
            request_id: Some(request_id.to_owned()),
            operation: operation.map_or("unknown", Operation::name).into(),
            allowed: done.is_ok(),
            code: done.as_ref().err().map(|error| error.code().0.into()),
            role: role.map(|role| role.chars().take(2048).collect()),
            reason: match done {
                Ok(done) => done.reason.clone(),
                Err(error) => error.reason(),
            },
        };
        self.write(decision);
    }
}

impl XmlResponse {
    pub(crate) fn new(status: u16, request_id: String, xml: String) -> Self {
        Self { status, request_id, xml, reason: None }
    }

    /// An error response.
    pub(crate) fn error(error: &StsError, request_id: String) -> Self {
        let xml = xml::error(error, &request_id);
        Self { reason: Some(error.reason()), ..Self::new(error.code().1, request_id, xml) }
    }
}
