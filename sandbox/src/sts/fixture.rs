//! Accounts for the tests of STS: A (111122223333) has users and roles, B (444455556666) has roles that trust
//! A in several ways.

use std::collections::{BTreeMap, HashMap};

use http::HeaderMap;
use jiff::Timestamp;

use super::{
    assume_role, caller::Caller, error::StsError, inputs::DecisionInputs, parameters::Parameters,
    role_step::GrantedSession, session_token,
};
use crate::{
    call::Call,
    config::Config,
    sessions::{Session, SessionKey},
};

const CONFIG: &str = include_str!("fixture.yaml");

pub(crate) const NODE: &str = "AKIANODE000000000000";
pub(crate) const UNPRIVILEGED: &str = "AKIAUNPRIVILEGED0000";

pub(crate) struct Fixture {
    pub(crate) config: Config,
    /// By key id.
    pub(crate) sessions: HashMap<String, Session>,
    key: SessionKey,
}

/// Code, status, and the reason in the decision log.
pub(crate) type Refusal = (&'static str, u16, String);

pub(crate) fn now() -> Timestamp {
    Timestamp::from_second(1_777_636_800).unwrap()
}

fn refusal(error: &StsError) -> Refusal {
    let (code, status) = error.code();
    (code, status, format!("{error} | {}", error.reason()))
}

pub(crate) fn a(role: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{role}")
}

pub(crate) fn b(role: &str) -> String {
    format!("arn:aws:iam::444455556666:role/{role}")
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let config = Config::read(CONFIG).unwrap();
        Self { config, sessions: HashMap::new(), key: SessionKey::random() }
    }

    pub(crate) fn inputs(&self) -> DecisionInputs<'_> {
        DecisionInputs { accounts: &self.config.accounts, issuer: None, credential_life: None }
    }

    pub(crate) fn caller(&self, key: &str) -> Caller {
        let accounts = &self.config.accounts;
        let found = match self.sessions.get(key) {
            Some(session) => Caller::session(accounts, &session.grant),
            None => accounts.user_of_key(key).and_then(|(user, _)| Caller::user(accounts, user)),
        };
        found.unwrap_or_else(|| panic!("{key}"))
    }

    /// Calls AssumeRole with the required parameters and `more`, signed with that key.
    pub(crate) fn ask(
        &self,
        key: &str,
        role: &str,
        more: &[(&str, &str)],
    ) -> Result<GrantedSession, Refusal> {
        let mut pairs = BTreeMap::from([("RoleArn", role), ("RoleSessionName", "me")]);
        pairs.extend(more.iter().copied());
        parameters(pairs).map_err(|error| refusal(&error)).and_then(|parameters| {
            let caller = self.caller(key);
            assume_role::decide(self.inputs(), &caller, &parameters, now())
                .map_err(|error| refusal(&error))
        })
    }

    /// Like `ask`, and returns the key id of the new session.
    pub(crate) fn go(&mut self, key: &str, role: &str, more: &[(&str, &str)]) -> String {
        let granted = self.ask(key, role, more);
        self.keep(&granted.unwrap_or_else(|error| panic!("{role}: {error:?}")))
    }

    pub(crate) fn session_token(
        &mut self,
        key: &str,
        more: &[(&str, &str)],
    ) -> Result<(GrantedSession, String), Refusal> {
        let parameters = parameters(more.iter().copied().collect()).unwrap();
        let granted = session_token::decide(None, &self.caller(key), &parameters, now());
        let granted = granted.map_err(|error| refusal(&error))?;
        let key = self.keep(&granted);
        Ok((granted, key))
    }

    fn keep(&mut self, granted: &GrantedSession) -> String {
        let session = self.key.issue(granted.grant(now())).unwrap();
        let key = session.key_id.clone();
        self.sessions.insert(key.clone(), session);
        key
    }
}

fn parameters(pairs: BTreeMap<&str, &str>) -> Result<Parameters, StsError> {
    let body = serde_urlencoded::to_string(pairs).unwrap();
    let uri = "/".parse().unwrap();
    let headers = HeaderMap::new();
    Ok(Parameters::read(&Call {
        method: "POST",
        uri: &uri,
        headers: &headers,
        body: body.as_bytes(),
    })?)
}
