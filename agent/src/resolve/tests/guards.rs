//! Guard-rails, partitions, and whose word counts where the agent's own power is used.

use super::*;

const ALL: &str = "arn:aws:iam::111122223333:role/*";

fn guarded(permitted: &str, fields: &str) -> Result<Decision, ResolveError> {
    let (caller, facts, namespace) = (caller(), facts(&[]), namespace(Some(permitted)));
    let association = association(fields);
    let asked = Asked {
        caller: &caller,
        account: Some(&facts),
        association: Some(&association),
        namespace: &namespace,
    };
    decide(&asked, &sessions(Kind::AssumeRole))
}

#[test]
fn a_guard_rail_covers_every_role_of_a_chain() {
    let chain = format!(r#","targetRoleArn":"{TARGET}""#);
    assert!(guarded(ALL, "").is_ok());
    for permitted in [ALL, TARGET, "", "nonsense"] {
        let refused = guarded(permitted, &chain);
        let error = refused.unwrap_err();
        assert!(matches!(error, ResolveError::NotPermitted { .. }), "{permitted}: {error}");
        assert_eq!(error.status(), 403);
    }
    assert!(guarded(&format!("{ALL}, {TARGET}"), &chain).is_ok());
}

#[test]
fn a_guard_rail_holds_for_annotations_too() {
    let facts = facts(&[("role-arn", ROLE)]);
    let sessions = sessions(Kind::WebIdentity);
    assert!(by_annotation(&sessions, &facts, &namespace(Some(ALL))).is_ok());
    let refused = by_annotation(&sessions, &facts, &namespace(Some(TARGET)));
    assert!(matches!(refused, Err(ResolveError::NotPermitted { .. })), "{refused:?}");
}

#[test]
fn with_the_agents_power_annotations_count_only_by_flag_and_guard_rail_together() {
    let facts = facts(&[("role-arn", ROLE)]);
    for (flag, permitted, counts) in [
        (false, None, false),
        (false, Some(ALL), false),
        (true, None, false),
        (true, Some(ALL), true),
    ] {
        let mut sessions = sessions(Kind::AssumeRole);
        sessions.annotation_roles = flag;
        let decision = by_annotation(&sessions, &facts, &namespace(permitted));
        assert_eq!(decision.is_ok(), counts, "{flag} {permitted:?}");
        if let Err(error) = decision {
            assert_eq!((error.status(), error.code()), (404, "NoRole"), "{error}");
        } else {
            assert_eq!(decision.unwrap().session.tags.len(), 6);
        }
    }
}

#[test]
fn a_role_of_another_partition_is_refused_before_any_call() {
    let china = "arn:aws-cn:iam::111122223333:role/app";
    let facts = facts(&[("role-arn", china)]);
    let refused = by_annotation(&sessions(Kind::WebIdentity), &facts, &namespace(None));
    assert!(matches!(refused, Err(ResolveError::Partition { .. })), "{refused:?}");
    let target = association(&format!(r#","targetRoleArn":"{china}""#));
    let refused = by_association(&sessions(Kind::AssumeRole), &target);
    assert!(matches!(refused, Err(ResolveError::Partition { .. })), "{refused:?}");
    let mut there = sessions(Kind::WebIdentity);
    there.partition = "aws-cn";
    assert!(by_annotation(&there, &facts, &namespace(None)).is_ok());
}

#[test]
fn what_eks_chose_is_judged_afterwards_and_what_we_asked_for_was_before() {
    let role: RoleArn = ROLE.parse().unwrap();
    let mut session = by_association(&sessions(Kind::EksAuth), &association("")).unwrap().session;
    let (caller, other, fine) = (caller(), namespace(Some(TARGET)), namespace(Some(ALL)));
    let refused = check_permitted(&role, &caller, &other, &session);
    assert!(matches!(refused, Err(ResolveError::NotPermitted { .. })));
    assert_eq!(check_permitted(&role, &caller, &fine, &session), Ok(()));
    session.steps =
        by_association(&sessions(Kind::AssumeRole), &association("")).unwrap().session.steps;
    assert_eq!(check_permitted(&role, &caller, &other, &session), Ok(()));
}

#[test]
fn a_cluster_is_named_in_full_and_safely() {
    assert!(ClusterId::new("shop-1", ARN).is_ok());
    for name in ["", "-shop", "a/b", "a b", &"a".repeat(101)] {
        assert_eq!(ClusterId::new(name, ARN), Err(ClusterIdError::Name), "{name}");
    }
    for arn in [
        "",
        "shop",
        "arn:aws:iam::111122223333:role/app",
        "arn:aws:eks::111122223333:cluster/shop",
        "arn:aws:eks:eu-west-1:1111:cluster/shop",
        "arn:aws:eks:eu-west-1:111122223333:cluster/",
    ] {
        assert_eq!(ClusterId::new("shop", arn), Err(ClusterIdError::Arn), "{arn}");
    }
}
