use super::{super::*, allow_for};

const USER: Principal<'_> = Principal::User("arn:aws:iam::111122223333:user/team/node");
const SESSION: Principal<'_> = Principal::Session {
    arn: "arn:aws:sts::111122223333:assumed-role/node/i-1",
    role: "arn:aws:iam::111122223333:role/team/node",
};
const SERVICE: Principal<'_> = Principal::Service("pods.eks.amazonaws.com");
const FEDERATED: Principal<'_> =
    Principal::Federated("arn:aws:iam::111122223333:oidc-provider/oidc.example");

fn named(principal: &str, asks: Principal<'_>) -> Option<PrincipalMatch> {
    let policy = allow_for(principal);
    let policy = Policy::read(&policy).unwrap_or_else(|error| panic!("{error}: {policy}"));
    let request = Request {
        principal: asks,
        action: "sts:AssumeRole",
        resource: "*",
        context: &Context::default(),
    };
    match evaluate(&policy, &request) {
        Verdict::Allowed { named, .. } => Some(named),
        Verdict::Denied(_) => None,
    }
}

#[test]
fn principals_match_as_in_iam() {
    use PrincipalMatch::{Account, Itself, Session};
    let aws = |name: &str| format!(r#"{{"AWS": "{name}"}}"#);
    for (name, principal, asks, wanted) in [
        ("everyone, a user", r#""*""#.to_owned(), USER, Some(Itself)),
        ("everyone, a session", aws("*"), SESSION, Some(Itself)),
        ("everyone, a service", r#""*""#.to_owned(), SERVICE, Some(Itself)),
        ("everyone, federated", r#""*""#.to_owned(), FEDERATED, Some(Itself)),
        ("a user's account id", aws("111122223333"), USER, Some(Account)),
        ("a session's account id", aws("111122223333"), SESSION, Some(Account)),
        ("another account id", aws("444455556666"), USER, None),
        ("an account's root", aws("arn:aws:iam::111122223333:root"), SESSION, Some(Account)),
        ("another account's root", aws("arn:aws:iam::444455556666:root"), SESSION, None),
        ("another partition's root", aws("arn:aws-cn:iam::111122223333:root"), SESSION, None),
        ("an account is no service", aws("111122223333"), SERVICE, None),
        ("an account is no provider", aws("111122223333"), FEDERATED, None),
        ("the user", aws("arn:aws:iam::111122223333:user/team/node"), USER, Some(Itself)),
        ("the user without its path", aws("arn:aws:iam::111122223333:user/node"), USER, None),
        (
            "a user of that name, no role",
            aws("arn:aws:iam::111122223333:user/team/node"),
            SESSION,
            None,
        ),
        ("the role", aws("arn:aws:iam::111122223333:role/team/node"), SESSION, Some(Itself)),
        ("the role without its path", aws("arn:aws:iam::111122223333:role/node"), SESSION, None),
        ("the role minds case", aws("arn:aws:iam::111122223333:role/team/Node"), SESSION, None),
        ("another account's role", aws("arn:aws:iam::444455556666:role/team/node"), SESSION, None),
        (
            "the session",
            aws("arn:aws:sts::111122223333:assumed-role/node/i-1"),
            SESSION,
            Some(Session),
        ),
        ("another session", aws("arn:aws:sts::111122223333:assumed-role/node/i-2"), SESSION, None),
        (
            "the service",
            r#"{"Service": "pods.eks.amazonaws.com"}"#.to_owned(),
            SERVICE,
            Some(Itself),
        ),
        ("another service", r#"{"Service": "ec2.amazonaws.com"}"#.to_owned(), SERVICE, None),
        ("a service is no user", r#"{"Service": "pods.eks.amazonaws.com"}"#.to_owned(), USER, None),
        (
            "services in a list",
            r#"{"Service": ["ec2.amazonaws.com", "pods.eks.amazonaws.com"]}"#.to_owned(),
            SERVICE,
            Some(Itself),
        ),
        (
            "several kinds",
            r#"{"AWS": "444455556666", "Service": "pods.eks.amazonaws.com"}"#.to_owned(),
            SERVICE,
            Some(Itself),
        ),
        (
            "the closest of several",
            r#"{"AWS": ["111122223333", "arn:aws:iam::111122223333:role/team/node"]}"#.to_owned(),
            SESSION,
            Some(Itself),
        ),
    ] {
        assert_eq!(named(&principal, asks), wanted, "{name}");
    }
}

#[test]
fn an_invalid_principal_is_malformed() {
    for name in [
        "me",
        "1111",
        "arn:aws:iam::111122223333:role/*",
        "arn:aws:iam::111122223333:role/a?p",
        "arn:aws:iam::*:root",
        "arn:aws:iam::111122223333:group/a",
        "arn:aws:sts::111122223333:assumed-role/*",
        "arn:aws:s3:::bucket",
        "arn:azure:iam::111122223333:root",
        "arn:aws:iam:eu-west-1:111122223333:root",
        "",
    ] {
        let policy = allow_for(&format!(r#"{{"AWS": "{name}"}}"#));
        let error = Policy::read(&policy).unwrap_err().to_string();
        assert!(error.contains(&format!("{name:?}")), "{error}");
    }
}
