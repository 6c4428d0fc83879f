//! Webhook and agent, side by side on the real API server, give one verdict for a ServiceAccount.

use std::{path::PathBuf, time::Duration};

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, api::DeleteParams};
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    wait,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    admission::{register, variables},
    daemons::{self, ACCOUNT, Daemon, REGION, WebhookDaemon, role},
    http,
};

const NODE: &str = "decisions";
const URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const CHINA: &str = "arn:aws-cn:iam::111122223333:role/app";
/// Two looks at the list file, and some time for a busy machine.
const SEEN: Duration = Duration::from_secs(10);

/// Both daemons with the same rules, a namespace of each kind, and the list file that both follow.
struct Halves {
    enabled: TestNamespace<'static>,
    required: TestNamespace<'static>,
    webhook: WebhookDaemon,
    agent: Daemon,
    audience: &'static str,
    list: PathBuf,
    _sandbox: Daemon,
    _folder: tempfile::TempDir,
}

impl Halves {
    async fn start(exchange: &str, audience: &'static str) -> anyhow::Result<Self> {
        let cluster = Cluster::shared().await?;
        super::credentials::make_node(cluster, NODE).await?;
        let enabled = cluster.namespace("decided", &[("podrole.io/injection", "enabled")]).await?;
        let required =
            cluster.namespace("decided", &[("podrole.io/injection", "required")]).await?;
        let subject = format!("system:serviceaccount:{}:app", enabled.name());
        let sandbox = daemons::sandbox(cluster, &subject).await?;
        let folder = tempfile::tempdir()?;
        let list = folder.path().join("associations.json");
        std::fs::write(&list, r#"{"identities":[]}"#)?;
        let rules = [
            format!("--exchange={exchange}"),
            format!("--region={REGION}"),
            format!("--associations={}", list.display()),
            "--cluster-name=shop".to_owned(),
            format!("--cluster-arn=arn:aws:eks:{REGION}:{ACCOUNT}:cluster/shop"),
            "--compose-role-arn".to_owned(),
            format!("--aws-account-id={ACCOUNT}"),
        ];
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let webhook = daemons::webhook(cluster, &rules).await?;
        // The agent's starter gives the region itself.
        let rules: Vec<&str> =
            rules.into_iter().filter(|flag| !flag.starts_with("--region")).collect();
        let keys = [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "x")];
        let agent = daemons::agent_with(cluster, &sandbox, NODE, &rules, &keys).await?;
        for namespace in [&enabled, &required] {
            register(namespace, &webhook).await?;
        }
        let (_sandbox, _folder) = (sandbox, folder);
        Ok(Self { enabled, required, webhook, agent, audience, list, _sandbox, _folder })
    }

    /// Writes the entry of one ServiceAccount of both namespaces, and waits until it is seen.
    async fn associate(&self, service_account: &str, fields: &Value) -> anyhow::Result<()> {
        let entry = |namespace: &TestNamespace<'_>| {
            let mut entry =
                json!({"namespace": namespace.name(), "serviceAccount": service_account});
            entry.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
            entry
        };
        let list = json!({"identities": [entry(&self.enabled), entry(&self.required)]});
        let new = self.list.with_extension("new");
        std::fs::write(&new, list.to_string())?;
        std::fs::rename(&new, &self.list)?;
        sleep(Duration::from_secs(5)).await;
        Ok(())
    }

    /// A stored pod of the enabled namespace: whether it was injected, and what the agent answers
    /// to its token.
    async fn ask(
        &self,
        service_account: &str,
        annotations: &[(&str, &str)],
    ) -> anyhow::Result<(bool, u16, Value)> {
        // It may be there from before.
        let _ = self.enabled.service_account(service_account, annotations).await;
        let _ = self.required.service_account(service_account, annotations).await;
        let mut pod = plain_pod(&format!("{service_account}-{}", counter()), service_account);
        pod["spec"]["nodeName"] = json!(NODE);
        let pod = self.enabled.pod(pod).await?;
        let injected = variables(&pod).iter().any(|(name, _)| name == URI);
        let token = self.enabled.bound_token(&pod, self.audience, 3600).await?;
        let (status, body) = http::credentials(self.agent.address, &token).await?;
        Ok((injected, status, body))
    }

    async fn require(&self, service_account: &str) -> Result<bool, String> {
        let pod = self.required.dry_run(plain_pod("dry-run", service_account)).await;
        let pod = pod.map_err(|error| error.to_string())?;
        Ok(variables(&pod).iter().any(|(name, _)| name == URI))
    }

    /// One denial: injected with a warning, refused where required, and the agent's sentence.
    async fn denied(
        &self,
        service_account: &str,
        annotations: &[(&str, &str)],
        (name, status, code): (&str, u16, &str),
    ) {
        let (injected, answered, body) = self.ask(service_account, annotations).await.unwrap();
        assert!(injected, "{name}: {}", self.webhook.daemon.log());
        assert_eq!((answered, &body["code"]), (status, &json!(code)), "{body}");
        let log = self.webhook.daemon.log();
        assert!(log.contains(&format!("\"denial\":\"{name}\"")), "{log}");
        let refused = self.require(service_account).await.unwrap_err();
        let sentence = body["message"].as_str().unwrap();
        let sentence = sentence.replace(self.enabled.name(), self.required.name());
        assert!(refused.contains(&sentence), "{refused} and {sentence}");
    }
}

fn counter() -> u32 {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

fn annotated(role: &str) -> [(&str, &str); 2] {
    [("eks.amazonaws.com/role-arn", role), ("podrole.io/credentials", "container")]
}

#[tokio::test]
async fn an_annotated_role_without_an_association_is_denied_by_both() {
    let halves = Halves::start("assume-role", "pods.eks.amazonaws.com").await.unwrap();
    let denial = ("NoAssociation", 404, "NoRole");
    halves.denied("alone", &annotated(&role()), denial).await;
}

#[tokio::test]
async fn policies_and_partitions_are_denied_and_bare_roles_composed_by_both() {
    let halves = Halves::start("web-identity", "sts.amazonaws.com").await.unwrap();
    let policy = json!({"roleArn": role(), "policy": "{}"});
    halves.associate("policied", &policy).await.unwrap();
    let denial = ("PolicyNotEnforceable", 400, "PolicyNotEnforceable");
    halves.denied("policied", &[], denial).await;
    halves.denied("china", &annotated(CHINA), ("WrongPartition", 400, "InvalidRole")).await;

    let (injected, status, body) = halves.ask("app", &annotated("shop-app")).await.unwrap();
    assert!(injected && status == 200, "{status} {body}");
    assert_eq!(halves.require("app").await, Ok(true));

    // A list that vanishes changes nothing but a gauge and the log. The ServiceAccount loses its
    // annotation first, so that only the list names its role.
    for namespace in [&halves.enabled, &halves.required] {
        let api = Api::<ServiceAccount>::namespaced(namespace.client(), namespace.name());
        api.delete("app", &DeleteParams::default()).await.unwrap();
    }
    halves.associate("app", &json!({"roleArn": role()})).await.unwrap();
    let (injected, status, body) = halves.ask("app", &[]).await.unwrap();
    assert!(injected && status == 200, "{status} {body}");
    std::fs::remove_file(&halves.list).unwrap();
    for (admin, daemon) in
        [(halves.webhook.admin, "webhook"), (halves.agent.admin().unwrap(), "agent")]
    {
        let line = format!("podrole_{daemon}_source_errors{{source=\"list_file\"}} 1");
        let counted = async || Ok(http::get(admin, "/metrics", None).await?.1.contains(&line));
        wait::until(&line, SEEN, counted).await.unwrap();
        assert_eq!(http::get(admin, "/readyz", None).await.unwrap().0, 200, "{daemon}");
    }
    for log in [halves.webhook.daemon.log(), halves.agent.log()] {
        assert!(log.contains("could not read the association list"), "{log}");
    }
    let (injected, status, body) = halves.ask("app", &[]).await.unwrap();
    assert!(injected && status == 200, "{status} {body}");
    assert_eq!(halves.require("app").await, Ok(true));
}
