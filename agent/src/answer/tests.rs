use std::sync::Arc;

use super::*;
use crate::{
    exchange::{ExchangeError, Fault},
    keys::VerifyError,
    node::NodeError,
    resolve::{LookupFault, ResolveError},
    tests::fixture::{ROLE, caller, credentials},
    token::TokenError,
};

#[test]
fn a_success_is_what_sdks_read() {
    let half = "2026-11-21T23:00:00.5Z".parse().unwrap();
    let body = success(&credentials(half));
    assert_eq!(
        std::str::from_utf8(&body).unwrap(),
        r#"{"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"secret-of-aws","Token":"session-of-aws","AccountId":"111122223333","Expiration":"2026-11-21T23:00:00Z"}"#
    );
}

#[test]
fn an_error_has_both_spellings() {
    let answer = error(400, "InvalidToken", "mend it");
    assert_eq!(
        answer.body,
        r#"{"code":"InvalidToken","message":"mend it","Code":"InvalidToken","Message":"mend it"}"#
    );
}

fn exchange(fault: Fault) -> Refusal {
    let error = ExchangeError::new(fault, "Code", "arn:aws:iam::999:user/somebody-else");
    Refusal::exchange(Arc::new(error), &caller(), &ROLE.parse().unwrap())
}

#[test]
fn the_status_follows_from_whose_fault_it_is() {
    let account = || caller().service_account;
    let away = || LookupFault("away".to_owned());
    for (refusal, status, code) in [
        (Refusal::Token(TokenError::Expired.into()), 400, "InvalidToken"),
        (Refusal::Token(TokenError::NoPod.into()), 403, "InvalidToken"),
        (Refusal::Token(TokenError::Legacy.into()), 403, "InvalidToken"),
        (Refusal::Token(VerifyError::KeyPending), 503, "TryAgain"),
        (Refusal::Node(NodeError::Gone), 403, "PodNotServed"),
        (Refusal::Node(NodeError::Unknown(away())), 503, "TryAgain"),
        (Refusal::Resolve(ResolveError::NoRole(account())), 404, "NoRole"),
        (Refusal::Resolve(ResolveError::NoAccount(account())), 404, "NoRole"),
        (Refusal::Resolve(ResolveError::OtherAccount(account())), 403, "ServiceAccountReplaced"),
        (Refusal::Resolve(ResolveError::Audience { wanted: "a".to_owned() }), 400, "InvalidToken"),
        (Refusal::Resolve(ResolveError::Lookup(away())), 503, "TryAgain"),
        (exchange(Fault::NoAssociation), 404, "NoRole"),
        (exchange(Fault::Role), 403, "AccessDenied"),
        (exchange(Fault::Token), 400, "InvalidToken"),
        (exchange(Fault::Request), 400, "InvalidRequest"),
        (exchange(Fault::Transient), 503, "TryAgain"),
        (exchange(Fault::Ours), 503, "TryAgain"),
        (Refusal::StillFetching, 503, "TryAgain"),
    ] {
        let answer = super::refusal(&refusal);
        assert_eq!((answer.status, refusal.code()), (status, code), "{refusal:?}");
        assert!(!answer.body.contains("somebody-else"), "AWS's own words: {}", answer.body);
    }
}

#[test]
fn a_denial_says_what_the_trust_policy_must_contain() {
    let message = exchange(Fault::Role).to_string();
    for part in [
        "arn:aws:iam::111122223333:oidc-provider/issuer.example",
        "issuer.example:sub is system:serviceaccount:shop:app",
        "issuer.example:aud is sts.amazonaws.com",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains(['{', '}', '\n']), "{message}");
}
