use http::{HeaderMap, HeaderName};
use serde_json::{Value, json};

use super::*;
use crate::{
    config::Config,
    issuer::Issuer,
    signature::{authorization::SignaturePlacement, key::CallerKey, sigv4},
};

const CONFIG: &str = include_str!("fixture.yaml");
const CLUSTER: &str = "http://oidc.example/cluster";
const NOW: i64 = 1_777_636_800;
const NODE: (&str, &str) = ("AKIANODE000000000000", "node-secret");
const UNPRIVILEGED: (&str, &str) = ("AKIAUNPRIVILEGED0000", "unprivileged-secret");

fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

struct Fixture {
    sandbox: Sandbox,
    issuer: Issuer,
}

fn fixture() -> Fixture {
    let issuer = Issuer::generate(CLUSTER).unwrap();
    let sandbox = Sandbox::new(Config::read(CONFIG).unwrap()).with_issuer(issuer.clone());
    Fixture { sandbox, issuer }
}

fn claims(account: &str) -> Value {
    json!({
        "iss": CLUSTER,
        "sub": format!("system:serviceaccount:shop:{account}"),
        "aud": ["pods.eks.amazonaws.com"],
        "iat": NOW, "nbf": NOW, "exp": NOW + 600,
        "kubernetes.io": {
            "namespace": "shop",
            "serviceaccount": {"name": account, "uid": "sa-uid"},
            "pod": {"name": "app-7d9c8b6f5d-x2x7q", "uid": "6f1c2f0e-7f5f-4b8e-9d55-0a7d1b1c9a51"},
        },
    })
}

impl Fixture {
    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "RS256", "kid": self.issuer.kid()});
        self.issuer.sign(&header, claims).unwrap()
    }

    /// Sends a body that is signed with that key for a region.
    fn send(
        &self,
        (id, secret): (&str, &str),
        (region, cluster): (&str, &str),
        body: &str,
    ) -> JsonResponse {
        let url = format!("http://eks.test/clusters/{cluster}/assume-role-for-pod-identity");
        let key = CallerKey {
            id: id.to_owned(),
            secret: secret.to_owned(),
            token: None,
            expiration: None,
            arn: String::new(),
        };
        let request = ("POST", &*url, body.as_bytes());
        let scope = (now(), region, "eks-auth");
        let signed = sigv4::sign_as_client(key, request, scope, SignaturePlacement::Headers);
        let signed = signed.into_iter().chain([("host".to_owned(), "eks.test".to_owned())]);
        let headers: HeaderMap = signed
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
            .collect();
        let uri = url.parse().unwrap();
        let call = Call { method: "POST", uri: &uri, headers: &headers, body: body.as_bytes() };
        self.sandbox.pod_identity(&call, cluster, now())
    }

    fn ask_with(&self, claims: &Value) -> JsonResponse {
        let body = json!({"token": self.sign(claims), "zone": "eun1-az1"}).to_string();
        self.send(NODE, ("eu-west-1", "shop"), &body)
    }

    fn ask(&self, account: &str) -> JsonResponse {
        self.ask_with(&claims(account))
    }

    fn reason(&self) -> String {
        self.sandbox.decisions().pop().unwrap().reason
    }

    fn session(&self, answer: &JsonResponse) -> crate::sessions::Grant {
        let credentials = &answer.body["credentials"];
        let token = credentials["sessionToken"].as_str().unwrap();
        let session = self.sandbox.session_key().open(token).unwrap();
        assert_eq!(credentials["accessKeyId"], session.key_id);
        session.grant
    }
}

fn refusal(answer: &JsonResponse) -> (&'static str, u16) {
    (answer.code.unwrap_or("none"), answer.status)
}

#[test]
fn a_pod_gets_its_role() {
    let fixture = fixture();
    let answer = fixture.ask("app");
    assert_eq!((answer.status, answer.code), (200, None), "{}", fixture.reason());
    let body = &answer.body;
    assert_eq!(body["subject"], json!({"namespace": "shop", "serviceAccount": "app"}));
    assert_eq!(body["audience"], "pods.eks.amazonaws.com");
    let arn = body["podIdentityAssociation"]["associationArn"].as_str().unwrap();
    let id = body["podIdentityAssociation"]["associationId"].as_str().unwrap();
    let start = "arn:aws:eks:eu-west-1:111122223333:podidentityassociation/shop/a-";
    assert!(arn.starts_with(start) && arn.ends_with(id), "{arn} {id}");
    let user = body["assumedRoleUser"]["arn"].as_str().unwrap();
    let role = "arn:aws:sts::111122223333:assumed-role/app/eks-shop-app-7d9c8b6f5d-x2x7q-";
    assert!(user.starts_with(&role[..role.len() - 5]), "{user}");
    let name = user.rsplit('/').next().unwrap();
    assert!(name.len() <= 64 && name.parse::<podrole_identity::SessionName>().is_ok(), "{name}");
    assert!(body["assumedRoleUser"]["assumeRoleId"].as_str().unwrap().ends_with(name));
    assert_eq!(body["credentials"]["expiration"], NOW + 6 * 3600);
    let session = fixture.session(&answer);
    let tags: Vec<_> = session.attributes.tags.iter().collect();
    let wanted = [
        ("eks-cluster-arn", "arn:aws:eks:eu-west-1:111122223333:cluster/shop"),
        ("eks-cluster-name", "shop"),
        ("kubernetes-namespace", "shop"),
        ("kubernetes-pod-name", "app-7d9c8b6f5d-x2x7q"),
        ("kubernetes-pod-uid", "6f1c2f0e-7f5f-4b8e-9d55-0a7d1b1c9a51"),
        ("kubernetes-service-account", "app"),
    ];
    assert_eq!(tags, wanted);
    assert_eq!(session.attributes.transitive.len(), 6);
    assert_ne!(fixture.ask("app").body["assumedRoleUser"]["arn"], user, "another session");
}

#[test]
fn an_association_can_disable_tags_and_set_a_policy() {
    let fixture = fixture();
    let session = fixture.session(&fixture.ask("plain"));
    assert!(session.attributes.tags.is_empty() && session.attributes.policy.is_some());
    assert_eq!(refusal(&fixture.ask("tagged")), ("AccessDeniedException", 400));
    assert!(fixture.reason().contains("sts:TagSession"), "{}", fixture.reason());
}

#[test]
fn a_target_role_is_assumed_from_the_associations_role() {
    let fixture = fixture();
    let answer = fixture.ask("far");
    let session = fixture.session(&answer);
    assert!(session.identity.arn.starts_with("arn:aws:sts::444455556666:assumed-role/target/eks-"));
    assert_eq!(answer.body["credentials"]["expiration"], NOW + 59 * 60);
    assert_eq!(session.attributes.tags.len(), 6, "the tags went along");
    // The target must allow sts:TagSession if there are tags.
    assert_eq!(refusal(&fixture.ask("far-tagged")), ("AccessDeniedException", 400));
    assert!(fixture.reason().contains("sts:TagSession"), "{}", fixture.reason());
    let session = fixture.session(&fixture.ask("far-plain"));
    assert!(session.attributes.tags.is_empty() && session.attributes.policy.is_some());
}

#[test]
fn each_error_has_the_service_models_code() {
    let fixture = fixture();
    let gone = "Unauthorized Exception! EKS does not have permissions";
    for (account, code, status, message, reason) in [
        ("none", "ResourceNotFoundException", 404, "No pod identity association", "shop/none"),
        ("stray", "AccessDeniedException", 400, gone, "kubernetes-service-account requires"),
        ("ec2", "AccessDeniedException", 400, gone, "its Principal does not name Service pods.eks"),
        ("gone", "AccessDeniedException", 400, gone, "there is no role"),
    ] {
        let answer = fixture.ask(account);
        assert_eq!(refusal(&answer), (code, status), "{account}");
        assert!(answer.body["message"].as_str().unwrap().starts_with(message), "{}", answer.body);
        assert!(fixture.reason().contains(reason), "{}", fixture.reason());
    }
}

#[test]
fn a_token_must_be_bound_to_a_pod_of_this_cluster() {
    let fixture = fixture();
    let invalid = ("InvalidTokenException", 400);
    let with = |key: &str, value: Value| {
        let mut claims = claims("app");
        claims[key] = value;
        claims
    };
    let in_kubernetes = |key: &str, value: Value| {
        let mut claims = claims("app");
        claims["kubernetes.io"][key] = value;
        claims
    };
    for (name, claims, wanted) in [
        ("another issuer", with("iss", json!("http://oidc.example/other")), invalid),
        ("another audience", with("aud", json!("sts.amazonaws.com")), invalid),
        ("two audiences", with("aud", json!(["x", "pods.eks.amazonaws.com"])), ("none", 200)),
        ("expired", with("exp", json!(NOW)), ("ExpiredTokenException", 400)),
        ("not yet", with("nbf", json!(NOW + 1)), invalid),
        ("no pod", in_kubernetes("pod", Value::Null), invalid),
        ("a pod without UID", in_kubernetes("pod", json!({"name": "a", "uid": ""})), invalid),
        ("no claim of Kubernetes", with("kubernetes.io", Value::Null), invalid),
        ("another namespace", in_kubernetes("namespace", json!("other")), invalid),
        ("another subject", with("sub", json!("system:serviceaccount:shop:other")), invalid),
    ] {
        assert_eq!(refusal(&fixture.ask_with(&claims)), wanted, "{name}: {}", fixture.reason());
    }
    let forged = fixture.issuer.impostor().unwrap();
    let header = json!({"alg": "RS256", "kid": fixture.issuer.kid()});
    let token = forged.sign(&header, &claims("app")).unwrap();
    let body = json!({"token": token}).to_string();
    let answer = fixture.send(NODE, ("eu-west-1", "shop"), &body);
    assert_eq!(refusal(&answer), invalid, "forged");
}

#[test]
fn the_caller_needs_permission_and_the_cluster_must_exist() {
    let fixture = fixture();
    let good = json!({"token": fixture.sign(&claims("app"))}).to_string();
    let (here, shop) = ("eu-west-1", "shop");
    let denied = ("AccessDeniedException", 400);
    let parameter = ("InvalidParameterException", 400);
    let unreadable = ("InvalidRequestException", 400);
    for (name, who, region, cluster, body, wanted) in [
        ("good", NODE, here, shop, &*good, ("none", 200)),
        ("without a policy", UNPRIVILEGED, here, shop, &good, denied),
        ("another region", NODE, "us-east-1", shop, &good, denied),
        ("no such cluster", NODE, here, "none", &good, ("ResourceNotFoundException", 404)),
        ("no cluster's name", NODE, here, "-shop", &good, parameter),
        ("no token", NODE, here, shop, "{}", parameter),
        ("no JWT", NODE, here, shop, r#"{"token": "a.b"}"#, parameter),
        ("no JWT's letters", NODE, here, shop, r#"{"token": "a.b.c/"}"#, parameter),
        (
            "a JWT of nothing",
            NODE,
            here,
            shop,
            r#"{"token": "a.b.c"}"#,
            ("InvalidTokenException", 400),
        ),
        ("no JSON", NODE, here, shop, "token", unreadable),
        ("no object", NODE, here, shop, r#"{"token": 1}"#, unreadable),
        (
            "a stranger",
            ("AKIASTRANGER00000000", "x"),
            here,
            shop,
            &good,
            ("UnrecognizedClientException", 403),
        ),
        ("a wrong secret", (NODE.0, "x"), here, shop, &good, ("InvalidSignatureException", 403)),
    ] {
        assert_eq!(refusal(&fixture.send(who, (region, cluster), body)), wanted, "{name}");
    }
    let calls = fixture.sandbox.calls();
    assert_eq!(calls.get("AssumeRoleForPodIdentity"), Some(&13));
}
