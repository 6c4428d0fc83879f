//! Mistakes of real trust policies, and what the decision says of each.

use super::*;

/// The reason of the denial by one statement.
fn reason(statement: &str) -> String {
    match verdict(&format!(r#"{{"Version": "2012-10-17", "Statement": [{statement}]}}"#)) {
        Verdict::Denied(denial) => denial.to_string(),
        Verdict::Allowed { statement, .. } => panic!("{statement} allowed it"),
    }
}

#[test]
fn a_wildcard_that_is_taken_literally_is_named() {
    let wildcard = |operator: &str, value: &str| {
        reason(&allow_if(&format!(r#"{{"{operator}": {{"oidc.example/id/A:sub": "{value}"}}}}"#)))
    };
    let subject = "system:serviceaccount:shop:*";
    assert!(wildcard("StringEquals", subject).ends_with("literally, StringLike does not"));
    assert!(wildcard("StringEqualsIgnoreCase", subject).contains("literally"));
    // Another namespace would not match either way.
    for (operator, value) in [
        ("StringEquals", "system:serviceaccount:other:*"),
        ("StringLike", "system:serviceaccount:other:*"),
        ("StringEquals", "system:serviceaccount:shop:ap"),
    ] {
        let reason = wildcard(operator, value);
        assert!(!reason.contains("literally"), "{reason}");
    }
}

#[test]
fn a_key_that_is_misspelled_is_named() {
    let key = |key: &str| reason(&allow_if(&format!(r#"{{"StringEquals": {{"{key}": "x"}}}}"#)));
    assert!(key("https://oidc.example/id/A:sub").ends_with("write the key without https://"));
    assert!(key("oidc.example/id/A/:sub").ends_with("write the key without / before the colon"));
    assert!(!key("oidc.example/id/B:sub").contains("write the key"));
    let context = Context::default().with("oidc.example/:sub", ["x"]);
    let policy = allow_if(r#"{"StringEquals": {"oidc.example:sub": "x"}}"#);
    match verdict_with(&format!(r#"{{"Statement": [{policy}]}}"#), &context) {
        Verdict::Denied(denial) => {
            assert!(denial.to_string().contains("the issuer ends with /"));
        }
        Verdict::Allowed { .. } => panic!("allowed"),
    }
}

#[test]
fn what_a_principal_names_in_place_of_the_caller_is_named() {
    let named = |principal: &str| {
        reason(&statement("Allow", principal, r#""sts:AssumeRoleWithWebIdentity""#, "{}"))
    };
    let federated = |arn: &str| named(&format!(r#"{{"Federated": "{arn}"}}"#));
    assert!(federated(&format!("{PROVIDER}/")).contains("ends with /"));
    let foreign = federated(&PROVIDER.replace("1111", "4444"));
    assert!(foreign.ends_with("of another account or partition"), "{foreign}");
    let other = federated(&PROVIDER.replace("id/A", "id/B"));
    assert!(other.ends_with("oidc-provider/oidc.example/id/B"), "{other}");
    let pods = named(r#"{"Service": "pods.eks.amazonaws.com"}"#);
    assert!(pods.ends_with("it trusts EKS Pod Identity only, not the cluster's tokens"), "{pods}");
    let account = named(r#"{"AWS": "111122223333"}"#);
    assert!(account.ends_with("it names AWS 111122223333"), "{account}");
    let many = named(r#"{"Service": ["a.b", "c.d", "e.f", "g.h"]}"#);
    assert!(many.ends_with("Service e.f, .."), "{many}");
}
