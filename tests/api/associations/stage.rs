//! The kinds on the shared cluster, a sandbox whose roles the agent's own user may become, and an agent that follows them.

use std::{fs, time::Duration};

use anyhow::Context as _;
use kube::{
    Api, Client,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams},
};
use podrole_identity::Kind;
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
    project, wait,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::{
    credentials::make_node,
    daemons::{self, ACCOUNT, Daemon, REGION},
    faulty_api::FaultyApi,
    http,
};

const AUDIENCE: &str = "pods.eks.amazonaws.com";
pub(super) const KEY: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
    ("AWS_SECRET_ACCESS_KEY", "secret-of-the-node"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
];
/// A change takes effect within this time.
pub(super) const PROMPT: Duration = Duration::from_secs(5);

/// Installs the CRDs of `manifests/install.yaml`, which the chart's test keeps equal to the chart.
pub(super) async fn install() -> anyhow::Result<()> {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    INSTALLED.get_or_try_init(install_once).await.copied()
}

async fn install_once() -> anyhow::Result<()> {
    install_on(&Cluster::shared().await?.client().await?).await
}

/// The same on any cluster.
pub(super) async fn install_on(client: &Client) -> anyhow::Result<()> {
    let text = fs::read_to_string(project::root().join("manifests/install.yaml"))?;
    let crds: Api<DynamicObject> = Api::all_with(client.clone(), &crd());
    for document in text.split("\n---\n").filter(|it| it.contains("kind: CustomResourceDefinition"))
    {
        let object: DynamicObject = serde_saphyr::from_str(document)?;
        let name = object.metadata.name.clone().context("a CRD has a name")?;
        let params = PatchParams::apply("test").force();
        crds.patch(&name, &params, &Patch::Apply(&object)).await?;
    }
    for kind in [Kind::Association, Kind::Pattern, Kind::Guardrail] {
        let api = podrole_runtime::objects::api(client.clone(), kind);
        let served = async || Ok(api.list(&Default::default()).await.is_ok());
        wait::until("the kind to be served", Duration::from_secs(30), served).await?;
    }
    Ok(())
}

fn crd() -> ApiResource {
    ApiResource {
        group: "apiextensions.k8s.io".to_owned(),
        version: "v1".to_owned(),
        api_version: "apiextensions.k8s.io/v1".to_owned(),
        kind: "CustomResourceDefinition".to_owned(),
        plural: "customresourcedefinitions".to_owned(),
    }
}

/// Creates or changes an object by server-side apply.
pub(super) async fn apply(
    client: &Client,
    kind: Kind,
    name: &str,
    spec: &Value,
) -> anyhow::Result<()> {
    let object = json!({"apiVersion": "podrole.io/v1alpha1", "kind": kind.as_str(),
        "metadata": {"name": name}, "spec": spec});
    let api = podrole_runtime::objects::api(client.clone(), kind);
    api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await?;
    Ok(())
}

pub(super) async fn delete(client: &Client, kind: Kind, name: &str) -> anyhow::Result<()> {
    let api = podrole_runtime::objects::api(client.clone(), kind);
    api.delete(name, &DeleteParams::default()).await?;
    Ok(())
}

pub(super) fn role(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{name}")
}

/// A namespace, and an agent with the exchange `assume-role` that reaches the API server by a proxy.
pub(super) struct Stage {
    pub(super) namespace: TestNamespace<'static>,
    pub(super) api: FaultyApi,
    pub(super) agent: Daemon,
    sandbox: Daemon,
    folder: TempDir,
}

impl Stage {
    pub(super) async fn start(name: &str) -> anyhow::Result<Self> {
        install().await?;
        let cluster = Cluster::shared().await?;
        let namespace = cluster.namespace(name, &[]).await?;
        // A node of its own: for pods of other tests its agent would look up what they need.
        make_node(cluster, namespace.name()).await?;
        let (sandbox, folder) = (sandbox().await?, tempfile::tempdir()?);
        let api = FaultyApi::before(cluster).await?;
        let agent = start_agent(&api, &folder, &sandbox, namespace.name()).await?;
        Ok(Self { namespace, api, agent, sandbox, folder })
    }

    /// Another agent of the same node, which knows nothing yet.
    pub(super) async fn cold_agent(&self) -> anyhow::Result<Daemon> {
        start_agent(&self.api, &self.folder, &self.sandbox, self.namespace.name()).await
    }

    /// Gives a ServiceAccount of the namespace a role.
    pub(super) async fn associate(
        &self,
        service_account: &str,
        role_name: &str,
        more: &Value,
    ) -> anyhow::Result<()> {
        let namespace = self.namespace.name();
        let mut spec = json!({"namespace": namespace, "serviceAccount": service_account,
            "roleARN": role(role_name)});
        if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
            spec.extend(more.clone());
        }
        let name = format!("{namespace}.{service_account}");
        apply(&self.namespace.client(), Kind::Association, &name, &spec).await
    }

    /// A pod of a ServiceAccount that exists, and its token.
    pub(super) async fn pod(&self, service_account: &str) -> anyhow::Result<String> {
        let mut pod = plain_pod(service_account, service_account);
        pod["spec"]["nodeName"] = json!(self.namespace.name());
        let pod = self.namespace.pod(pod).await?;
        self.namespace.bound_token(&pod, AUDIENCE, 3600).await
    }

    pub(super) async fn ask(&self, token: &str) -> anyhow::Result<(u16, Value)> {
        http::credentials(self.agent.address, token).await
    }

    /// Asks five times a second until the answer has this status, and for 200 is of this role.
    pub(super) async fn until(&self, token: &str, wanted: &str) -> anyhow::Result<Value> {
        let begun = tokio::time::Instant::now();
        loop {
            let (status, body) = self.ask(token).await?;
            let seen = match status {
                200 => self.role_of(&body).await?,
                status => status.to_string(),
            };
            if seen == wanted {
                return Ok(body);
            }
            anyhow::ensure!(
                begun.elapsed() < PROMPT,
                "{seen} instead of {wanted} after {:?}: {body}\n{}",
                begun.elapsed(),
                self.agent.log()
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The name of the role that STS says the credentials are of.
    async fn role_of(&self, credentials: &Value) -> anyhow::Result<String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let variables = [
            ("AWS_ACCESS_KEY_ID".to_owned(), text(&credentials["AccessKeyId"])),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), text(&credentials["SecretAccessKey"])),
            ("AWS_SESSION_TOKEN".to_owned(), text(&credentials["Token"])),
            ("AWS_REGION".to_owned(), REGION.to_owned()),
            ("AWS_ENDPOINT_URL".to_owned(), format!("http://{}", self.sandbox.address)),
        ];
        let arn = daemons::output(&project::binary("podrole")?, &["whoami"], &variables).await?;
        let name = arn.split('/').nth(1).context("no assumed role")?;
        Ok(name.to_owned())
    }

    pub(super) fn client(&self) -> Client {
        self.namespace.client()
    }
}

async fn start_agent(
    api: &FaultyApi,
    folder: &TempDir,
    sandbox: &Daemon,
    node: &str,
) -> anyhow::Result<Daemon> {
    let kubeconfig = api.kubeconfig(folder.path())?;
    let arn = format!("--cluster-arn=arn:aws:eks:{REGION}:{ACCOUNT}:cluster/shop");
    let flags =
        ["--exchange=assume-role", "--association-objects", "--cluster-name=shop", arn.as_str()];
    let agent = daemons::start_agent(&kubeconfig, sandbox, node, &flags, &KEY).await?;
    daemons::until_ready(&agent).await?;
    Ok(agent)
}

/// A sandbox in which the agent's user may become each of three roles.
pub(super) async fn sandbox() -> anyhow::Result<Daemon> {
    let user = format!("arn:aws:iam::{ACCOUNT}:user/node");
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"AWS": user}, "Action": ["sts:AssumeRole", "sts:TagSession"]}]});
    let one = |name: &str| json!({"arn": role(name), "trustPolicy": trust});
    let keys = json!([{"id": KEY[0].1, "secret": KEY[1].1}]);
    daemons::sandbox_of(&json!({"accounts": {ACCOUNT: {
        "users": {"node": {"arn": user, "keys": keys}},
        "roles": {"one": one("one"), "two": one("two"), "three": one("three")},
    }}}))
    .await
}
