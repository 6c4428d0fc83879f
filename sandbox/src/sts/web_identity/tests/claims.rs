//! Session tags and a source identity in the token.

use serde_json::{Value, json};

use super::super::*;
use super::{GOOD, NOW, URL, fixture, now, web_request};
use crate::policy::Policy;

const TAGS: &str = "https://aws.amazon.com/tags";
const SOURCE: &str = "https://aws.amazon.com/source_identity";

/// The result for a token with that claim, and a role that allows `actions`.
fn ask(
    claim: &str,
    value: &Value,
    actions: &[&str],
) -> Result<WebIdentity, (&'static str, String)> {
    let (mut accounts, issuer) = fixture();
    let arn: RoleArn = GOOD.role.parse().unwrap();
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Federated": "arn:aws:iam::111122223333:oidc-provider/oidc.example/id"},
        "Action": actions,
        "Condition": {"StringEqualsIfExists": {
            "aws:RequestTag/team": "shop",
            "sts:TransitiveTagKeys": "team",
            "sts:SourceIdentity": "alice",
        }},
    }]});
    let policy = Policy::read(&policy.to_string()).unwrap();
    accounts.role_mut(arn.account(), arn.name()).unwrap().trust_policy = policy;
    let mut claims = json!({
        "iss": URL, "sub": GOOD.sub, "aud": GOOD.aud, "iat": NOW, "exp": NOW + 600,
    });
    claims[claim] = value.clone();
    let header = json!({"alg": "RS256", "kid": issuer.kid()});
    let token = issuer.sign(&header, &claims).unwrap();
    let inputs = DecisionInputs { accounts: &accounts, issuer: None, credential_life: None };
    decide(inputs, web_request(&token), now())
        .map_err(|error| (error.code().0, format!("{error} | {}", error.reason())))
}

const BOTH: [&str; 2] = ["sts:AssumeRoleWithWebIdentity", "sts:TagSession"];

#[test]
fn a_tokens_tags_become_session_tags() {
    let tags = json!({
        "principal_tags": {"team": ["shop"], "shift": "night"},
        "transitive_tag_keys": ["team"],
    });
    let attributes = ask(TAGS, &tags, &BOTH).unwrap().granted.attributes;
    let read: Vec<_> = attributes.tags.iter().collect();
    assert_eq!(read, [("shift", "night"), ("team", "shop")]);
    assert_eq!(attributes.transitive.into_iter().collect::<Vec<_>>(), ["team"]);
    let (code, why) = ask(TAGS, &tags, &BOTH[..1]).unwrap_err();
    assert_eq!(code, "AccessDenied");
    assert!(why.starts_with("Not authorized to perform sts:TagSession"), "{why}");
    let other = json!({"principal_tags": {"team": ["other"]}});
    let (code, why) = ask(TAGS, &other, &BOTH).unwrap_err();
    assert!(code == "AccessDenied" && why.contains("aws:RequestTag/team"), "{why}");
}

#[test]
fn a_malformed_tags_claim_is_an_error() {
    for (tags, code) in [
        (json!({"principal_tags": {"team": ["a", "b"]}}), "InvalidIdentityToken"),
        (json!({"principal_tags": {"team": []}}), "InvalidIdentityToken"),
        (json!("team"), "InvalidIdentityToken"),
        (json!({"principal_tags": {"aws:team": ["a"]}}), "ValidationError"),
        (json!({"principal_tags": {"a": ["x"], "A": ["x"]}}), "InvalidParameterValue"),
        (json!({"transitive_tag_keys": ["team"]}), "InvalidParameterValue"),
    ] {
        assert_eq!(ask(TAGS, &tags, &BOTH).unwrap_err().0, code, "{tags}");
    }
    assert!(ask(TAGS, &json!({}), &BOTH[..1]).is_ok(), "no tags need no permission");
}

#[test]
fn a_tokens_source_identity_needs_permission() {
    let both = ["sts:AssumeRoleWithWebIdentity", "sts:SetSourceIdentity"];
    let granted = ask(SOURCE, &json!("alice"), &both).unwrap().granted;
    assert_eq!(granted.attributes.source_identity.as_deref(), Some("alice"));
    let provider = granted.attributes.provider.unwrap();
    assert_eq!(provider, "arn:aws:iam::111122223333:oidc-provider/oidc.example/id");
    let (code, why) = ask(SOURCE, &json!("alice"), &both[..1]).unwrap_err();
    assert!(code == "AccessDenied" && why.contains("sts:SetSourceIdentity"), "{why}");
    assert_eq!(ask(SOURCE, &json!("bob"), &both).unwrap_err().0, "AccessDenied");
}
