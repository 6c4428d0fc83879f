use super::{PROVIDER, allow_if, allows, statement};

#[test]
fn statements_apply_as_in_iam() {
    let action = r#""sts:AssumeRoleWithWebIdentity""#;
    let provider = format!(r#"{{"Federated": "{PROVIDER}"}}"#);
    let one = |principal: &str, action: &str| statement("Allow", principal, action, "{}");
    let yes = || one(&provider, action);
    let deny = |condition: &str| statement("Deny", &provider, action, condition);
    let right = r#"{"StringEquals": {"two": "a"}}"#;
    let wrong = r#"{"StringEquals": {"two": "c"}}"#;
    for (name, statements, allowed) in [
        ("the provider", vec![yes()], true),
        ("nothing", vec![], false),
        (
            "a list of providers",
            vec![one(&format!(r#"{{"Federated": ["x", "{PROVIDER}"]}}"#), action)],
            true,
        ),
        (
            "another provider",
            vec![one(r#"{"Federated": "arn:aws:iam::111122223333:oidc-provider/x"}"#, action)],
            false,
        ),
        ("another account's provider", vec![one(&provider.replace("1111", "4444"), action)], false),
        (
            "a provider's name minds case",
            vec![one(&provider.replace("oidc.e", "OIDC.e"), action)],
            false,
        ),
        ("a provider knows no wildcard", vec![one(r#"{"Federated": "*"}"#, action)], false),
        ("everyone", vec![one(r#""*""#, action)], true),
        ("everyone, as an account", vec![one(r#"{"AWS": "*"}"#, action)], true),
        (
            "the ARN as another kind",
            vec![one(&provider.replace("Federated", "Service"), action)],
            false,
        ),
        ("a service", vec![one(r#"{"Service": "pods.eks.amazonaws.com"}"#, action)], false),
        ("another action", vec![one(&provider, r#""sts:AssumeRole""#)], false),
        (
            "a list of actions",
            vec![one(&provider, r#"["sts:TagSession", "sts:AssumeRoleWithWebIdentity"]"#)],
            true,
        ),
        ("actions without case", vec![one(&provider, r#""STS:assumerolewithwebidentity""#)], true),
        ("actions by wildcard", vec![one(&provider, r#""sts:AssumeRole*""#)], true),
        ("all actions", vec![one(&provider, r#""*""#)], true),
        ("a Deny after", vec![yes(), deny("{}")], false),
        ("a Deny before", vec![deny("{}"), yes()], false),
        ("a Deny that holds", vec![yes(), deny(right)], false),
        ("a Deny that does not hold", vec![yes(), deny(wrong)], true),
        ("a Deny alone", vec![deny(wrong)], false),
        ("a Deny of everyone", vec![yes(), statement("Deny", r#""*""#, r#""sts:*""#, "{}")], false),
        ("the second of two", vec![allow_if(wrong), allow_if(right)], true),
        ("none of two", vec![allow_if(wrong), allow_if(wrong)], false),
        (
            "both operators hold",
            vec![allow_if(r#"{"StringEquals": {"two": "a"}, "StringLike": {"two": "*"}}"#)],
            true,
        ),
        (
            "one operator does not",
            vec![allow_if(r#"{"StringEquals": {"two": "a"}, "StringLike": {"two": "c"}}"#)],
            false,
        ),
        (
            "one key does not",
            vec![allow_if(r#"{"StringEquals": {"two": "a", "missing": "a"}}"#)],
            false,
        ),
    ] {
        let policy = format!(r#"{{"Statement": [{}]}}"#, statements.join(", "));
        assert_eq!(allows(&policy), allowed, "{name}");
    }
}
