//! The agent's own power: AssumeRole and EKS Auth with tokens of the real API server.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{NODE, http, make_node, rust_sdk};
use crate::daemons::{self, ACCOUNT, Daemon, REGION};
use k8s_openapi::api::core::v1::Pod;
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    wait,
};

const OTHER_ACCOUNT: &str = "444455556666";
const AUDIENCE: &str = "pods.eks.amazonaws.com";
const KEY: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "secret-of-the-node"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];

fn cluster_arn() -> String {
    format!("arn:aws:eks:{REGION}:{ACCOUNT}:cluster/shop")
}

fn role(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role/{name}")
}

fn allow(principal: &Value, condition: &Value) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": principal,
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": condition,
    }]})
}

fn may(actions: &[&str]) -> Value {
    json!({"it": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": actions, "Resource": "*"},
    ]}})
}

/// A sandbox in which the agent's user may become `base` for this namespace alone, and `base` may
/// go on to `target` in another account; and an EKS cluster of the same roles.
async fn sandbox(cluster: &Cluster, namespace: &str) -> anyhow::Result<Daemon> {
    let node = format!("arn:aws:iam::{ACCOUNT}:user/node");
    let tags = json!({"StringEquals": {
        "aws:RequestTag/eks-cluster-arn": cluster_arn(),
        "aws:RequestTag/kubernetes-namespace": namespace,
        "aws:RequestTag/kubernetes-service-account": "app",
    }});
    let external_id = format!("{REGION}/{ACCOUNT}/shop/{namespace}/chained");
    let ours = json!({"StringEquals": {"sts:ExternalId": external_id}});
    let base = role(ACCOUNT, "base");
    let none = json!({});
    let hop = may(&["sts:AssumeRole", "sts:TagSession"]);
    let chained = json!({"AWS": role(ACCOUNT, "chained")});
    let roles = json!({
        "base": {"arn": base, "trustPolicy": allow(&json!({"AWS": node}), &tags)},
        "chained": {
            "arn": role(ACCOUNT, "chained"),
            "trustPolicy": allow(&json!({"AWS": node}), &none),
            "policies": hop,
        },
        "eks": {
            "arn": role(ACCOUNT, "eks"),
            "trustPolicy": allow(&json!({"Service": "pods.eks.amazonaws.com"}), &none),
        },
    });
    let keys = json!([{"id": KEY[0].1, "secret": KEY[1].1}]);
    let eks = json!([{
        "namespace": namespace, "serviceAccount": "eks", "roleArn": role(ACCOUNT, "eks"),
    }]);
    daemons::sandbox_of(&json!({
        "accounts": {
            ACCOUNT: {
                "users": {"node": {"arn": node, "keys": keys, "policies": may(&["eks-auth:*"])}},
                "roles": roles,
            },
            OTHER_ACCOUNT: {"roles": {"target": {
                "arn": role(OTHER_ACCOUNT, "target"),
                "trustPolicy": allow(&chained, &ours),
            }}},
        },
        "clusters": [{
            "name": "shop",
            "arn": cluster_arn(),
            "issuer": cluster.issuer(),
            "jwks": cluster.jwks().await?,
            "associations": eks,
        }],
    }))
    .await
}

struct Stage {
    namespace: TestNamespace<'static>,
    sandbox: Daemon,
    agent: Daemon,
    folder: TempDir,
}

impl Stage {
    async fn start(exchange: &str) -> anyhow::Result<Self> {
        let cluster = Cluster::shared().await?;
        make_node(cluster, NODE).await?;
        let namespace = cluster.namespace(exchange, &[]).await?;
        let sandbox = sandbox(cluster, namespace.name()).await?;
        let folder = tempfile::tempdir()?;
        let list = folder.path().join("associations.json");
        std::fs::write(&list, r#"{"identities":[]}"#)?;
        let arn = cluster_arn();
        let eks = format!("--eks-auth-endpoint-url=http://{}", sandbox.address);
        let list = format!("--associations={}", list.display());
        let exchange = format!("--exchange={exchange}");
        let flags = [&exchange, "--cluster-name=shop", "--cluster-arn", &arn, &list, &eks];
        let agent = daemons::agent_with(cluster, &sandbox, NODE, &flags, &KEY).await?;
        Ok(Self { namespace, sandbox, agent, folder })
    }

    /// The list as the cluster's administrator writes it; the agent sees it within 2 s.
    fn associate(&self, identities: &Value) {
        let list = json!({"identities": identities}).to_string();
        let path = self.folder.path().join("associations.json");
        let beside = path.with_extension("new");
        std::fs::write(&beside, list).and_then(|()| std::fs::rename(&beside, &path)).unwrap();
    }

    async fn token(&self, account: &str) -> anyhow::Result<(Pod, String)> {
        self.namespace.service_account(account, &[]).await?;
        let mut pod = plain_pod(account, account);
        pod["spec"]["nodeName"] = json!(NODE);
        let pod = self.namespace.pod(pod).await?;
        let token = self.namespace.bound_token(&pod, AUDIENCE, 3600).await?;
        Ok((pod, token))
    }

    async fn ask(&self, token: &str) -> (u16, Value) {
        http::credentials(self.agent.address, token).await.unwrap()
    }

    /// Asks until the answer has this status, at most 5 s.
    async fn until(&self, token: &str, wanted: u16) -> Value {
        let patience = std::time::Duration::from_secs(5);
        let body = http::credentials_until(self.agent.address, token, wanted, patience).await;
        body.unwrap_or_else(|error| {
            panic!("{error:#}\n{}\n{}", self.agent.log(), self.sandbox.log())
        })
    }

    /// The ARN of the credentials, as STS returns it.
    async fn whoami(&self, credentials: &Value) -> String {
        let variable = |name: &str, value: &Value| {
            (name.to_owned(), value.as_str().unwrap_or_default().to_owned())
        };
        let variables = [
            variable("AWS_ACCESS_KEY_ID", &credentials["AccessKeyId"]),
            variable("AWS_SECRET_ACCESS_KEY", &credentials["SecretAccessKey"]),
            variable("AWS_SESSION_TOKEN", &credentials["Token"]),
            variable("AWS_REGION", &json!(REGION)),
            variable("AWS_ENDPOINT_URL", &json!(format!("http://{}", self.sandbox.address))),
        ];
        rust_sdk(&variables).await.unwrap()
    }
}

#[tokio::test]
async fn assume_role_tags_the_session_and_follows_the_list() {
    let stage = Stage::start("assume-role").await.unwrap();
    let (_, token) = stage.token("app").await.unwrap();
    let (status, body) = stage.ask(&token).await;
    assert_eq!((status, &body["code"]), (404, &json!("NoRole")), "{body}");
    let namespace = stage.namespace.name();
    let entry = |account: &str, name: &str| json!({"namespace": namespace, "serviceAccount": account, "roleArn": role(ACCOUNT, name)});
    stage.associate(&json!([entry("app", "base")]));
    let body = stage.until(&token, 200).await;
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/base/{namespace}.app");
    assert_eq!(stage.whoami(&body).await, arn);
    assert!(!stage.agent.log().contains("the session lasts 15 minutes or less"));
    let mut short = entry("app", "base");
    short["durationSeconds"] = 900.into();
    stage.associate(&json!([short]));
    let hinted = async || {
        stage.ask(&token).await;
        Ok(stage.agent.log().contains("the session lasts 15 minutes or less"))
    };
    wait::until("the hint", std::time::Duration::from_secs(5), hinted).await.unwrap();
    stage.associate(&json!([]));
    stage.until(&token, 404).await;

    // The tags are what tells this ServiceAccount from the next.
    let (_, other) = stage.token("other").await.unwrap();
    stage.associate(&json!([entry("other", "base")]));
    let body = stage.until(&other, 403).await;
    let message = body["message"].as_str().unwrap();
    let tag = "aws:RequestTag/kubernetes-service-account is other";
    assert!(message.contains(tag), "{message}");
}

#[tokio::test]
async fn a_chain_crosses_accounts_with_its_external_id() {
    let stage = Stage::start("assume-role").await.unwrap();
    let (_, token) = stage.token("chained").await.unwrap();
    let entry = |external_id: Option<&str>| {
        json!([{
            "namespace": stage.namespace.name(), "serviceAccount": "chained",
            "roleArn": role(ACCOUNT, "chained"),
            "targetRoleArn": role(OTHER_ACCOUNT, "target"), "externalId": external_id,
        }])
    };
    stage.associate(&entry(None));
    let body = stage.until(&token, 200).await;
    assert_eq!(body["AccountId"], OTHER_ACCOUNT);
    let arn = format!("arn:aws:sts::{OTHER_ACCOUNT}:assumed-role/target/");
    assert!(stage.whoami(&body).await.starts_with(&arn));
    stage.associate(&entry(Some("another")));
    let body = stage.until(&token, 403).await;
    assert!(body["message"].as_str().unwrap().contains("sts:ExternalId is another"), "{body}");
    assert!(!body.to_string().contains("ASIA"), "{body}");
}

#[tokio::test]
async fn eks_auth_chooses_the_role() {
    let stage = Stage::start("eks-auth").await.unwrap();
    let (_, token) = stage.token("eks").await.unwrap();
    let body = stage.until(&token, 200).await;
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/eks/");
    assert!(stage.whoami(&body).await.starts_with(&arn));
    let (_, other) = stage.token("other").await.unwrap();
    let (status, body) = stage.ask(&other).await;
    assert_eq!((status, &body["code"]), (404, &json!("NoRole")), "{body}");
    let audit = stage.agent.log();
    assert!(audit.contains("\"message\":\"credentials issued\""), "{audit}");
}
