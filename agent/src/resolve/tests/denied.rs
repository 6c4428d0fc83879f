//! The status and code of each denial, and the guard-rail for a role that EKS chose.

use super::*;

const ALL: &str = "arn:aws:iam::111122223333:role/*";
const CHINA: &str = "arn:aws-cn:iam::111122223333:role/app";

#[test]
fn each_denial_has_its_status_and_code() {
    let (web, assume) = (sessions(Exchange::WebIdentity), sessions(Exchange::AssumeRole));
    let mut nowhere = sessions(Exchange::AssumeRole);
    nowhere.rules.cluster = None;
    let plain = namespace(None);
    let chain = format!(r#","targetRoleArn":"{TARGET}""#);
    let policy = r#","policy":"{}""#;
    let not_json = r#","policy":"[]","disableSessionTags":true"#;
    let annotated = |role| facts(&[("role-arn", role)]);
    for (result, status, code) in [
        (by_annotation(&web, &facts(&[]), &plain), 404, "NoRole"),
        (by_annotation(&assume, &annotated(ROLE), &plain), 404, "NoRole"),
        (by_annotation(&web, &annotated("my-role"), &plain), 400, "InvalidRole"),
        (by_annotation(&web, &annotated(CHINA), &plain), 400, "InvalidRole"),
        (by_annotation(&web, &annotated(ROLE), &namespace(Some(""))), 403, "RoleNotPermitted"),
        (by_annotation(&web, &annotated(ROLE), &namespace(Some("x"))), 403, "RoleNotPermitted"),
        (by_association(&web, &association(policy)), 400, "PolicyNotEnforceable"),
        (by_association(&assume, &association(policy)), 400, "InvalidRole"),
        (by_association(&assume, &association(not_json)), 400, "InvalidRole"),
        (by_association(&nowhere, &association(&chain)), 400, "InvalidRole"),
    ] {
        let error = result.unwrap_err();
        assert_eq!((error.status(), error.code()), (status, code), "{error}");
    }
}

#[test]
fn a_role_that_eks_chose_is_checked_afterwards_and_one_that_we_named_was_before() {
    let role: RoleArn = ROLE.parse().unwrap();
    let mut session =
        by_association(&sessions(Exchange::EksAuth), &association("")).unwrap().session;
    let (caller, other, fine) = (caller(), namespace(Some(TARGET)), namespace(Some(ALL)));
    let refused = check_permitted(&role, &caller, (&other, Guardrails::none()), &session);
    assert!(matches!(refused, Err(ResolveError::Denied(Denial { .. }))));
    assert_eq!(check_permitted(&role, &caller, (&fine, Guardrails::none()), &session), Ok(()));
    session.steps =
        by_association(&sessions(Exchange::AssumeRole), &association("")).unwrap().session.steps;
    assert_eq!(check_permitted(&role, &caller, (&other, Guardrails::none()), &session), Ok(()));
}

#[test]
fn an_association_object_is_advised_only_where_objects_decide() {
    for (exchange, objects, advice) in [
        (Exchange::WebIdentity, false, "annotate it with eks.amazonaws.com/role-arn"),
        (
            Exchange::WebIdentity,
            true,
            "annotate it with eks.amazonaws.com/role-arn, or create a PodIdentityAssociation named shop.app",
        ),
        (
            Exchange::AssumeRole,
            false,
            "ask the cluster's administrator to add one to the association list",
        ),
        (
            Exchange::AssumeRole,
            true,
            "ask the cluster's administrator to create a PodIdentityAssociation named shop.app",
        ),
    ] {
        let sessions = Sessions { association_objects: objects, ..sessions(exchange) };
        let error = by_annotation(&sessions, &facts(&[]), &namespace(None)).unwrap_err();
        assert!(error.to_string().ends_with(&format!("; {advice}")), "{error}");
    }
}
