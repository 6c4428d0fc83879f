//! Which source decides, and each denial.

use super::*;
use crate::{
    AnnotationPrefix, AnnotationRules, Annotations, Association, AssociationList, PermittedRoles,
    RoleComposer, RoleMap, ServiceAccountAnnotations,
};
use crate::{ClusterId, Guardrails, Labels, NamespaceFacts, Partition, Patterns};

const OWN: (&str, &str) = ("eks.amazonaws.com/role-arn", "arn:aws:iam::111122223333:role/own");
const CONTAINER: (&str, &str) = ("podrole.io/credentials", "container");
const TARGET: &str = r#","targetRoleArn":"arn:aws:iam::444455556666:role/target""#;
const GIVEN: &str = r#","roleArn":"arn:aws:iam::111122223333:role/given""#;

mod explained;
mod objects;

/// Facts that own what they refer to.
#[derive(Clone, Default)]
struct World {
    annotations: ServiceAccountAnnotations,
    association: Option<Association>,
    listed: Option<Association>,
    role_map: RoleMap,
    labels: Labels,
    patterns: Patterns,
    guardrails: Guardrails,
    namespace: NamespaceFacts,
    provider: Option<CredentialProvider>,
}

fn annotations(pairs: &[(&str, &str)]) -> Annotations {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// The entry of shop/app with these fields.
fn entry(fields: &str) -> Option<Association> {
    let text =
        format!(r#"{{"identities":[{{"namespace":"shop","serviceAccount":"app"{fields}}}]}}"#);
    let list = AssociationList::read(&text).unwrap();
    list.find(&"shop/app".parse().unwrap()).cloned()
}

impl World {
    fn annotated(pairs: &[(&str, &str)]) -> Self {
        let prefix = AnnotationPrefix::default();
        let annotations = ServiceAccountAnnotations::read(&annotations(pairs), &prefix);
        Self { annotations, ..Self::default() }
    }

    fn listed(fields: &str) -> Self {
        Self { listed: entry(fields), ..Self::default() }
    }

    fn permitting(mut self, permitted: &str) -> Self {
        self.namespace.permitted = PermittedRoles::read(Some(permitted));
        self
    }

    fn at_the_agent(mut self) -> Self {
        self.provider = Some(CredentialProvider::Container);
        self
    }

    fn mapped(mut self) -> Self {
        let text = r#"{"shop/app":{"RoleARN":"arn:aws:iam::111122223333:role/mapped"}}"#;
        self.role_map = RoleMap::read(text, None).unwrap().0;
        self
    }

    fn with_facts<T>(&self, read: impl FnOnce(&Facts<'_>) -> T) -> T {
        let service_account = "shop/app".parse().unwrap();
        let sources = Sources {
            association: self.association.as_ref().map(Ok),
            listed: self.listed.as_ref(),
            annotations: &self.annotations,
            role_map: self.role_map.find(&service_account),
        };
        read(&Facts {
            service_account: &service_account,
            labels: &self.labels,
            sources,
            patterns: &self.patterns,
            guardrails: &self.guardrails,
            namespace: &self.namespace,
            provider: self.provider,
        })
    }

    fn grant(&self, rules: &GrantRules) -> Result<Option<Grant>, Denial> {
        self.with_facts(|facts| grant(facts, rules))
    }

    fn reason(&self, rules: &GrantRules) -> &'static str {
        match self.grant(rules) {
            Ok(None) => "none",
            Ok(Some(_)) => "granted",
            Err(denial) => denial.reason.name(),
        }
    }

    /// Source, last role's name and provider.
    fn granted(&self, rules: &GrantRules) -> String {
        let Some(grant) = self.grant(rules).unwrap() else {
            return "none".to_owned();
        };
        let role = grant.role().map_or("-", |role| role.name());
        format!("{}: {role} by {}", grant.source.as_str(), grant.provider)
    }
}

fn rules(exchange: Exchange) -> GrantRules {
    let arn = "arn:aws:eks:eu-west-1:111122223333:cluster/shop-1";
    GrantRules {
        exchange,
        partition: Some(Partition::of_region("eu-west-1")),
        default_provider: CredentialProvider::WebIdentity,
        annotation_roles: false,
        session_tags: true,
        cluster: Some(ClusterId::new("shop-1", arn).unwrap()),
    }
}

fn web() -> GrantRules {
    rules(Exchange::WebIdentity)
}

fn assume() -> GrantRules {
    rules(Exchange::AssumeRole)
}

#[test]
fn the_first_source_that_names_the_service_account_decides() {
    let all = World { association: entry(TARGETLESS), ..World::listed(GIVEN) };
    let all = World { annotations: World::annotated(&[OWN]).annotations, ..all }.mapped();
    assert_eq!(all.granted(&web()), "association: object by container");
    let without = World { association: None, ..all.clone() };
    assert_eq!(without.granted(&web()), "association list: given by container");
    let without = World { listed: None, ..without };
    assert_eq!(without.granted(&web()), "annotation: own by web-identity");
    let without = World { annotations: ServiceAccountAnnotations::default(), ..without };
    assert_eq!(without.granted(&web()), "ConfigMap: mapped by web-identity");
    assert_eq!(World::default().granted(&web()), "none");
}

const TARGETLESS: &str = r#","roleArn":"arn:aws:iam::111122223333:role/object""#;

#[test]
fn a_bad_annotation_is_not_passed_over_for_a_later_source() {
    let bad = World::annotated(&[("eks.amazonaws.com/role-arn", "own")]).mapped();
    assert_eq!(bad.reason(&web()), "BadRole");
    let listed = World { listed: entry(GIVEN), ..bad };
    assert_eq!(listed.granted(&web()), "association list: given by container");
}

#[test]
fn an_entry_without_a_role_fixes_the_provider_and_the_search_goes_on() {
    let listed = World { listed: entry(""), ..World::annotated(&[OWN]) };
    assert_eq!(listed.granted(&web()), "annotation: own by container");
    assert_eq!(listed.reason(&assume()), "NoAssociation");
    // The agent does not read the ConfigMap, so it could not serve that role.
    assert_eq!(World::listed("").mapped().granted(&web()), "none");
    let eks = rules(Exchange::EksAuth);
    assert_eq!(World::listed("").granted(&eks), "association list: - by container");
}

#[test]
fn the_annotation_chooses_the_provider_before_the_default_and_a_request_before_both() {
    let container = GrantRules { default_provider: CredentialProvider::Container, ..web() };
    let (plain, chooses) = (World::annotated(&[OWN]), World::annotated(&[OWN, CONTAINER]));
    assert_eq!(plain.granted(&web()), "annotation: own by web-identity");
    assert_eq!(plain.granted(&container), "annotation: own by container");
    assert_eq!(chooses.granted(&web()), "annotation: own by container");
    assert_eq!(plain.at_the_agent().granted(&web()), "annotation: own by container");
}

#[test]
fn with_eks_auth_and_container_eks_chooses_the_role() {
    let eks = rules(Exchange::EksAuth);
    assert_eq!(World::default().at_the_agent().granted(&eks), "EKS: - by container");
    let bad = World::annotated(&[("eks.amazonaws.com/role-arn", "own"), CONTAINER]);
    assert_eq!(bad.granted(&eks), "annotation: - by container");
    assert_eq!(World::annotated(&[OWN]).granted(&eks), "annotation: own by web-identity");
    assert_eq!(World::default().granted(&eks), "none");
}

#[test]
fn the_agents_own_power_needs_an_association_or_flag_and_guard_rail_together() {
    const ALL: &str = "arn:aws:iam::111122223333:role/*";
    let allowed = GrantRules { annotation_roles: true, ..assume() };
    let annotated = World::annotated(&[OWN, CONTAINER]);
    let guarded = annotated.clone().permitting(ALL);
    assert_eq!(annotated.reason(&assume()), "NoAssociation");
    assert_eq!(guarded.reason(&assume()), "NoAssociation");
    assert_eq!(annotated.reason(&allowed), "NoAssociation");
    assert_eq!(guarded.reason(&allowed), "granted");
    assert_eq!(guarded.grant(&allowed).unwrap().unwrap().session_tags, SessionTags::Pod);
    // By web identity the role's own trust policy decides.
    assert_eq!(World::annotated(&[OWN]).reason(&assume()), "granted");
}

#[test]
fn a_policy_needs_an_exchange_that_enforces_it_no_tags_and_an_object() {
    const POLICY: &str = r#","policy":"{}""#;
    const UNTAGGED: &str = r#","disableSessionTags":true"#;
    let with = |fields: &str| World::listed(&format!("{GIVEN}{fields}"));
    assert_eq!(with(POLICY).reason(&web()), "PolicyNotEnforceable");
    assert_eq!(with(POLICY).reason(&assume()), "PolicyWithTags");
    assert_eq!(with(&format!("{POLICY}{UNTAGGED}")).reason(&assume()), "granted");
    let tagless = GrantRules { session_tags: false, ..assume() };
    assert_eq!(with(POLICY).reason(&tagless), "granted");
    for text in ["", "[]", "{}}", "7", "{'a':1}"] {
        let world = with(&format!(r#","policy":"{text}"{UNTAGGED}"#));
        assert_eq!(world.reason(&assume()), "MalformedPolicy", "{text}");
    }
}

#[test]
fn a_chain_has_an_external_id_and_at_most_59_minutes() {
    let last = |fields: &str, rules: &GrantRules| {
        let grant = World::listed(&format!("{GIVEN}{fields}")).grant(rules).unwrap().unwrap();
        let step = grant.steps.last().unwrap().clone();
        (grant.steps.len(), step.external_id, step.duration_seconds)
    };
    let eks = Some("eu-west-1/111122223333/shop-1/shop/app".to_owned());
    assert_eq!(last("", &assume()), (1, None, None));
    assert_eq!(last(r#","durationSeconds":43200"#, &assume()), (1, None, Some(43_200)));
    assert_eq!(last(TARGET, &web()), (2, eks.clone(), Some(3540)));
    let long = format!(r#"{TARGET},"durationSeconds":43200"#);
    assert_eq!(last(&long, &assume()), (2, eks.clone(), Some(3540)));
    let short = format!(r#"{TARGET},"durationSeconds":900"#);
    assert_eq!(last(&short, &assume()), (2, eks, Some(900)));
    let nowhere = GrantRules { cluster: None, ..assume() };
    let own = format!(r#"{TARGET},"externalId":"mine""#);
    assert_eq!(last(&own, &nowhere), (2, Some("mine".to_owned()), Some(3540)));
    assert_eq!(World::listed(&format!("{GIVEN}{TARGET}")).reason(&nowhere), "NoExternalID");
}

#[test]
fn an_annotated_duration_is_for_container_sessions() {
    const SIX_HOURS: (&str, &str) = ("podrole.io/session-duration", "6h");
    let seconds = |world: &World| {
        let grant = world.grant(&web()).unwrap().unwrap();
        grant.steps.last().unwrap().duration_seconds
    };
    assert_eq!(seconds(&World::annotated(&[OWN, CONTAINER, SIX_HOURS])), Some(21_600));
    assert_eq!(seconds(&World::annotated(&[OWN, CONTAINER])), None);
    assert_eq!(seconds(&World::annotated(&[OWN, SIX_HOURS])), None);
    // At the agent the provider is settled, whatever the annotations say.
    assert_eq!(seconds(&World::annotated(&[OWN, SIX_HOURS]).at_the_agent()), Some(21_600));
    let listed = |fields: &str| World {
        listed: entry(&format!("{GIVEN}{fields}")),
        ..World::annotated(&[SIX_HOURS])
    };
    assert_eq!(seconds(&listed("")), Some(21_600));
    assert_eq!(seconds(&listed(r#","durationSeconds":7200"#)), Some(7200));
    assert_eq!(seconds(&listed(TARGET)), Some(3540));
}

#[test]
fn a_policy_bounds_the_last_role_of_a_chain() {
    let fields = format!(r#"{GIVEN}{TARGET},"policy":"{{}}","disableSessionTags":true"#);
    let steps = World::listed(&fields).grant(&assume()).unwrap().unwrap().steps;
    assert_eq!((&steps[0].policy, steps[1].policy.as_deref()), (&None, Some("{}")));
}

#[test]
fn another_partition_is_refused_only_where_the_agent_calls_aws() {
    let china = ("eks.amazonaws.com/role-arn", "arn:aws-cn:iam::111122223333:role/app");
    assert_eq!(World::annotated(&[china, CONTAINER]).reason(&web()), "WrongPartition");
    assert_eq!(World::annotated(&[china]).reason(&web()), "granted");
    let there = GrantRules { partition: Some(Partition::of_region("cn-north-1")), ..web() };
    assert_eq!(World::annotated(&[china, CONTAINER]).reason(&there), "granted");
    let unknown = GrantRules { partition: None, ..web() };
    assert_eq!(World::annotated(&[china, CONTAINER]).reason(&unknown), "granted");
    let chain = format!(r#"{GIVEN},"targetRoleArn":"arn:aws-cn:iam::444455556666:role/t""#);
    assert_eq!(World::listed(&chain).reason(&assume()), "WrongPartition");
}

#[test]
fn a_guard_rail_covers_every_role_of_a_chain_and_both_providers() {
    const ROLE: &str = "arn:aws:iam::111122223333:role/*";
    const OTHER: &str = "arn:aws:iam::444455556666:role/*";
    let chain = World::listed(&format!("{GIVEN}{TARGET}"));
    for (permitted, expected) in [
        (format!("{ROLE},{OTHER}"), "granted"),
        (ROLE.to_owned(), "NotPermitted"),
        (OTHER.to_owned(), "NotPermitted"),
        (String::new(), "NotPermitted"),
        ("nonsense".to_owned(), "NotPermitted"),
    ] {
        assert_eq!(chain.clone().permitting(&permitted).reason(&web()), expected, "{permitted}");
    }
    assert_eq!(World::annotated(&[OWN]).permitting(OTHER).reason(&web()), "NotPermitted");
    assert_eq!(World::default().permitting("").mapped().reason(&web()), "NotPermitted");
    let malformed = chain.permitting("nonsense").grant(&web()).unwrap_err().to_string();
    assert!(malformed.contains("correct its annotation podrole.io/permitted-roles"), "{malformed}");
}

#[test]
fn a_bad_entry_of_the_config_map_is_a_denial() {
    let text = r#"{"shop/app":{"RoleARN":"x"}}"#;
    let role_map = RoleMap::read(text, None).unwrap().0;
    let world = World { role_map, ..World::default() };
    assert_eq!(world.reason(&web()), "BadRole");
    let denial = world.grant(&web()).unwrap_err();
    assert_eq!(denial.provider, CredentialProvider::WebIdentity);
    assert!(denial.to_string().contains("ConfigMap pod-identity-webhook"), "{denial}");
    assert!(!denial.to_string().contains("annotation"), "{denial}");
}

#[test]
fn a_bare_role_is_composed_before_it_is_judged() {
    let composer = RoleComposer::new("111122223333".parse().unwrap(), None, None);
    let reading = AnnotationRules { composer: Some(composer), ..AnnotationRules::default() };
    let bare = [("eks.amazonaws.com/role-arn", "my-role"), CONTAINER];
    let composed = World { annotations: reading.read(annotations(&bare)), ..World::default() };
    assert_eq!(composed.granted(&web()), "annotation: my-role by container");
    assert_eq!(World::annotated(&bare).reason(&web()), "BadRole");
}

#[test]
fn every_denial_has_a_sentence_with_the_fix_and_a_short_summary() {
    let long = format!("arn:aws-cn:iam::111122223333:role/{}/{}", "p".repeat(400), "r".repeat(64));
    let long = [("eks.amazonaws.com/role-arn", long.as_str()), CONTAINER];
    let untagged = format!(r#"{GIVEN},"policy":"[]","disableSessionTags":true"#);
    let nowhere = GrantRules { cluster: None, ..assume() };
    for (world, rules, fix) in [
        (World::annotated(&[OWN, CONTAINER]), assume(), "ask the cluster's administrator"),
        (World::annotated(&[("eks.amazonaws.com/role-arn", "x")]), web(), "correct its annotation"),
        (World::listed(&format!(r#"{GIVEN},"policy":"{{}}""#)), web(), "remove the policy"),
        (World::listed(&format!(r#"{GIVEN},"policy":"{{}}""#)), assume(), "set disableSessionTags"),
        (World::listed(&untagged), assume(), "correct it"),
        (World::listed(&format!("{GIVEN}{TARGET}")), nowhere, "set externalId"),
        (World::annotated(&long), web(), "name a role of the partition aws"),
        (World::annotated(&[OWN]).permitting(""), web(), "add the role to its annotation"),
        (World::annotated(&[OWN]).permitting("*"), web(), "correct its annotation"),
    ] {
        let denial = world.grant(&rules).unwrap_err();
        let sentence = denial.to_string();
        assert!(sentence.contains(fix), "{sentence}");
        assert!(denial.summary().chars().count() <= 120, "{}", denial.summary());
        assert_eq!(denial.reason.name().to_lowercase(), denial.reason.label().replace('_', ""));
    }
}
