use std::sync::Arc;

use podrole_identity::Exchange;

use super::*;
use crate::{
    exchange::{ErrorKind, ExchangeError, RoleStep, SessionRequest, Tag},
    keys::VerifyError,
    node::NodeError,
    resolve::{LookupError, ResolveError},
    tests::fixture::{ROLE, caller, credentials},
    token::TokenError,
};

const TARGET: &str = "arn:aws:iam::444455556666:role/target";

#[test]
fn a_success_has_the_form_that_sdks_read() {
    let half = "2026-11-21T23:00:00.5Z".parse().unwrap();
    let body = success(&credentials(half));
    assert_eq!(
        std::str::from_utf8(&body).unwrap(),
        r#"{"AccessKeyId":"ASIAEXAMPLE","SecretAccessKey":"secret-of-aws","Token":"session-of-aws","AccountId":"111122223333","Expiration":"2026-11-21T23:00:00Z"}"#
    );
}

#[test]
fn an_error_has_both_spellings() {
    let answer = error(400, "InvalidToken", "fix it");
    assert_eq!(
        answer.body,
        r#"{"code":"InvalidToken","message":"fix it","Code":"InvalidToken","Message":"fix it"}"#
    );
}

fn exchange(kind: ErrorKind) -> Refusal {
    let error = ExchangeError::new(kind, "Code", "arn:aws:iam::999:user/another");
    let session = session(Exchange::WebIdentity);
    Refusal::exchange(Arc::new(error), Exchange::WebIdentity, &caller(), &session)
}

/// The message if a step of a chain of two roles is denied.
fn denied(kind: Exchange, step: usize) -> String {
    let error = ExchangeError::new(ErrorKind::Role, "AccessDenied", "").at(step);
    Refusal::exchange(Arc::new(error), kind, &caller(), &session(kind)).to_string()
}

fn session(kind: Exchange) -> SessionRequest {
    let step = |role: &str, external_id: Option<&str>| RoleStep {
        role: role.parse().unwrap(),
        external_id: external_id.map(str::to_owned),
        policy: None,
        duration_seconds: None,
    };
    let tag = |key, value: &str| Tag { key, value: value.to_owned() };
    let tagged = kind == Exchange::AssumeRole;
    let tags = [tag("kubernetes-namespace", "shop"), tag("kubernetes-pod-uid", "pod-uid")];
    SessionRequest {
        session_name: "shop.app".parse().unwrap(),
        steps: match kind {
            Exchange::EksAuth => Vec::new(),
            _ => vec![step(ROLE, None), step(TARGET, Some("the-id"))],
        },
        tags: tags.into_iter().filter(|_| tagged).collect(),
    }
}

#[test]
fn each_refusal_has_its_status_and_code() {
    let account = || caller().service_account;
    let no_role = || ResolveError::NoRole {
        service_account: account(),
        exchange: Exchange::WebIdentity,
        annotation: "a".to_owned(),
        association_objects: false,
    };
    let away = || LookupError::Failed("away".to_owned());
    for (refusal, status, code) in [
        (Refusal::Token(TokenError::Expired.into()), 400, "InvalidToken"),
        (Refusal::Token(TokenError::NoPod.into()), 403, "InvalidToken"),
        (Refusal::Token(TokenError::Legacy.into()), 403, "InvalidToken"),
        (Refusal::Token(VerifyError::KeyPending), 503, "TryAgain"),
        (Refusal::Node(NodeError::Gone), 403, "PodNotServed"),
        (Refusal::Node(NodeError::Unknown(away())), 503, "TryAgain"),
        (Refusal::Resolve(no_role()), 404, "NoRole"),
        (Refusal::Resolve(ResolveError::NoServiceAccount(account())), 404, "NoRole"),
        (
            Refusal::Resolve(ResolveError::ReplacedServiceAccount(account())),
            403,
            "ServiceAccountReplaced",
        ),
        (
            Refusal::Resolve(ResolveError::Audience {
                wanted: "a".to_owned(),
                annotation: "b".to_owned(),
            }),
            400,
            "InvalidToken",
        ),
        (Refusal::Resolve(ResolveError::Lookup(away())), 503, "TryAgain"),
        (exchange(ErrorKind::NoAssociation), 404, "NoRole"),
        (exchange(ErrorKind::Role), 403, "AccessDenied"),
        (exchange(ErrorKind::Token), 400, "InvalidToken"),
        (exchange(ErrorKind::Request), 400, "InvalidRequest"),
        (exchange(ErrorKind::Transient), 503, "TryAgain"),
        (exchange(ErrorKind::Agent), 503, "TryAgain"),
        (Refusal::StillFetching, 503, "TryAgain"),
        (Refusal::TooManyRequests, 503, "TryAgain"),
        (Refusal::ForeignPeer, 403, "PodNotServed"),
        (Refusal::Resolve(ResolveError::NoList), 503, "TryAgain"),
        (Refusal::Resolve(ResolveError::NoNamespace("shop".to_owned())), 503, "TryAgain"),
    ] {
        let answer = super::refusal(&refusal);
        assert_eq!((answer.status, refusal.code()), (status, code), "{refusal:?}");
        assert!(!answer.body.contains("user/another"), "AWS's own message: {}", answer.body);
    }
}

#[test]
fn a_denial_says_what_the_trust_policy_must_contain() {
    let message = exchange(ErrorKind::Role).to_string();
    for part in [
        "arn:aws:iam::111122223333:oidc-provider/issuer.example",
        "issuer.example:sub is system:serviceaccount:shop:app",
        "issuer.example:aud is sts.amazonaws.com",
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert!(!message.contains(['{', '}', '\n']), "{message}");
}

fn must_say(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn a_denial_of_the_agents_own_credentials_says_what_to_allow() {
    let message = denied(Exchange::AssumeRole, 0);
    must_say(
        &message,
        &[
            "sts:AssumeRole and sts:TagSession",
            "aws:RequestTag/kubernetes-namespace is shop",
            "a role that trusts only the service pods.eks.amazonaws.com cannot be used here",
        ],
    );
    assert!(!message.contains("pod-uid"), "no policy can name a pod: {message}");
}

#[test]
fn a_denial_of_the_target_role_names_both_roles() {
    for kind in [Exchange::WebIdentity, Exchange::AssumeRole] {
        must_say(&denied(kind, 1), &[ROLE, TARGET, "sts:ExternalId is the-id"]);
    }
    assert!(denied(Exchange::AssumeRole, 1).contains("sts:TagSession"), "transitive tags need it");
    assert!(!denied(Exchange::WebIdentity, 1).contains("sts:TagSession"));
}

#[test]
fn a_denial_of_eks_auth_says_what_to_allow() {
    must_say(&denied(Exchange::EksAuth, 0), &["pods.eks.amazonaws.com", "shop/app"]);
}

#[test]
fn a_session_that_is_too_large_says_how_to_shorten_it() {
    let error = ExchangeError::new(ErrorKind::Request, "PackedPolicyTooLarge", "");
    let kind = Exchange::AssumeRole;
    let refusal = Refusal::exchange(Arc::new(error), kind, &caller(), &session(kind));
    must_say(&refusal.to_string(), &["disableSessionTags"]);
}
