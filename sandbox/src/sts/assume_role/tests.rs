use crate::sts::fixture::{Fixture, NODE, Refusal, UNPRIVILEGED, a, b, now};

fn code(answer: Result<super::GrantedSession, Refusal>) -> Option<(&'static str, u16)> {
    answer.err().map(|(code, status, _)| (code, status))
}

fn why(answer: Result<super::GrantedSession, Refusal>) -> String {
    answer.map(|granted| granted.reason).map_or_else(|(_, _, why)| why, |yes| format!("yes: {yes}"))
}

const DENIED: Option<(&str, u16)> = Some(("AccessDenied", 403));
const INVALID: Option<(&str, u16)> = Some(("ValidationError", 400));
const WRONG_VALUE: Option<(&str, u16)> = Some(("InvalidParameterValue", 400));

#[test]
fn trust_and_identity_policies_decide_together() {
    let fixture = Fixture::new();
    for (name, key, role, refusal) in [
        ("named, without a policy", UNPRIVILEGED, a("named"), None),
        ("another user is named", NODE, a("named"), DENIED),
        ("delegated, with a grant", NODE, a("delegated"), None),
        ("delegated, without a grant", UNPRIVILEGED, a("delegated"), DENIED),
        ("named, and denied explicitly", NODE, a("forbidden"), DENIED),
        ("another account, with a grant", NODE, b("account"), None),
        ("another account, without a grant", UNPRIVILEGED, b("account"), DENIED),
        ("named by another account, with a grant", NODE, b("users"), None),
        ("named by another account, without a grant", UNPRIVILEGED, b("users"), DENIED),
        ("no such role", NODE, a("none"), DENIED),
        ("no such account", NODE, "arn:aws:iam::777788889999:role/none".to_owned(), DENIED),
    ] {
        assert_eq!(code(fixture.ask(key, &role, &[])), refusal, "{name}");
    }
}

#[test]
fn missing_and_denied_roles_have_the_same_error() {
    let fixture = Fixture::new();
    let message = |role: &str| {
        let (_, _, text) = fixture.ask(NODE, &a(role), &[]).unwrap_err();
        text.split(" | ").next().unwrap().replace(&a(role), "<role>")
    };
    assert_eq!(message("none"), message("named"));
    assert_eq!(
        message("none"),
        "User: arn:aws:iam::111122223333:user/team/node is not authorized to perform: \
         sts:AssumeRole on resource: <role>"
    );
}

#[test]
fn the_log_says_which_policy_was_missing() {
    let fixture = Fixture::new();
    let ask = |key, role: &str| why(fixture.ask(key, role, &[]));
    assert!(ask(UNPRIVILEGED, &a("delegated")).contains("the trust policy only names the account"));
    assert!(ask(UNPRIVILEGED, &b("users")).contains("the role is in another account"));
    assert!(ask(NODE, &a("forbidden")).contains("\"Never\" denies it explicitly"));
    assert!(ask(NODE, &a("named")).contains("its Principal does not name"));
    assert!(ask(NODE, &a("delegated")).starts_with("yes: statement 1 of the trust policy and"));
}

#[test]
fn an_external_id_must_be_the_one_in_the_trust_policy() {
    let fixture = Fixture::new();
    let ask = |id: &str| code(fixture.ask(NODE, &b("external"), &[("ExternalId", id)]));
    assert_eq!(ask("shop/1"), None);
    assert_eq!(ask("shop/2"), DENIED);
    assert_eq!(code(fixture.ask(NODE, &b("external"), &[])), DENIED);
    assert_eq!(ask("x"), INVALID);
    assert_eq!(ask("a b"), INVALID);
    assert_eq!(ask(&"x".repeat(1225)), INVALID);
}

#[test]
fn a_trust_policy_can_use_the_calls_condition_keys() {
    let fixture = Fixture::new();
    let tags = |team: &'static str, key: &'static str, transitive: &'static str| {
        let tags = [
            ("Tags.member.1.Key", "team"),
            ("Tags.member.1.Value", team),
            ("Tags.member.2.Key", key),
            ("Tags.member.2.Value", "night"),
            ("TransitiveTagKeys.member.1", transitive),
        ];
        why(fixture.ask(NODE, &a("checked"), &tags))
    };
    let yes = tags("platform", "shift", "shift");
    assert!(yes.starts_with("yes"), "{yes}");
    let other = tags("base", "shift", "shift");
    assert!(other.contains("StringEquals aws:RequestTag/team requires"), "{other}");
    let key = tags("platform", "other", "other");
    assert!(key.contains("aws:TagKeys requires"), "{key}");
    let transitive = tags("platform", "shift", "team");
    assert!(transitive.contains("sts:TransitiveTagKeys requires"), "{transitive}");
    let none = why(fixture.ask(NODE, &a("checked"), &[]));
    assert!(none.contains("does not have the key"), "{none}");
}

#[test]
fn a_sessions_length_is_limited_by_role_and_role_chaining() {
    let mut fixture = Fixture::new();
    let base = fixture.go(NODE, &a("base"), &[]);
    for (name, key, role, seconds, refusal) in [
        ("the role's most", UNPRIVILEGED, a("named"), "7200", None),
        ("more than the role's most", UNPRIVILEGED, a("named"), "7201", INVALID),
        ("a user's own twelve hours", NODE, a("base"), "43200", None),
        ("an hour in a chain", &*base, a("of-base"), "3600", None),
        ("more than an hour in a chain", &*base, a("of-base"), "3601", INVALID),
        ("too short", NODE, a("base"), "899", INVALID),
        ("too long for anyone", NODE, a("base"), "43201", INVALID),
        // A caller without access to the role does not learn its limits.
        ("denied and too long", NODE, a("named"), "7201", DENIED),
    ] {
        assert_eq!(
            code(fixture.ask(key, &role, &[("DurationSeconds", seconds)])),
            refusal,
            "{name}"
        );
    }
    let granted = fixture.ask(NODE, &a("base"), &[]).unwrap();
    assert_eq!(granted.expiration.as_second() - now().as_second(), 3600);
    let chained = fixture.ask(&base, &a("of-base"), &[("DurationSeconds", "3601")]);
    assert!(why(chained).contains("1 hour session limit for roles assumed by role chaining"));
    // A session of the user itself is not role chaining.
    let (_, own) = fixture.session_token(NODE, &[]).unwrap();
    assert_eq!(code(fixture.ask(&own, &a("base"), &[("DurationSeconds", "43200")])), None);
}

const TEAM: [(&str, &str); 2] = [("Tags.member.1.Key", "Team"), ("Tags.member.1.Value", "shop")];
const TRANSITIVE: (&str, &str) = ("TransitiveTagKeys.member.1", "team");

#[test]
fn tags_need_tag_session() {
    let fixture = Fixture::new();
    assert_eq!(code(fixture.ask(NODE, &a("base"), &TEAM)), None);
    assert_eq!(code(fixture.ask(NODE, &a("tagless"), &[])), None);
    let refused = fixture.ask(NODE, &a("tagless"), &TEAM);
    assert!(why(refused).contains("is not authorized to perform: sts:TagSession"));
}

#[test]
fn session_tags_override_the_roles() {
    let mut fixture = Fixture::new();
    let key = fixture.go(NODE, &a("base"), &TEAM);
    let context = format!("{:?}", fixture.caller(&key).context(now()));
    assert!(context.contains(r#""aws:principaltag/team": ["shop"]"#), "{context}");
    assert!(context.contains(r#""aws:principaltag/tier": ["gold"]"#), "{context}");
    // A user's tags are not inherited.
    assert!(!context.contains("cost"), "{context}");
}

#[test]
fn transitive_tags_are_inherited_in_a_chain() {
    let mut fixture = Fixture::new();
    let [key, value] = TEAM;
    let shift = [("Tags.member.2.Key", "shift"), ("Tags.member.2.Value", "night")];
    let first = fixture.go(NODE, &a("base"), &[key, value, TRANSITIVE, shift[0], shift[1]]);
    let second = fixture.ask(&first, &b("account"), &[]).unwrap();
    let tags: Vec<_> = second.attributes.tags.iter().collect();
    assert_eq!(tags, [("Team", "shop")], "and nothing that is not transitive");
    assert!(second.attributes.transitive.contains("team"), "it goes on from there too");
    assert!(second.packed_policy_size.is_some());
    // Inherited tags count as request tags: the next role must allow sts:TagSession.
    let refused = fixture.ask(&first, &a("of-base"), &[]);
    assert!(why(refused).contains("sts:TagSession"));
    for again in ["team", "TEAM"] {
        let again = [("Tags.member.1.Key", again), ("Tags.member.1.Value", "shop")];
        assert_eq!(code(fixture.ask(&first, &b("account"), &again)), WRONG_VALUE);
    }
    let more = [("Tags.member.1.Key", "x"), ("Tags.member.1.Value", "y")];
    assert_eq!(fixture.ask(&first, &b("account"), &more).unwrap().attributes.tags.len(), 2);
}

#[test]
fn tags_are_checked_against_their_limits() {
    let fixture = Fixture::new();
    let long = |length| "x".repeat(length);
    for (name, key, value, refusal) in [
        ("an empty value", "a", String::new(), None),
        ("128 and 200 characters", &*long(128), long(200), None),
        ("a long key", &*long(129), "x".to_owned(), INVALID),
        ("a long value", "a", long(257), INVALID),
        ("an empty key", "", "x".to_owned(), INVALID),
        ("AWS's own prefix", "aws:team", "x".to_owned(), INVALID),
        ("AWS's own prefix in capitals", "AWS:team", "x".to_owned(), INVALID),
        ("a letter that no tag has", "a!", "x".to_owned(), INVALID),
    ] {
        let tags = [("Tags.member.1.Key", key), ("Tags.member.1.Value", &*value)];
        assert_eq!(code(fixture.ask(NODE, &a("base"), &tags)), refusal, "{name}");
    }
    let twice = [
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", "x"),
        ("Tags.member.2.Key", "A"),
        ("Tags.member.2.Value", "x"),
    ];
    assert_eq!(code(fixture.ask(NODE, &a("base"), &twice)), WRONG_VALUE);
    assert_eq!(code(fixture.ask(NODE, &a("base"), &twice[..1])), INVALID, "no value");
    assert_eq!(code(fixture.ask(NODE, &a("base"), &[TRANSITIVE])), WRONG_VALUE, "not a tag of it");
    let names: Vec<String> = (1..=51).map(|n| format!("Tags.member.{n}")).collect();
    let fifty_one: Vec<(String, String)> = names
        .iter()
        .enumerate()
        .flat_map(|(n, name)| {
            [(format!("{name}.Key"), format!("k{n}")), (format!("{name}.Value"), String::new())]
        })
        .collect();
    let pairs: Vec<(&str, &str)> = fifty_one.iter().map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(code(fixture.ask(NODE, &a("base"), &pairs)), INVALID);
    assert_eq!(code(fixture.ask(NODE, &a("base"), &pairs[..100])), None);
}

#[test]
fn too_much_policy_is_an_error() {
    let fixture = Fixture::new();
    let large: Option<(&str, u16)> = Some(("PackedPolicyTooLarge", 400));
    let value = "x".repeat(256);
    let tags = [
        ("Tags.member.1.Key", "a"),
        ("Tags.member.1.Value", &*value),
        ("Tags.member.2.Key", "b"),
        ("Tags.member.2.Value", &*value),
    ];
    assert_eq!(code(fixture.ask(NODE, &a("base"), &tags)), large);
    let arn = format!("arn:aws:iam::aws:policy/{}", "x".repeat(1100));
    let arns = [("PolicyArns.member.1.arn", &*arn), ("PolicyArns.member.2.arn", &*arn)];
    assert_eq!(code(fixture.ask(NODE, &a("base"), &arns)), large);
    assert_eq!(fixture.ask(NODE, &a("base"), &arns[..1]).unwrap().packed_policy_size, Some(55));
    assert_eq!(code(fixture.ask(NODE, &a("base"), &[("PolicyArns.member.1.arn", "x")])), INVALID);
}

const ALL: &str = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
const READ: &str = r#"{"Statement": {"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}}"#;

#[test]
fn a_session_policy_limits_the_next_role_step() {
    let mut fixture = Fixture::new();
    let free = fixture.go(NODE, &a("base"), &[("Policy", ALL)]);
    let bound = fixture.go(NODE, &a("base"), &[("Policy", READ)]);
    let never = READ.replace("Allow", "Deny").replace("s3:Get*", "*");
    let barred = fixture.go(NODE, &a("base"), &[("Policy", &never)]);
    for (name, key, role, refusal) in [
        ("not limited", &free, b("account"), None),
        ("limited, across accounts", &bound, b("account"), DENIED),
        ("limited, though the role is named", &bound, a("of-base"), DENIED),
        ("limited, but the session itself is named", &bound, a("of-session"), None),
        ("denied, though the session itself is named", &barred, a("of-session"), DENIED),
    ] {
        assert_eq!(code(fixture.ask(key, &role, &[])), refusal, "{name}");
    }
    // The next session does not have the policy.
    let next = fixture.ask(&free, &b("account"), &[]).unwrap();
    assert!(next.attributes.policy.is_none() && next.packed_policy_size.is_none());
}

#[test]
fn a_session_policy_is_an_identity_policy() {
    let fixture = Fixture::new();
    let malformed: Option<(&str, u16)> = Some(("MalformedPolicyDocument", 400));
    let with_principal = ALL.replacen("\"Action\"", "\"Principal\": \"*\", \"Action\"", 1);
    for (policy, refusal) in [
        ("{", malformed),
        ("{}", malformed),
        (&with_principal, malformed),
        (&ALL.replacen("\"Resource\": \"*\"", "\"Sid\": \"a\"", 1), malformed),
        (&format!("{ALL}{}", " ".repeat(2048)), INVALID),
    ] {
        assert_eq!(code(fixture.ask(NODE, &a("base"), &[("Policy", policy)])), refusal, "{policy}");
    }
}

#[test]
fn a_source_identity_is_inherited() {
    let mut fixture = Fixture::new();
    let alice = ("SourceIdentity", "alice");
    assert!(
        why(fixture.ask(UNPRIVILEGED, &a("named"), &[alice])).contains("sts:SetSourceIdentity")
    );
    let first = fixture.go(NODE, &a("base"), &[alice]);
    let context = format!("{:?}", fixture.caller(&first).context(now()));
    assert!(context.contains(r#""aws:sourceidentity": ["alice"]"#), "{context}");
    let next = fixture.ask(&first, &b("account"), &[]).unwrap();
    assert_eq!(next.attributes.source_identity.as_deref(), Some("alice"));
    assert_eq!(code(fixture.ask(&first, &b("account"), &[alice])), None);
    assert_eq!(code(fixture.ask(&first, &b("account"), &[("SourceIdentity", "bob")])), DENIED);
    // An inherited source identity must be permitted on the next role too.
    assert!(why(fixture.ask(&first, &a("of-base"), &[])).contains("sts:SetSourceIdentity"));
    assert_eq!(code(fixture.ask(NODE, &a("base"), &[("SourceIdentity", "a b")])), INVALID);
}

#[test]
fn get_session_token_returns_a_session_of_the_user() {
    let mut fixture = Fixture::new();
    let (granted, key) = fixture.session_token(NODE, &[]).unwrap();
    assert_eq!(granted.identity.arn, "arn:aws:iam::111122223333:user/team/node");
    assert_eq!(granted.expiration.as_second() - now().as_second(), 43_200);
    assert_eq!(code(fixture.ask(&key, &a("delegated"), &[])), None);
    // Policies can see that the credentials are temporary.
    assert!(why(fixture.ask(&key, &a("checked"), &TEAM)).contains("MultiFactorAuthPresent"));
    let role = fixture.go(NODE, &a("base"), &[]);
    for key in [&role, &key] {
        let (code, status, text) = fixture.session_token(key, &[]).unwrap_err();
        assert_eq!((code, status), ("AccessDenied", 403));
        assert!(text.starts_with("Cannot call GetSessionToken with session credentials"));
    }
    for (seconds, fine) in [("900", true), ("899", false), ("129600", true), ("129601", false)] {
        let answer = fixture.session_token(NODE, &[("DurationSeconds", seconds)]);
        assert_eq!(answer.is_ok(), fine, "{seconds}");
    }
}

#[test]
fn every_mfa_code_is_rejected() {
    let mut fixture = Fixture::new();
    let code_of = ("TokenCode", "123456");
    assert_eq!(code(fixture.ask(NODE, &a("base"), &[code_of])), DENIED);
    assert_eq!(fixture.session_token(NODE, &[code_of]).unwrap_err().0, "AccessDenied");
}
