//! The parts of a denial.

use super::*;

fn denial(statements: &str) -> Denial {
    match verdict(&format!(r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#)) {
        Verdict::Denied(denial) => denial,
        Verdict::Allowed { statement, .. } => panic!("{statement} allowed it"),
    }
}

#[test]
fn all_parts_that_a_statement_misses_are_listed() {
    let other = statement(
        "Allow",
        r#"{"AWS": "111122223333"}"#,
        r#""sts:AssumeRole""#,
        r#"{"StringEquals": {"oidc.example/id/A:sub": "x", "two": "a"}, "Bool": {"aws:SourceVpc": "true"}}"#,
    );
    let Denial::NoneAllows(misses) = denial(&other) else { panic!("denied explicitly") };
    let [miss] = &misses[..] else { panic!("{misses:?}") };
    assert_eq!((miss.statement.as_str(), miss.place), ("statement 1", 0));
    let parts: Vec<&MissedPart> = miss.parts().collect();
    let MissedPart::Principal { named, near_miss: None, .. } = parts[0] else {
        panic!("{parts:?}")
    };
    assert_eq!(*named, ["AWS 111122223333"]);
    assert!(
        matches!(parts[1], MissedPart::Action { requested } if requested.ends_with("Identity"))
    );
    let conditions: Vec<(&str, &str, Option<usize>, bool)> = parts[2..]
        .iter()
        .map(|part| match part {
            MissedPart::Condition(it) => (
                it.operator.as_str(),
                it.key.as_str(),
                it.held.as_ref().map(Vec::len),
                it.is_modelled,
            ),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        conditions,
        [
            ("Bool", "aws:SourceVpc", None, false),
            ("StringEquals", "oidc.example/id/A:sub", Some(1), true)
        ]
    );
}

#[test]
fn an_explicit_denial_has_its_conditions() {
    let deny = allow_if(r#"{"StringNotEquals": {"oidc.example/id/A:sub": "x"}}"#);
    let deny = deny.replace(r#""Allow""#, r#""Deny""#);
    let Denial::Explicit { place, conditions, .. } = denial(&format!("{}, {deny}", allow_if("{}")))
    else {
        panic!("not explicit")
    };
    assert_eq!((place, conditions[0].wanted[0].as_str()), (1, "x"));
}

#[test]
fn statements_that_depend_on_unknown_keys_are_named() {
    let open = |condition: &str, settled: bool| {
        let policy =
            format!(r#"{{"Version": "2012-10-17", "Statement": {}}}"#, allow_if(condition));
        let policy = Policy::read(&policy).unwrap();
        let context = Context::default().with("oidc.example/id/A:sub", ["me"]);
        let request = Request {
            principal: Principal::Federated(PROVIDER),
            action: "sts:AssumeRoleWithWebIdentity",
            resource: "*",
            context: &context,
        };
        let found = undecided(&policy, &request, |_| settled);
        found.into_iter().flat_map(|it| it.keys).collect::<Vec<_>>()
    };
    let two = r#"{"StringEquals": {"oidc.example/id/A:sub": "me"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#;
    assert_eq!(open(two, false), ["aws:SourceIp"]);
    assert!(open(two, true).is_empty());
    assert!(open(&two.replace("\"me\"", "\"you\""), false).is_empty());
    let variable = r#"{"StringEquals": {"oidc.example/id/A:sub": "${aws:PrincipalTag/x}"}}"#;
    assert_eq!(open(variable, false), ["aws:PrincipalTag/x"]);
}
