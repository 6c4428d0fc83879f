use super::*;
use crate::tests::fixture::{ROLE, caller};
use podrole_identity::AnnotationPrefix;

fn facts(annotations: &[(&str, &str)]) -> ServiceAccountFacts {
    let annotations = annotations.iter();
    let annotations = annotations
        .map(|(name, value)| (format!("eks.amazonaws.com/{name}"), (*value).to_owned()))
        .collect();
    ServiceAccountFacts {
        uid: "sa-uid".to_owned(),
        annotations: ServiceAccountAnnotations::read(&annotations, &AnnotationPrefix::default()),
    }
}

fn check(facts: &ServiceAccountFacts) -> Result<RoleArn, ResolveError> {
    decide(&caller(), Some(facts), "sts.amazonaws.com")
}

#[test]
fn the_annotation_names_the_role() {
    let role = check(&facts(&[("role-arn", ROLE)])).unwrap();
    assert_eq!(role.as_str(), ROLE);
}

#[test]
fn without_a_role_there_is_none() {
    let account = caller().service_account;
    assert_eq!(check(&facts(&[])), Err(ResolveError::NoRole(account.clone())));
    let gone = decide(&caller(), None, "sts.amazonaws.com");
    assert_eq!(gone, Err(ResolveError::NoAccount(account)));
}

#[test]
fn a_role_that_is_none_names_the_annotation() {
    let fault = check(&facts(&[("role-arn", "my-role")])).unwrap_err();
    assert!(fault.to_string().contains("eks.amazonaws.com/role-arn \"my-role\""), "{fault}");
}

#[test]
fn a_service_account_that_was_made_again_inherits_nothing() {
    let mut facts = facts(&[("role-arn", ROLE)]);
    facts.uid = "another".to_owned();
    let account = caller().service_account;
    assert_eq!(check(&facts), Err(ResolveError::OtherAccount(account)));
}

#[test]
fn another_audience_must_be_the_service_accounts_own() {
    let mut caller = caller();
    caller.listed_audience = false;
    caller.audiences = vec!["vault".to_owned()];
    let own = facts(&[("role-arn", ROLE), ("audience", "vault")]);
    assert!(decide(&caller, Some(&own), "sts.amazonaws.com").is_ok());
    for (audience, wanted) in [("", "sts.amazonaws.com"), ("other", "other")] {
        let facts = facts(&[("role-arn", ROLE), ("audience", audience)]);
        let wanted = wanted.to_owned();
        let fault = decide(&caller, Some(&facts), "sts.amazonaws.com");
        assert_eq!(fault, Err(ResolveError::Audience { wanted }));
    }
}
