use std::sync::Arc;

use podrole_identity::Exchange as Kind;

use super::*;
use crate::{
    exchange::{ErrorKind, ExchangeError, Hop, SessionRequest, Tag},
    keys::VerifyError,
    node::NodeError,
    resolve::{LookupError, ResolveError},
    tests::fixture::{ROLE, caller, credentials},
    token::TokenError,
};

const TARGET: &str = "arn:aws:iam::444455556666:role/target";

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

fn exchange(kind: ErrorKind) -> Refusal {
    let error = ExchangeError::new(kind, "Code", "arn:aws:iam::999:user/somebody-else");
    let session = session(Kind::WebIdentity);
    Refusal::exchange(Arc::new(error), Kind::WebIdentity, &caller(), &session)
}

/// What a chain of two roles is refused on the way to one of them.
fn denied(kind: Kind, hop: usize) -> String {
    let error = ExchangeError::new(ErrorKind::Role, "AccessDenied", "").at(hop);
    Refusal::exchange(Arc::new(error), kind, &caller(), &session(kind)).to_string()
}

fn session(kind: Kind) -> SessionRequest {
    let hop = |role: &str, external_id: Option<&str>| Hop {
        role: role.parse().unwrap(),
        external_id: external_id.map(str::to_owned),
        policy: None,
        duration_seconds: None,
    };
    let tag = |key, value: &str| Tag { key, value: value.to_owned() };
    let tagged = kind == Kind::AssumeRole;
    let tags = [tag("kubernetes-namespace", "shop"), tag("kubernetes-pod-uid", "pod-uid")];
    SessionRequest {
        session_name: "shop.app".parse().unwrap(),
        hops: match kind {
            Kind::EksAuth => Vec::new(),
            _ => vec![hop(ROLE, None), hop(TARGET, Some("the-id"))],
        },
        tags: tags.into_iter().filter(|_| tagged).collect(),
    }
}

#[test]
fn the_status_follows_from_whose_fault_it_is() {
    let account = || caller().service_account;
    let no_role =
        || ResolveError::NoRole { service_account: account(), exchange: Kind::WebIdentity };
    let away = || LookupError("away".to_owned());
    for (refusal, status, code) in [
        (Refusal::Token(TokenError::Expired.into()), 400, "InvalidToken"),
        (Refusal::Token(TokenError::NoPod.into()), 403, "InvalidToken"),
        (Refusal::Token(TokenError::Legacy.into()), 403, "InvalidToken"),
        (Refusal::Token(VerifyError::KeyPending), 503, "TryAgain"),
        (Refusal::Node(NodeError::Gone), 403, "PodNotServed"),
        (Refusal::Node(NodeError::Unknown(away())), 503, "TryAgain"),
        (Refusal::Resolve(no_role()), 404, "NoRole"),
        (Refusal::Resolve(ResolveError::NoAccount(account())), 404, "NoRole"),
        (Refusal::Resolve(ResolveError::OtherAccount(account())), 403, "ServiceAccountReplaced"),
        (Refusal::Resolve(ResolveError::Audience { wanted: "a".to_owned() }), 400, "InvalidToken"),
        (Refusal::Resolve(ResolveError::Lookup(away())), 503, "TryAgain"),
        (exchange(ErrorKind::NoAssociation), 404, "NoRole"),
        (exchange(ErrorKind::Role), 403, "AccessDenied"),
        (exchange(ErrorKind::Token), 400, "InvalidToken"),
        (exchange(ErrorKind::Request), 400, "InvalidRequest"),
        (exchange(ErrorKind::Transient), 503, "TryAgain"),
        (exchange(ErrorKind::Ours), 503, "TryAgain"),
        (Refusal::StillFetching, 503, "TryAgain"),
        (Refusal::TooOften, 503, "TryAgain"),
        (Refusal::Peer, 403, "PodNotServed"),
        (Refusal::Resolve(ResolveError::NoList), 503, "TryAgain"),
        (Refusal::Resolve(ResolveError::NoNamespace("shop".to_owned())), 503, "TryAgain"),
    ] {
        let answer = super::refusal(&refusal);
        assert_eq!((answer.status, refusal.code()), (status, code), "{refusal:?}");
        assert!(!answer.body.contains("somebody-else"), "AWS's own words: {}", answer.body);
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
fn a_denial_of_the_agents_own_power_says_what_that_must_be_allowed() {
    let message = denied(Kind::AssumeRole, 0);
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
fn a_denial_on_the_way_names_both_roles() {
    for kind in [Kind::WebIdentity, Kind::AssumeRole] {
        must_say(&denied(kind, 1), &[ROLE, TARGET, "sts:ExternalId is the-id"]);
    }
    assert!(denied(Kind::AssumeRole, 1).contains("sts:TagSession"), "the tags ride along");
    assert!(!denied(Kind::WebIdentity, 1).contains("sts:TagSession"));
}

#[test]
fn a_denial_of_ekss_names_what_eks_needs() {
    must_say(&denied(Kind::EksAuth, 0), &["pods.eks.amazonaws.com", "shop/app"]);
}

#[test]
fn a_session_that_is_too_large_names_the_mend() {
    let error = ExchangeError::new(ErrorKind::Request, "PackedPolicyTooLarge", "");
    let kind = Kind::AssumeRole;
    let refusal = Refusal::exchange(Arc::new(error), kind, &caller(), &session(kind));
    must_say(&refusal.to_string(), &["disableSessionTags"]);
}
