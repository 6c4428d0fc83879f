mod conditions;
mod statements;

use super::*;

const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/A";

/// A Kubernetes token's keys, one key with two values, and none called `missing`.
fn verdict(policy: &str) -> Verdict {
    let policy = Policy::read(policy).unwrap_or_else(|fault| panic!("{fault} in {policy}"));
    let context = Context::default()
        .with("oidc.example/id/A:sub", ["system:serviceaccount:shop:app"])
        .with("oidc.example/id/A:aud", ["sts.amazonaws.com"])
        .with("two", ["a", "b"])
        .with("empty", [""; 0]);
    let request = Request {
        principal: Principal::Federated(PROVIDER),
        action: "sts:AssumeRoleWithWebIdentity",
        context: &context,
    };
    evaluate(&policy, &request)
}

fn statement(effect: &str, principal: &str, action: &str, condition: &str) -> String {
    format!(
        r#"{{"Effect": "{effect}", "Principal": {principal}, "Action": {action}, "Condition": {condition}}}"#
    )
}

fn allow_if(condition: &str) -> String {
    let principal = format!(r#"{{"Federated": "{PROVIDER}"}}"#);
    statement("Allow", &principal, r#""sts:AssumeRoleWithWebIdentity""#, condition)
}

fn allows(policy: &str) -> bool {
    matches!(verdict(policy), Verdict::Allowed { .. })
}

#[test]
fn the_verdict_says_why() {
    let denied = |statements: &str| match verdict(&format!(r#"{{"Statement": [{statements}]}}"#)) {
        Verdict::Denied { reason } => reason,
        Verdict::Allowed { statement } => panic!("{statement} allowed it"),
    };
    let wrong = allow_if(r#"{"StringEquals": {"oidc.example/id/A:sub": "x"}}"#);
    let missing = allow_if(r#"{"StringLike": {"aws:PrincipalOrgID": ["o-1"]}}"#);
    assert_eq!(
        denied(&format!("{wrong}, {missing}")),
        "statement 1: StringEquals oidc.example/id/A:sub wants [\"x\"] and the request has \
         [\"system:serviceaccount:shop:app\"]; \
         statement 2: StringLike aws:PrincipalOrgID wants [\"o-1\"] and the request has no such key"
    );
    let deny =
        wrong.replace(r#""Allow""#, r#""Deny", "Sid": "Never""#).replace("Equals", "NotEquals");
    assert_eq!(denied(&deny), "statement \"Never\" denies it explicitly");
    assert_eq!(denied(""), "no statement allows anything");
    let other = wrong.replace("oidc-provider", "saml-provider");
    assert_eq!(
        denied(&other),
        format!("statement 1: its Principal does not name Federated {PROVIDER}")
    );
    let other = wrong.replace("WithWebIdentity", "");
    let wanted = "statement 1: its Action does not cover sts:AssumeRoleWithWebIdentity";
    assert_eq!(denied(&other), wanted);
    let named = allow_if("{}").replace("{\"Effect", "{\"Sid\": \"Shop\", \"Effect");
    let statement = "statement \"Shop\"".to_owned();
    assert_eq!(verdict(&format!(r#"{{"Statement": {named}}}"#)), Verdict::Allowed { statement });
}

#[test]
fn what_is_not_known_is_malformed() {
    let good = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:*", "Condition": {"StringEquals": {"a": "b"}}}}"#;
    Policy::read(good).unwrap();
    for (from, to, named) in [
        ("StringEquals", "StringEqual", "`StringEqual`"),
        ("StringEquals", "IpAddress", "`IpAddress`"),
        ("StringEquals", "stringEquals", "`stringEquals`"),
        ("2012-10-17", "2012-10-18", "2012-10-18"),
        ("\"Allow\"", "\"allow\"", "allow"),
        ("\"Principal\": \"*\", ", "", "Principal"),
        ("\"Principal\": \"*\"", "\"Principal\": \"me\"", "me"),
        ("\"Principal\": \"*\"", "\"Principal\": {}", "names nobody"),
        ("\"Principal\": \"*\"", "\"Principal\": {\"SAML\": \"x\"}", "SAML"),
        ("Principal", "NotPrincipal", "NotPrincipal"),
        ("Action", "NotAction", "NotAction"),
        ("\"Action\"", "\"Resource\": \"*\", \"Action\"", "Resource"),
        ("\"b\"", "\"${aws:username}\"", "policy variables"),
        ("\"b\"", "{\"c\": \"d\"}", "a text or a list of texts"),
        ("\"Statement\"", "\"Statements\"", "Statements"),
        ("{\"Version\"", "[\"Version\"", "line 1"),
    ] {
        let fault = Policy::read(&good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(fault.contains(named), "{to}: {fault}");
    }
}
