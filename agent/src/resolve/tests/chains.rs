//! Associations: tags, targets, policies, durations.

use super::*;

const CHAIN: &str = r#","targetRoleArn":"arn:aws:iam::444455556666:role/target""#;

fn assume(fields: &str) -> Result<Decision, ResolveError> {
    by_association(&sessions(Kind::AssumeRole), &association(fields))
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
    let web = by_association(&sessions(Kind::WebIdentity), &association("")).unwrap();
    assert!(web.session.tags.is_empty() && !web.per_pod);
}

#[test]
fn a_target_comes_after_the_role_and_lasts_59_minutes() {
    for exchange in [Kind::AssumeRole, Kind::WebIdentity] {
        let decision = by_association(&sessions(exchange), &association(CHAIN)).unwrap();
        assert_eq!(roles(&decision.session), [ROLE, TARGET]);
        let [base, target] = &decision.session.steps[..] else { panic!("two steps") };
        assert_eq!((&base.external_id, base.duration_seconds), (&None, None));
        let eks = "eu-west-1/111122223333/shop-1/shop/app";
        assert_eq!(target.external_id.as_deref(), Some(eks));
        assert_eq!(target.duration_seconds, Some(3540));
    }
}

#[test]
fn an_external_id_of_its_own_goes_before_the_usual_one() {
    let own = association(&format!(r#"{CHAIN},"externalId":"mine""#));
    let mut sessions = sessions(Kind::WebIdentity);
    sessions.cluster = None;
    let decision = by_association(&sessions, &own).unwrap();
    assert_eq!(decision.session.steps[1].external_id.as_deref(), Some("mine"));
    let none = by_association(&sessions, &association(CHAIN));
    assert!(matches!(none, Err(ResolveError::NoExternalId(_))), "{none:?}");
}

#[test]
fn durations_are_as_asked_but_a_chain_ends_after_59_minutes() {
    let last = |fields: &str| {
        let session = assume(fields).unwrap().session;
        session.steps.last().unwrap().duration_seconds
    };
    assert_eq!(last(""), None);
    assert_eq!(last(r#","durationSeconds":43200"#), Some(43_200));
    assert_eq!(last(&format!(r#"{CHAIN},"durationSeconds":43200"#)), Some(3540));
    assert_eq!(last(&format!(r#"{CHAIN},"durationSeconds":900"#)), Some(900));
}

#[test]
fn a_policy_bounds_the_last_role_and_needs_the_tags_off() {
    let policy = r#","policy":"{}","disableSessionTags":true"#;
    let alone = assume(policy).unwrap().session;
    assert_eq!(alone.steps[0].policy.as_deref(), Some("{}"));
    let chained = assume(&format!("{CHAIN}{policy}")).unwrap().session;
    assert_eq!(chained.steps[0].policy, None);
    assert_eq!(chained.steps[1].policy.as_deref(), Some("{}"));
    let tagged = assume(r#","policy":"{}""#);
    assert!(matches!(tagged, Err(ResolveError::PolicyWithTags(_))), "{tagged:?}");
    let web = by_association(&sessions(Kind::WebIdentity), &association(policy));
    assert!(matches!(web, Err(ResolveError::PolicyNotEnforceable(_))), "{web:?}");
}

#[test]
fn eks_chooses_the_role_itself() {
    let decision = by_association(&sessions(Kind::EksAuth), &association(CHAIN)).unwrap();
    assert!(decision.session.steps.is_empty() && decision.session.tags.is_empty());
    assert!(decision.per_pod);
}

#[test]
fn an_entry_without_a_role_leaves_the_choice_to_the_annotation() {
    let mut entry = association("");
    entry.role = None;
    let (caller, facts, namespace) = (caller(), facts(&[("role-arn", TARGET)]), namespace(None));
    let asked = Asked {
        caller: &caller,
        account: Some(&facts),
        association: Some(&entry),
        namespace: &namespace,
    };
    let decision = decide(&asked, &sessions(Kind::WebIdentity)).unwrap();
    assert_eq!(roles(&decision.session), [TARGET]);
}

#[test]
fn an_association_goes_before_the_annotation() {
    let (caller, facts, namespace) = (caller(), facts(&[("role-arn", "junk")]), namespace(None));
    let association = association("");
    let asked = Asked {
        caller: &caller,
        account: Some(&facts),
        association: Some(&association),
        namespace: &namespace,
    };
    let decision = decide(&asked, &sessions(Kind::WebIdentity)).unwrap();
    assert_eq!(roles(&decision.session), [ROLE]);
}
