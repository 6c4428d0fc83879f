//! Each mistake as a policy in `fixtures/`: the finding, that the sandbox refuses the call too, and that it
//! accepts the call after the mistake was undone, and after `--into` was applied.

use podrole_identity::{Exchange, Partition, RoleArn, ServiceAccountRef};
use podrole_sandbox::{
    policy::{Policy, Verdict},
    trust::ask,
};
use serde::Deserialize;

use super::*;
use crate::{
    report::verdict,
    trust_policy::{document, question::SourcePrincipal},
};

const FIXTURES: [&str; 7] = [
    include_str!("fixtures/pr019.yaml"),
    include_str!("fixtures/pr020.yaml"),
    include_str!("fixtures/pr021.yaml"),
    include_str!("fixtures/pr027.yaml"),
    include_str!("fixtures/pr028.yaml"),
    include_str!("fixtures/pr032.yaml"),
    include_str!("fixtures/others.yaml"),
];

/// A policy, and what is found in it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Fixture {
    name: String,
    #[serde(default)]
    question: Asked,
    policy: String,
    /// In order; empty for a finding without a code.
    codes: Vec<String>,
    /// The first line.
    line: String,
    is: Option<String>,
    should_be: Option<String>,
    /// Replacements in the policy after which the call is allowed.
    #[serde(default)]
    undo: Vec<(String, String)>,
    /// Whether the policy itself allows the call.
    #[serde(default)]
    is_allowed: bool,
    /// Whether `--into` can repair it.
    #[serde(default = "yes")]
    is_fixed_by_into: bool,
}

fn yes() -> bool {
    true
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    service_account: Option<ServiceAccountRef>,
    role: Option<RoleArn>,
    exchange: Option<Exchange>,
    issuer: Option<String>,
    principal: Option<String>,
    before: Option<RoleArn>,
    external_id: Option<String>,
    tags: Option<bool>,
    agent_partition: Option<String>,
}

impl Asked {
    fn question(self) -> TrustQuestion {
        let issuer = self.issuer.unwrap_or_else(|| "https://oidc.example.com".to_owned());
        let principal = self.principal.map(|it| it.parse::<SourcePrincipal>().unwrap());
        let exchange = self.exchange.unwrap_or_default();
        let has_tags = self.before.is_none() && exchange != Exchange::WebIdentity;
        let caller = match (self.before, exchange) {
            (Some(role), _) => AskingCaller::RoleBefore { role, external_id: self.external_id },
            (None, Exchange::WebIdentity) => AskingCaller::WebIdentity {
                issuer,
                audiences: vec![exchange.audience().to_string()],
            },
            (None, Exchange::AssumeRole) => AskingCaller::Agent(principal),
            (None, Exchange::EksAuth) => AskingCaller::EksAuth(None),
        };
        let role = "arn:aws:iam::111122223333:role/shop-app";
        TrustQuestion {
            service_account: self.service_account.unwrap_or_else(|| "shop/app".parse().unwrap()),
            role: self.role.unwrap_or_else(|| role.parse().unwrap()),
            caller,
            duration_seconds: None,
            has_tags: self.tags.unwrap_or(has_tags),
            partition: self.agent_partition.map(|it| Partition::of_name(&it).unwrap()),
        }
    }
}

fn now() -> Timestamp {
    "2026-01-31T12:00:00Z".parse().unwrap()
}

fn findings(policy: &str, question: &TrustQuestion) -> Vec<Finding> {
    let fix = FixCommands::offline("policy.json");
    judge(policy, PolicySource::File("trust.json"), question, &fix, now())
}

/// Whether the sandbox's STS would pass the trust policy.
fn is_allowed(policy: &str, question: &TrustQuestion) -> bool {
    let policy = Policy::read(policy).unwrap();
    let (subject, tags) = (question.service_account.subject(), question.tags());
    let call = question.call(&subject, &tags).unwrap();
    let answers = ask(&policy, &call, now()).unwrap();
    answers.iter().all(|it| matches!(it.verdict, Verdict::Allowed { .. }))
}

fn check(fixture: Fixture) {
    let name = fixture.name;
    let question = fixture.question.question();
    let found = findings(&fixture.policy, &question);
    let codes: Vec<String> =
        found.iter().map(|it| it.code.map(|code| code.to_string()).unwrap_or_default()).collect();
    assert_eq!(codes, fixture.codes, "{name}: {found:#?}");
    let text = anstream::adapter::strip_str(&verdict(&found[0])).to_string();
    assert_eq!(text.lines().next(), Some(fixture.line.as_str()), "{name}");
    let is_right = |wanted: Option<String>, held: &Option<String>| {
        assert!(wanted.is_none() || wanted == *held, "{name}: {held:?}");
    };
    is_right(fixture.is, &found[0].is);
    is_right(fixture.should_be, &found[0].should_be);
    let is_settled = !fixture.line.starts_with("unknown") && fixture.is_fixed_by_into;
    if is_settled {
        assert_eq!(is_allowed(&fixture.policy, &question), fixture.is_allowed, "{name}");
    }
    if !fixture.undo.is_empty() {
        let undone = fixture.undo.iter();
        let undone = undone.fold(fixture.policy.clone(), |text, (from, to)| text.replace(from, to));
        assert_ne!(undone, fixture.policy, "{name}");
        assert!(is_allowed(&undone, &question), "{name}: {undone}");
        assert_eq!(findings(&undone, &question)[0].state, State::Ok, "{name}: {undone}");
    }
    if fixture.is_fixed_by_into {
        let mut policy = serde_json::from_str(&fixture.policy).unwrap();
        document::add(&mut policy, &question.required());
        let after = policy.to_string();
        assert!(is_allowed(&after, &question), "{name}: {after}");
        assert_eq!(findings(&after, &question)[0].state, State::Ok, "{name}: {after}");
    }
}

#[test]
fn each_mistake_is_named_and_its_fix_is_accepted() {
    let mut count = 0;
    for fixtures in FIXTURES {
        let fixtures: Vec<Fixture> = serde_saphyr::from_str(fixtures).unwrap();
        count += fixtures.len();
        fixtures.into_iter().for_each(check);
    }
    assert!(count >= 40, "{count} fixtures");
}

#[test]
fn a_finding_has_the_commands_that_fix_it() {
    let fixtures: Vec<Fixture> = serde_saphyr::from_str(FIXTURES[1]).unwrap();
    let question = Asked::default().question();
    let found = findings(&fixtures[0].policy, &question);
    let text = anstream::adapter::strip_str(&verdict(&found[0])).to_string();
    let expected = "ERROR PR020: the trust policy of shop-app names ServiceAccount shop:web, not shop:app
  is         statement 1: StringEquals oidc.example.com:sub = \"system:serviceaccount:shop:web\"
  should be  StringEquals oidc.example.com:sub = \"system:serviceaccount:shop:app\"
  fix        podrole trust-policy shop/app --role arn:aws:iam::111122223333:role/shop-app --issuer https://oidc.example.com --into policy.json > trust.json
  fix        aws iam update-assume-role-policy --role-name shop-app --policy-document file://trust.json
  after      no restart is needed; SDKs get credentials at their next try
";
    assert_eq!(text, expected);
    let live = FixCommands::live(question.role.as_str());
    let found = judge(&fixtures[0].policy, PolicySource::Aws, &question, &live, now());
    assert_eq!(
        found[0].fix[0],
        "podrole trust-policy shop/app --into arn:aws:iam::111122223333:role/shop-app --aws > trust.json"
    );
}

#[test]
fn the_callers_own_policies_count_if_only_its_aws_account_is_trusted() {
    let after = |caller: &str, trusted: &str| {
        let asked = Asked {
            before: Some(caller.parse().unwrap()),
            external_id: Some("id".to_owned()),
            ..Asked::default()
        };
        let policy = format!(
            r#"{{"Statement": {{"Effect": "Allow", "Principal": {{"AWS": "{trusted}"}}, "Action": "sts:AssumeRole"}}}}"#
        );
        let found = findings(&policy, &asked.question());
        assert_eq!(found[0].state, State::Ok, "{found:?}");
        found[0].after.is_some()
    };
    let (own, other) =
        ("arn:aws:iam::111122223333:role/base", "arn:aws:iam::444455556666:role/base");
    assert!(!after(own, own));
    assert!(after(own, "111122223333"));
    assert!(after(other, other));
}

#[test]
fn a_policy_of_aws_that_cannot_be_read_is_unknown() {
    let question = Asked::default().question();
    let fix = FixCommands::live("x");
    let found = judge("{}", PolicySource::Aws, &question, &fix, now());
    assert_eq!(found[0].state, State::Unknown);
}

#[test]
fn many_statements_give_one_bounded_answer() {
    let statement = r#"{"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": "a.b"}}"#;
    let policy = format!(r#"{{"Statement": [{}]}}"#, vec![statement; 5000].join(", "));
    let found = findings(&policy, &Asked::default().question());
    assert!(found.len() == 1 && format!("{found:?}").len() < 2000);
}
