//! The ServiceAccount and its own annotations.

use super::*;

fn check(facts: &ServiceAccountFacts) -> Result<Decision, ResolveError> {
    by_annotation(&sessions(Exchange::WebIdentity), facts, &namespace(None))
}

fn check_as(
    caller: &Caller,
    facts: Option<&ServiceAccountFacts>,
) -> Result<Decision, ResolveError> {
    let namespace = namespace(None);
    let request = RequestFacts {
        caller,
        service_account: facts,
        association: None,
        listed: None,
        patterns: Patterns::none(),
        guardrails: Guardrails::none(),
        namespace: &namespace,
    };
    decide(&request, &sessions(Exchange::WebIdentity))
}

#[test]
fn the_annotation_names_the_role() {
    let decision = check(&facts(&[("role-arn", ROLE)])).unwrap();
    assert_eq!(roles(&decision.session), [ROLE]);
    assert_eq!(decision.session.session_name.as_str(), "shop.app");
    assert!(decision.session.tags.is_empty() && !decision.per_pod);
    assert_eq!(decision.session.steps[0].duration_seconds, None);
}

#[test]
fn without_a_role_there_is_none() {
    let service_account = caller().service_account;
    let exchange = Exchange::WebIdentity;
    let no_role = ResolveError::NoRole {
        service_account: service_account.clone(),
        exchange,
        annotation: "eks.amazonaws.com/role-arn".to_owned(),
        association_objects: false,
    };
    assert_eq!(check(&facts(&[])), Err(no_role));
    assert_eq!(check_as(&caller(), None), Err(ResolveError::NoServiceAccount(service_account)));
}

#[test]
fn a_role_that_is_none_names_the_annotation() {
    let error = check(&facts(&[("role-arn", "my-role")])).unwrap_err();
    assert!(error.to_string().contains("eks.amazonaws.com/role-arn \"my-role\""), "{error}");
}

#[test]
fn a_service_account_that_was_made_again_inherits_nothing() {
    let mut facts = facts(&[("role-arn", ROLE)]);
    facts.uid = "another".to_owned();
    let service_account = caller().service_account;
    assert_eq!(check(&facts), Err(ResolveError::ReplacedServiceAccount(service_account)));
}

#[test]
fn another_audience_must_be_the_service_accounts_own() {
    let mut caller = caller();
    caller.listed_audience = false;
    caller.audiences = vec!["vault".to_owned()];
    let own = facts(&[("role-arn", ROLE), ("audience", "vault")]);
    assert!(check_as(&caller, Some(&own)).is_ok());
    for (audience, wanted) in [("", "sts.amazonaws.com"), ("other", "other")] {
        let facts = facts(&[("role-arn", ROLE), ("audience", audience)]);
        let wanted = wanted.to_owned();
        assert_eq!(
            check_as(&caller, Some(&facts)),
            Err(ResolveError::Audience {
                wanted,
                annotation: "eks.amazonaws.com/audience".to_owned()
            })
        );
    }
}

#[test]
fn a_token_for_eks_pod_identity_says_which_exchange_serves_it() {
    let mut caller = caller();
    caller.listed_audience = false;
    caller.audiences = vec!["pods.eks.amazonaws.com".to_owned()];
    let error = check_as(&caller, Some(&facts(&[("role-arn", ROLE)]))).unwrap_err();
    assert_eq!((&error, error.status()), (&ResolveError::PodIdentityToken, 400));
    assert!(error.to_string().contains("exchange=eks-auth"), "{error}");
}

#[test]
fn a_name_with_the_pod_in_it_is_a_session_for_each_pod() {
    let mut sessions = sessions(Exchange::WebIdentity);
    sessions.session_name = "{pod.name}".parse().unwrap();
    let facts = facts(&[("role-arn", ROLE)]);
    let decision = by_annotation(&sessions, &facts, &namespace(None)).unwrap();
    assert_eq!((decision.session.session_name.as_str(), decision.per_pod), ("app-1", true));
    let named = by_association(&sessions, &association(r#","sessionName":"me""#)).unwrap();
    assert_eq!((named.session.session_name.as_str(), named.per_pod), ("me", false));
}
