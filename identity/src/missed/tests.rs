use super::*;
use crate::{
    AnnotationRules, AssociationList, Facts, GrantRules, Guardrails, InjectionDefault, Patterns,
    PermittedRoles, Sources, grant,
};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const NAMED: (&str, &str) = ("eks.amazonaws.com/role-arn", ROLE);
const TOKEN_PATH: &str = "/var/run/secrets/eks.amazonaws.com/serviceaccount/";

fn map(pairs: &[(&str, &str)]) -> Annotations {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn reader(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> PodShapeReader {
    PodShapeReader::new(&map(labels), &map(annotations), &AnnotationPrefix::default())
}

/// A pod with the containers `app`, and `proxy` that mounts something at the path of web identity's token.
fn pod() -> PodShape {
    with_containers(reader(&[], &[])).finish()
}

fn with_containers(mut pod: PodShapeReader) -> PodShapeReader {
    pod.container("app", ["PATH"], ["/data"]);
    pod.container("proxy", [], [TOKEN_PATH]);
    pod
}

struct World {
    annotations: Annotations,
    list: AssociationList,
    namespace: NamespaceFacts,
}

fn world(annotations: &[(&str, &str)]) -> World {
    let injection = Some(Injection::Enabled);
    let namespace = NamespaceFacts { injection, ..NamespaceFacts::default() };
    World { annotations: map(annotations), list: AssociationList::default(), namespace }
}

impl World {
    fn lack(&self, pod: &PodShape) -> Option<Lack> {
        let annotations = AnnotationRules::default().read(self.annotations.clone());
        let service_account = "shop/app".parse().unwrap();
        let sources = Sources {
            association: None,
            listed: self.list.find(&service_account),
            annotations: &annotations,
            role_map: None,
        };
        let facts = Facts {
            service_account: &service_account,
            labels: &Labels::new(),
            sources,
            patterns: Patterns::none(),
            guardrails: Guardrails::none(),
            namespace: &self.namespace,
            provider: None,
        };
        let granted = grant(&facts, &GrantRules::default());
        lacked_provider(pod, &annotations, &granted, &self.namespace)
    }

    fn permitting(mut self, roles: &str) -> Self {
        self.namespace.permitted = PermittedRoles::read(Some(roles));
        self
    }
}

fn free(provider: CredentialProvider) -> Option<Lack> {
    Some(Lack { provider, obstacle: None })
}

#[test]
fn a_pod_that_the_webhook_would_inject_lacks_its_provider() {
    let web_identity = free(CredentialProvider::WebIdentity);
    assert_eq!(world(&[NAMED]).lack(&pod()), web_identity);
    assert_eq!(world(&[NAMED]).permitting(ROLE).lack(&pod()), web_identity);
    let mut listed = world(&[]);
    let entry = format!(r#"{{"namespace":"shop","serviceAccount":"app","roleArn":"{ROLE}"}}"#);
    listed.list = AssociationList::read(&format!(r#"{{"identities":[{entry}]}}"#)).unwrap();
    assert_eq!(listed.lack(&pod()), free(CredentialProvider::Container));
    let denied = world(&[NAMED, ("podrole.io/credentials", "container")]).permitting("");
    assert_eq!(denied.lack(&pod()), free(CredentialProvider::Container), "injected though denied");
    let mut refused = denied;
    refused.namespace.injection = Some(Injection::Required);
    assert_eq!(refused.lack(&pod()), None, "to create it again would be refused");
    let labels =
        map(&[("podrole.io/injection", "enabled"), ("podrole.io/credentials", "container")]);
    let mut before = world(&[]);
    before.namespace = NamespaceFacts::read(labels, &map(&[]), InjectionDefault::Labelled);
    assert_eq!(before.lack(&pod()), free(CredentialProvider::Container), "before its role");
}

#[test]
fn a_pod_that_the_webhook_would_not_inject_lacks_nothing() {
    assert_eq!(world(&[]).lack(&pod()), None, "no role");
    assert_eq!(world(&[NAMED]).permitting("").lack(&pod()), None, "not permitted");
    assert_eq!(world(&[("eks.amazonaws.com/role-arn", "my-role")]).lack(&pod()), None);
    let mirror = with_containers(reader(&[], &[(MIRROR_ANNOTATION, "x")]));
    let plain = || with_containers(reader(&[], &[]));
    let (mut of_eks, mut token, mut many) = (plain(), plain(), plain());
    of_eks.container("b", ["AWS_PROFILE"], []);
    token.volume("eks-pod-identity-token", true);
    (0..MAX_CONTAINERS).for_each(|_| many.container("b", [], []));
    for (pod, why) in [
        (mirror, "static"),
        (of_eks, "own credentials"),
        (token, "has a token"),
        (many, "too many containers to keep"),
    ] {
        let pod = pod.finish();
        assert!(!pod.may_lack(), "{why}");
        assert_eq!(world(&[NAMED]).lack(&pod), None, "{why}");
    }
}

#[test]
fn a_pods_own_label_opts_it_out_but_not_of_required() {
    for (label, value) in
        [("podrole.io/injection", "disabled"), ("eks.amazonaws.com/skip-pod-identity-webhook", "")]
    {
        let pod = with_containers(reader(&[(label, value)], &[])).finish();
        let mut world = world(&[NAMED]);
        assert_eq!(world.lack(&pod), None, "{label}");
        world.namespace.injection = Some(Injection::Required);
        assert_eq!(world.lack(&pod), free(CredentialProvider::WebIdentity), "{label}");
    }
}

#[test]
fn only_the_containers_that_take_part_count() {
    let mount = Some(InTheWay::Mount);
    for (choice, obstacle) in [
        (("eks.amazonaws.com/skip-containers", "proxy"), Some(None)),
        (("eks.amazonaws.com/skip-containers", "app"), Some(mount)),
        (("eks.amazonaws.com/skip-containers", "app,proxy"), None),
        (("podrole.io/include-containers", "proxy"), Some(mount)),
        (("podrole.io/include-containers", "other"), None),
    ] {
        let chosen = with_containers(reader(&[], &[choice])).finish();
        let of = |lack: Option<Lack>| lack.map(|lack| lack.obstacle);
        assert_eq!(of(world(&[NAMED]).lack(&chosen)), obstacle, "pod: {choice:?}");
        assert_eq!(
            of(world(&[NAMED, choice]).lack(&pod())),
            obstacle,
            "ServiceAccount: {choice:?}"
        );
    }
}

#[test]
fn what_is_in_the_way_of_the_token_is_found() {
    let mut taken = with_containers(reader(&[], &[]));
    taken.volume("data", true);
    taken.volume("aws-iam-token", false);
    let taken = taken.finish();
    let lack = world(&[NAMED]).lack(&taken).unwrap();
    assert_eq!(lack.obstacle, Some(InTheWay::Volume));
    assert!(lack.advice().unwrap().ends_with("the name aws-iam-token; rename it"));
    let container = world(&[NAMED, ("podrole.io/credentials", "container")]).lack(&taken);
    assert_eq!(container, free(CredentialProvider::Container), "another provider's volume");
    assert_eq!(container.unwrap().advice(), None);
}

#[test]
fn a_pod_is_missed_after_a_minute_in_a_namespace_that_asks_for_injection() {
    let at = |second| Timestamp::from_second(second).unwrap();
    let (lack, namespace) = (free(CredentialProvider::Container), world(&[]).namespace);
    assert!(is_missed(lack, &namespace, Some(at(0)), at(60)));
    assert!(!is_missed(lack, &namespace, Some(at(0)), at(59)), "too young");
    assert!(!is_missed(lack, &namespace, None, at(600)), "of unknown age");
    assert!(!is_missed(None, &namespace, Some(at(0)), at(60)));
    assert!(!is_missed(lack, &NamespaceFacts::default(), Some(at(0)), at(60)), "no label");
    let taken = lack.map(|lack| Lack { obstacle: Some(InTheWay::Volume), ..lack });
    assert!(!is_missed(taken, &namespace, Some(at(0)), at(60)), "to create it again is no help");
}
