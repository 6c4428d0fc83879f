use super::*;

const ROLE: &str = "arn:aws:iam::111122223333:role/app";

fn verdict(policies: &[&str], resource: &str) -> Verdict {
    let policies: Vec<IdentityPolicy> = policies
        .iter()
        .map(|text| IdentityPolicy::read(text).unwrap_or_else(|error| panic!("{error}: {text}")))
        .collect();
    let context = Context::default()
        .with("aws:username", ["node"])
        .with("aws:PrincipalTag/team", ["shop"])
        .with("two", ["a", "b"]);
    let request = Request {
        principal: Principal::User("arn:aws:iam::111122223333:user/node"),
        action: "sts:AssumeRole",
        resource,
        context: &context,
    };
    evaluate_identity(policies.iter().map(|policy| ("p", policy)), &request)
}

fn policy(statement: &str) -> String {
    format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#)
}

#[test]
fn identity_policies_apply_as_in_iam() {
    let allow =
        |action: &str, resource: &str| format!(r#"{{"Effect": "Allow", {action}, {resource}}}"#);
    let all = r#""Action": "sts:AssumeRole""#;
    for (name, statement, allowed) in [
        ("the role's ARN", allow(all, &format!(r#""Resource": "{ROLE}""#)), true),
        ("all resources", allow(all, r#""Resource": "*""#), true),
        ("another role", allow(all, r#""Resource": "arn:aws:iam::111122223333:role/b""#), false),
        ("roles by wildcard", allow(all, r#""Resource": "arn:aws:iam::*:role/a?p""#), true),
        ("one of a list", allow(all, &format!(r#""Resource": ["x", "{ROLE}"]"#)), true),
        ("not another", allow(all, r#""NotResource": "arn:aws:iam::111122223333:role/b""#), true),
        ("not this", allow(all, r#""NotResource": "arn:aws:iam::111122223333:role/*""#), false),
        ("another action", allow(r#""Action": "s3:*""#, r#""Resource": "*""#), false),
        ("all actions", allow(r#""Action": "*""#, r#""Resource": "*""#), true),
        ("not another action", allow(r#""NotAction": "s3:*""#, r#""Resource": "*""#), true),
        ("not this action", allow(r#""NotAction": "STS:assume*""#, r#""Resource": "*""#), false),
        (
            "a variable in the resource",
            allow(all, r#""Resource": "arn:aws:iam::111122223333:role/${aws:x, 'app'}""#),
            true,
        ),
        (
            "a variable without a value",
            allow(all, r#""Resource": "arn:aws:iam::111122223333:role/${aws:x}""#),
            false,
        ),
        (
            "a variable with two values",
            allow(all, r#""Resource": "${aws:two}*""#).replace("aws:two", "two:x"),
            false,
        ),
        ("nothing", "[]".to_owned(), false),
    ] {
        let verdict = verdict(&[&policy(&statement)], ROLE);
        assert_eq!(matches!(verdict, Verdict::Allowed { .. }), allowed, "{name}: {verdict:?}");
    }
}

#[test]
fn all_policies_of_an_identity_are_evaluated_together() {
    let allow = policy(r#"{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}"#);
    let deny = policy(r#"{"Effect": "Deny", "Action": "sts:*", "Resource": "*"}"#);
    assert!(matches!(verdict(&[&allow, &allow], ROLE), Verdict::Allowed { .. }));
    let denied = verdict(&[&allow, &deny], ROLE);
    let Verdict::Denied(denial) = denied else { panic!("allowed") };
    assert_eq!(denial.to_string(), "policy \"p\", statement 1 denies it explicitly");
    assert!(denial.is_explicit());
    let none = Denial::NoneAllows(Vec::new());
    assert_eq!(none.to_string(), "no statement allows it");
    assert_eq!(verdict(&[], ROLE), Verdict::Denied(none));
}

#[test]
fn an_identity_policy_is_not_a_trust_policy() {
    let good = policy(r#"{"Effect": "Allow", "Action": "sts:*", "Resource": "*"}"#);
    IdentityPolicy::read(&good).unwrap();
    for (from, to, named) in [
        (r#", "Resource": "*""#, "", "either Resource or NotResource"),
        (r#""Resource": "*""#, r#""Resource": "*", "NotResource": "*""#, "either Resource"),
        (r#""Action""#, r#""Principal": "*", "Action""#, "Principal"),
        (r#""Action""#, r#""NotPrincipal": "*", "Action""#, "NotPrincipal"),
        (r#""Resource": "*""#, r#""Resource": []"#, "list is empty"),
    ] {
        let error = IdentityPolicy::read(&good.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.contains(named), "{to}: {error}");
    }
    assert_eq!(IdentityPolicy::read(&good).unwrap().text(), good);
}

#[test]
fn a_policy_of_yaml_is_written_as_json() {
    let yaml = "Version: '2012-10-17'\nStatement:\n- Effect: Allow\n  Action: sts:*\n  Resource: ['*']\n  Condition: {Bool: {'aws:x': true}}\n";
    let read: IdentityPolicy = serde_saphyr::from_str(yaml).unwrap();
    let wanted = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["sts:*"],"Resource":["*"],"Condition":{"Bool":{"aws:x":["true"]}}}]}"#;
    assert_eq!(read.text(), wanted);
    IdentityPolicy::read(read.text()).unwrap();
}
