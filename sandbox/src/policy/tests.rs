mod conditions;
mod identity;
mod misses;
mod near_misses;
mod principals;
mod statements;
mod typed;

use super::*;

const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id/A";

/// A Kubernetes token's keys, one key with two values, and none called `missing`.
fn verdict(policy: &str) -> Verdict {
    let context = Context::default()
        .with("oidc.example/id/A:sub", ["system:serviceaccount:shop:app"])
        .with("oidc.example/id/A:aud", ["sts.amazonaws.com"])
        .with("two", ["a", "b"])
        .with("empty", [""; 0]);
    verdict_with(policy, &context)
}

fn verdict_with(policy: &str, context: &Context) -> Verdict {
    let policy = Policy::read(policy).unwrap_or_else(|error| panic!("{error} in {policy}"));
    let request = Request {
        principal: Principal::Federated(PROVIDER),
        action: "sts:AssumeRoleWithWebIdentity",
        resource: "arn:aws:iam::111122223333:role/app",
        context,
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
        Verdict::Denied(denial) => denial.to_string(),
        Verdict::Allowed { statement, .. } => panic!("{statement} allowed it"),
    };
    let wrong = allow_if(r#"{"StringEquals": {"oidc.example/id/A:sub": "x"}}"#);
    let missing = allow_if(r#"{"StringLike": {"aws:PrincipalOrgID": ["o-1"]}}"#);
    assert_eq!(
        denied(&format!("{wrong}, {missing}")),
        "statement 1: StringEquals oidc.example/id/A:sub requires [\"x\"] and the request has \
         [\"system:serviceaccount:shop:app\"]; \
         statement 2: StringLike aws:PrincipalOrgID requires [\"o-1\"] and the request does not have the key"
    );
    // The reason says that the sandbox never sets the key.
    let address = allow_if(r#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#);
    assert_eq!(
        denied(&address),
        "statement 1: IpAddress aws:SourceIp requires [\"10.0.0.0/8\"] and the request does not have \
         the key, which this sandbox never sets"
    );
    let deny =
        wrong.replace(r#""Allow""#, r#""Deny", "Sid": "Never""#).replace("Equals", "NotEquals");
    assert_eq!(denied(&deny), "statement \"Never\" denies it explicitly");
    assert_eq!(denied(""), "no statement allows it");
    let other = wrong.replace("oidc-provider", "saml-provider");
    assert_eq!(
        denied(&other),
        format!(
            "statement 1: its Principal does not name Federated {PROVIDER}; it names Federated {}",
            PROVIDER.replace("oidc-provider", "saml-provider")
        )
    );
    let other = wrong.replace("WithWebIdentity", "");
    let wanted = "statement 1: its Action does not cover sts:AssumeRoleWithWebIdentity";
    assert_eq!(denied(&other), wanted);
    let named = allow_if("{}").replace("{\"Effect", "{\"Sid\": \"Shop\", \"Effect");
    let wanted = Verdict::Allowed {
        statement: "statement \"Shop\"".to_owned(),
        named: PrincipalMatch::Itself,
    };
    assert_eq!(verdict(&format!(r#"{{"Statement": {named}}}"#)), wanted);
    let unknown = allow_if(r#"{"StringLike": {"aws:SourceVpc": "vpc-1"}}"#);
    assert!(denied(&unknown).ends_with("does not have the key, which this sandbox never sets"));
}

#[test]
fn unknown_elements_are_malformed() {
    let good = r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", "Action": "sts:*", "Condition": {"StringEquals": {"a": "b"}}}}"#;
    Policy::read(good).unwrap();
    for (from, to, named) in [
        ("StringEquals", "StringEqual", "`StringEqual`"),
        ("StringEquals", "stringEquals", "`stringEquals`"),
        ("StringEquals", "IpAddress", "\"b\" is not a valid value"),
        ("StringEquals", "NumericLessThan", "\"b\" is not a valid value"),
        ("StringEquals", "DateLessThan", "\"b\" is not a valid value"),
        ("StringEquals", "Bool", "\"b\" is not a valid value"),
        ("StringEquals", "BinaryEquals", "\"b\" is not a valid value"),
        ("StringEquals", "Null", "\"b\" is not a valid value"),
        ("2012-10-17", "2012-10-18", "2012-10-18"),
        ("\"Allow\"", "\"allow\"", "allow"),
        ("\"Principal\": \"*\", ", "", "Missing required field Principal"),
        ("\"Principal\": \"*\"", "\"Principal\": \"me\"", "me"),
        ("\"Principal\": \"*\"", "\"Principal\": {}", "Principal element is empty"),
        ("\"Principal\": \"*\"", "\"Principal\": {\"SAML\": \"x\"}", "SAML"),
        ("\"Principal\": \"*\"", "\"Principal\": {\"AWS\": \"me\"}", "\"me\""),
        // IAM: a role's trust policy has no NotPrincipal.
        ("Principal", "NotPrincipal", "NotPrincipal"),
        ("\"Action\": \"sts:*\", ", "", "either Action or NotAction"),
        ("\"Action\"", "\"NotAction\": \"a:b\", \"Action\"", "either Action or NotAction"),
        ("\"sts:*\"", "[]", "the Action list is empty"),
        ("\"Action\"", "\"Resource\": \"*\", \"Action\"", "Has prohibited field Resource"),
        ("\"sts:*\"", "\"s3:GetObject\"", "may only specify STS AssumeRole actions"),
        ("\"sts:*\"", "[\"sts:AssumeRole\", \"s3:*\"]", "\"s3:*\" is another"),
        (
            "\"*\", \"Action\"",
            "{\"Federated\": \"https://oidc.example/id/A\"}, \"Action\"",
            "Federated principals must be valid domain names or SAML metadata ARNs",
        ),
        ("\"a\": \"b\"", "\"a\": \"b\", \"a\": \"c\"", "`a` occurs twice"),
        ("\"a\": \"b\"", "\"a\": \"b\", \"A\": \"c\"", "occurs twice"),
        ("{\"a\": \"b\"}", "{\"a\": \"b\"}, \"StringEquals\": {\"a\": \"c\"}", "occurs twice"),
        ("\"b\"", "\"${aws:username\"", "policy variable"),
        ("\"b\"", "\"${username}\"", "policy variable"),
        ("\"b\"", "\"${aws:username, unknown}\"", "policy variable"),
        ("\"b\"", "{\"c\": \"d\"}", "a string or a list of strings"),
        ("\"Statement\"", "\"Statements\"", "Statements"),
        ("{\"Version\"", "[\"Version\"", "line 1"),
    ] {
        let error = Policy::read(&good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(named), "{to}: {error}");
    }
}

fn allow_for(principal: &str) -> String {
    let statement = statement("Allow", principal, r#""sts:AssumeRole""#, "{}");
    format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#)
}
