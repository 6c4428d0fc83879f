//! Tags, session names, and which pods share a session.

use super::*;

const CHAIN: &str = r#","targetRoleArn":"arn:aws:iam::444455556666:role/target""#;

fn assume(fields: &str) -> Result<Decision, ResolveError> {
    by_association(&sessions(Exchange::AssumeRole), &association(fields))
}

#[test]
fn the_six_tags_are_those_of_eks() {
    let decision = assume("").unwrap();
    let tags = decision.session.tags.iter();
    let tags: Vec<(&str, &str)> = tags.map(|tag| (tag.key, tag.value.as_str())).collect();
    assert_eq!(
        tags,
        [
            ("eks-cluster-arn", ARN),
            ("eks-cluster-name", "shop-1"),
            ("kubernetes-namespace", "shop"),
            ("kubernetes-service-account", "app"),
            ("kubernetes-pod-name", "app-1"),
            ("kubernetes-pod-uid", "pod-uid"),
        ]
    );
    assert!(decision.per_pod);
    let untagged = assume(r#","disableSessionTags":true"#).unwrap();
    assert!(untagged.session.tags.is_empty() && !untagged.per_pod);
    let web = by_association(&sessions(Exchange::WebIdentity), &association("")).unwrap();
    assert!(web.session.tags.is_empty() && !web.per_pod);
}

#[test]
fn a_chain_is_requested_step_by_step() {
    for exchange in [Exchange::AssumeRole, Exchange::WebIdentity] {
        let decision = by_association(&sessions(exchange), &association(CHAIN)).unwrap();
        assert_eq!(roles(&decision.session), [ROLE, TARGET]);
        let eks = "eu-west-1/111122223333/shop-1/shop/app";
        assert_eq!(decision.session.steps[1].external_id.as_deref(), Some(eks));
        assert_eq!(decision.session.steps[1].duration_seconds, Some(3540));
    }
}

#[test]
fn with_eks_auth_nothing_is_named_and_each_pod_has_its_session() {
    let decision = by_association(&sessions(Exchange::EksAuth), &association(CHAIN)).unwrap();
    assert!(decision.session.steps.is_empty() && decision.session.tags.is_empty());
    assert!(decision.per_pod);
}

#[test]
fn without_pod_tags_pods_of_a_service_account_share_a_session() {
    let with = |pod_tags, session_name: Option<&str>| {
        let session_name = session_name.map(|name| name.parse().unwrap());
        let association = Association { pod_tags, session_name, ..association("") };
        by_association(&sessions(Exchange::AssumeRole), &association).unwrap()
    };
    let shared = with(Some(false), None);
    assert_eq!((shared.session.tags.len(), shared.per_pod), (4, false));
    assert!(shared.session.tags.iter().all(|tag| !tag.key.contains("pod")));
    assert_eq!((with(None, None).session.tags.len(), with(Some(true), None).per_pod), (6, true));
    assert!(with(Some(false), Some("{pod.name}")).per_pod, "the name is the pod's");
}
