//! Webhook and agent give one verdict: the same role, or the same sentence.
//!
//! Both are asked here as they run, the webhook by a whole AdmissionReview and the agent by the
//! facts that it looks up, without a network.

#![allow(clippy::unwrap_used, reason = "an integration test: a panic is its failure")]

mod world;

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use podrole_agent::resolve::ResolveError;
use podrole_identity::{
    AnnotationRules, ClusterId, CredentialProvider, Exchange, GrantRules, Injection, Partition,
    RoleComposer,
};
use proptest::{prelude::*, sample::select, test_runner::TestRunner};
use serde_json::{Value, json};

use world::World;

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const CHINA: &str = "arn:aws-cn:iam::111122223333:role/app";

fn world(exchange: Exchange, annotations: &[(&str, &str)], entry: Option<Value>) -> World {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    let arn = "arn:aws:eks:eu-west-1:111122223333:cluster/shop-1";
    World {
        annotations: annotations.iter().map(owned).collect(),
        entry,
        permitted: None,
        rules: GrantRules {
            exchange,
            partition: Some(Partition::of_region("eu-west-1")),
            cluster: Some(ClusterId::new("shop-1", arn).unwrap()),
            ..GrantRules::default()
        },
        annotation_rules: AnnotationRules::default(),
    }
}

const CONTAINER: (&str, &str) = ("podrole.io/credentials", "container");

fn annotated(role: &str) -> [(&str, &str); 2] {
    [("eks.amazonaws.com/role-arn", role), CONTAINER]
}

#[test]
fn what_the_two_decided_differently_before_is_decided_once() {
    use Exchange::{AssumeRole, WebIdentity};
    let policy = json!({"roleArn": ROLE, "policy": "{}"});
    for (world, status, code, name) in [
        (world(AssumeRole, &annotated(ROLE), None), 404, "NoRole", "NoAssociation"),
        (
            world(WebIdentity, &[], Some(policy)),
            400,
            "PolicyNotEnforceable",
            "PolicyNotEnforceable",
        ),
        (world(WebIdentity, &annotated(CHINA), None), 400, "InvalidRole", "WrongPartition"),
    ] {
        let error = world.agent().unwrap_err();
        assert_eq!((error.status(), error.code()), (status, code), "{error}");
        let enabled = world.webhook(Injection::Enabled);
        assert!(enabled.allowed && enabled.warnings.len() == 1, "{enabled:?}");
        assert_eq!(enabled.injected, Some(CredentialProvider::Container));
        assert_eq!(enabled.audit["denial"], name);
        let required = world.webhook(Injection::Required);
        assert!(!required.allowed && required.injected.is_none(), "{required:?}");
        assert_eq!(required.message, format!("podrole: {error}"));
    }
    let mut composed = world(WebIdentity, &annotated("my-role"), None);
    let aws_account = "111122223333".parse().unwrap();
    composed.annotation_rules.composer = Some(RoleComposer::new(aws_account, None, None));
    let steps = composed.agent().unwrap();
    assert_eq!(steps[0].role.as_str(), "arn:aws:iam::111122223333:role/my-role");
    for injection in [Injection::Enabled, Injection::Required] {
        let admission = composed.webhook(injection);
        assert_eq!(admission.injected, Some(CredentialProvider::Container));
        assert_eq!(admission.audit["role"], "arn:aws:iam::111122223333:role/my-role");
    }
}

fn entry() -> impl Strategy<Value = Option<Value>> {
    let roles = select(vec![None, Some(ROLE), Some(CHINA)]);
    let target = select(vec![None, Some(ROLE), Some(CHINA)]);
    let policy = select(vec![None, Some("{}"), Some("[]"), Some("x")]);
    let rest = (any::<bool>(), select(vec![None, Some("own")]), select(vec![None, Some(900)]));
    prop::option::of((roles, target, policy, rest).prop_map(
        |(role, target, policy, (untagged, external_id, duration))| {
            let mut entry = json!({"disableSessionTags": untagged && role.is_some()});
            let fields = entry.as_object_mut().unwrap();
            let mut set = |name: &str, value: Option<Value>| {
                fields.extend(value.map(|value| (name.to_owned(), value)));
            };
            set("roleArn", role.map(Value::from));
            set("targetRoleArn", role.and(target).map(Value::from));
            set("policy", role.and(policy).map(Value::from));
            set("externalId", role.and(external_id).map(Value::from));
            set("durationSeconds", role.and(duration).map(Value::from));
            entry
        },
    ))
}

fn worlds() -> impl Strategy<Value = World> {
    let exchanges = vec![Exchange::WebIdentity, Exchange::AssumeRole, Exchange::EksAuth];
    let role = select(vec![None, Some(ROLE), Some(CHINA), Some("my-role"), Some("")]);
    let provider = select(vec![None, Some("web-identity"), Some("container"), Some("other")]);
    let permitted = select(vec![
        None,
        Some(""),
        Some(ROLE),
        Some("arn:*:iam::111122223333:role/*"),
        Some("nonsense"),
    ]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (select(exchanges), role, provider, entry(), permitted, flags).prop_map(
        |(exchange, role, provider, entry, permitted, flags)| {
            let role = role.map(|role| ("eks.amazonaws.com/role-arn", role));
            let provider = provider.map(|value| ("podrole.io/credentials", value));
            let annotations: Vec<_> = role.into_iter().chain(provider).collect();
            let mut world = world(exchange, &annotations, entry);
            let (by_annotation, tags, cluster, composed, container) = flags;
            world.permitted = permitted.map(str::to_owned);
            world.rules.annotation_roles = by_annotation;
            world.rules.session_tags = tags;
            if container {
                world.rules.default_provider = CredentialProvider::Container;
            }
            if !cluster {
                world.rules.cluster = None;
            }
            let aws_account = "111122223333".parse().unwrap();
            let composer = RoleComposer::new(aws_account, None, None);
            world.annotation_rules.composer = composed.then_some(composer);
            world
        },
    )
}

/// What the webhook injects as `container`, the agent serves; what either denies, both deny in one
/// sentence.
fn both_halves_agree(world: &World) -> Result<(), TestCaseError> {
    let (enabled, required) =
        (world.webhook(Injection::Enabled), world.webhook(Injection::Required));
    let denial = enabled.audit.get("denial");
    prop_assert_eq!(denial, required.audit.get("denial"));
    prop_assert!(enabled.allowed);
    if denial.is_some() {
        prop_assert!(!required.allowed && required.injected.is_none());
        prop_assert!(enabled.injected != Some(CredentialProvider::WebIdentity));
        let summary = world.denial().map(|denial| format!("podrole: {}", denial.summary()));
        prop_assert_eq!(enabled.warnings.first(), summary.as_ref());
        let is_container = enabled.audit["path"] == "container";
        prop_assert_eq!(enabled.injected.is_some(), is_container);
        if is_container {
            let sentence = world.agent().unwrap_err().to_string();
            prop_assert_eq!(&required.message, &format!("podrole: {sentence}"));
        }
        return Ok(());
    }
    prop_assert!(required.allowed);
    prop_assert_eq!(enabled.injected, required.injected);
    match enabled.injected {
        Some(CredentialProvider::Container) => {
            let steps = world.agent();
            let last = steps.as_ref().map(|steps| steps.last().map(|step| step.role.to_string()));
            prop_assert_eq!(last, Ok(enabled.audit.get("role").cloned()), "injected");
            world.invariants(&steps.unwrap_or_default(), CredentialProvider::Container)?;
        }
        Some(CredentialProvider::WebIdentity) => {}
        // Nothing names the ServiceAccount: the agent knows no role either, unless EKS decides.
        None => match world.agent() {
            Ok(roles) => {
                prop_assert!(world.rules.exchange == Exchange::EksAuth && roles.is_empty());
            }
            Err(error) => prop_assert!(matches!(error, ResolveError::NoRole { .. }), "{error}"),
        },
    }
    Ok(())
}

#[test]
fn ten_thousand_worlds_have_one_verdict_in_both_halves() {
    let config = ProptestConfig { cases: 10_000, failure_persistence: None, ..Default::default() };
    let mut runner = TestRunner::new(config);
    let denied = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&denied);
    let result = runner.run(&worlds(), move |world| {
        let is_denied = world.webhook(Injection::Enabled).audit.contains_key("denial");
        counted.fetch_add(usize::from(is_denied), Relaxed);
        both_halves_agree(&world)
    });
    result.unwrap();
    // The generator must reach both verdicts, or the property would show nothing.
    let denied = denied.load(Relaxed);
    assert!((1_000..9_000).contains(&denied), "{denied} of 10,000 were denied");
}
