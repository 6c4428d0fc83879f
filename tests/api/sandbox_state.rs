//! The sandbox as a pod is killed, started again and replicated: sessions and roles stay, with the rights of the chart's Role
//! and on the real API server.

use anyhow::{Context as _, ensure};
use aws_sdk_sts::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    error::ProvideErrorMetadata as _,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use k8s_openapi::api::{
    core::v1::{ConfigMap, Secret},
    rbac::v1::{Role, RoleBinding},
};
use kube::{
    Api,
    api::{DeleteParams, PostParams},
};
use podrole_tests::{
    cluster::Cluster,
    namespace::{TestNamespace, plain_pod},
};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    daemons::{ACCOUNT, REGION},
    in_cluster::{InCluster, start},
};

const STATE: &str = "sandbox-state";
const FLAGS: [&str; 2] = ["--cluster-state", STATE];

struct Stage {
    namespace: TestNamespace<'static>,
    /// Tokens of the ServiceAccounts `app` and `stranger`.
    app: String,
    stranger: String,
}

impl Stage {
    async fn new(name: &str) -> anyhow::Result<Self> {
        let cluster = Cluster::shared().await?;
        let namespace = cluster.namespace(name, &[]).await?;
        namespace.service_account("sandbox", &[]).await?;
        let mut tokens = Vec::new();
        for account in ["app", "stranger"] {
            namespace.service_account(account, &[]).await?;
            let pod = namespace.pod(plain_pod(account, account)).await?;
            tokens.push(namespace.bound_token(&pod, "sts.amazonaws.com", 600).await?);
        }
        let (stranger, app) = (tokens.pop().context("tokens")?, tokens.pop().context("tokens")?);
        let stage = Self { namespace, app, stranger };
        let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "sandbox"}, "rules": [{"apiGroups": [""],
                "resources": ["secrets", "configmaps"], "resourceNames": [STATE],
                "verbs": ["get", "create", "patch"]}]});
        let roles = Api::<Role>::namespaced(stage.namespace.client(), stage.namespace.name());
        roles.create(&PostParams::default(), &serde_json::from_value(role)?).await?;
        stage.bind().await?;
        Ok(stage)
    }

    fn bindings(&self) -> Api<RoleBinding> {
        Api::namespaced(self.namespace.client(), self.namespace.name())
    }

    /// Gives the sandbox its rights.
    async fn bind(&self) -> anyhow::Result<()> {
        let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": "sandbox"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "sandbox"},
            "subjects": [{"kind": "ServiceAccount", "name": "sandbox",
                "namespace": self.namespace.name()}]});
        let binding = serde_json::from_value(binding)?;
        self.bindings().create(&PostParams::default(), &binding).await?;
        Ok(())
    }

    async fn sandbox(&self) -> anyhow::Result<InCluster> {
        start(self.namespace.cluster(), &self.namespace, &FLAGS).await
    }
}

fn client(sandbox: &InCluster, credentials: Option<&Credentials>) -> Client {
    let http = aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
        .build_https();
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http)
        .region(Region::new(REGION))
        .retry_config(RetryConfig::disabled())
        .endpoint_url(format!("http://{}", sandbox.plain));
    let config = match credentials {
        Some(credentials) => config.credentials_provider(credentials.clone()),
        None => config.allow_no_auth(),
    };
    Client::from_conf(config.build())
}

/// The credentials of the role that the token gets, or the error code.
async fn assume(sandbox: &InCluster, role: &str, token: &str) -> Result<Credentials, String> {
    let call = client(sandbox, None).assume_role_with_web_identity();
    let call = call.role_arn(format!("arn:aws:iam::{ACCOUNT}:role/{role}"));
    let answer = call.role_session_name("it").web_identity_token(token).send().await;
    let code = |error: &dyn std::fmt::Debug| format!("{error:?}");
    let answer =
        answer.map_err(|error| error.code().map_or_else(|| code(&error), str::to_owned))?;
    let given = answer.credentials().ok_or("no credentials")?;
    let (id, secret) = (given.access_key_id(), given.secret_access_key());
    Ok(Credentials::new(id, secret, Some(given.session_token().to_owned()), None, "test"))
}

/// Checks that the credentials are those of the role.
async fn check(sandbox: &InCluster, role: &str, credentials: &Credentials) -> anyhow::Result<()> {
    let answer = client(sandbox, Some(credentials)).get_caller_identity().send().await;
    let answer = answer.with_context(|| sandbox.process.log())?;
    let wanted = format!("arn:aws:sts::{ACCOUNT}:assumed-role/{role}/it");
    ensure!(answer.arn() == Some(wanted.as_str()), "{:?}", answer.arn());
    Ok(())
}

fn denied() -> Result<Credentials, String> {
    Err("AccessDenied".to_owned())
}

#[tokio::test]
async fn a_restart_changes_nothing_for_pods_and_gives_no_role_to_another() -> anyhow::Result<()> {
    let stage = Stage::new("restarted").await?;
    let sandbox = stage.sandbox().await?;
    let before = assume(&sandbox, "shop-app", &stage.app).await.map_err(anyhow::Error::msg)?;
    check(&sandbox, "shop-app", &before).await?;
    // Both objects are removed with the sandbox's ServiceAccount, and the key is in no other place.
    let secrets = Api::<Secret>::namespaced(stage.namespace.client(), stage.namespace.name());
    let maps = Api::<ConfigMap>::namespaced(stage.namespace.client(), stage.namespace.name());
    let (secret, map) = (secrets.get(STATE).await?, maps.get(STATE).await?);
    for owners in [&secret.metadata.owner_references, &map.metadata.owner_references] {
        let owner = owners.as_ref().and_then(|owners| owners.first()).context("no owner")?;
        ensure!((owner.kind.as_str(), owner.name.as_str()) == ("ServiceAccount", "sandbox"));
    }
    let key = secret.data.and_then(|mut data| data.remove("session-key")).context("no key")?;
    let key = String::from_utf8(key.0)?;
    ensure!(!sandbox.process.log().contains(key.trim()), "the key is in the log");
    let saved = map.data.and_then(|mut data| data.remove("roles.json")).context("no roles")?;
    ensure!(saved.contains("/app\"") && saved.contains(":role/shop-app"), "{saved}");

    drop(sandbox);
    let begun = Instant::now();
    let sandbox = stage.sandbox().await?;
    check(&sandbox, "shop-app", &before).await?;
    let back = begun.elapsed();
    ensure!(back.as_secs() < 10, "{back:?}");
    // The stranger asks first.
    let found = assume(&sandbox, "shop-app", &stage.stranger).await;
    ensure!(found.as_ref().err() == denied().as_ref().err(), "{found:?} {}", sandbox.process.log());
    let after = assume(&sandbox, "shop-app", &stage.app).await.map_err(anyhow::Error::msg)?;
    check(&sandbox, "shop-app", &after).await?;
    println!("right {back:?} after the start");
    Ok(())
}

#[tokio::test]
async fn replicas_know_each_others_sessions_and_never_give_one_role_to_two() -> anyhow::Result<()> {
    let stage = Stage::new("replicated").await?;
    // Both start at once: one of them makes the key.
    let (one, other) = tokio::join!(stage.sandbox(), stage.sandbox());
    let (one, other) = (one?, other?);
    let session = assume(&one, "shared", &stage.app).await.map_err(anyhow::Error::msg)?;
    // The other one has never heard of the role.
    check(&other, "shared", &session).await?;
    ensure!(assume(&other, "shared", &stage.stranger).await.err() == denied().err());
    let fresh = assume(&one, "fresh", &stage.app).await;
    ensure!(fresh.is_ok(), "{fresh:?}");
    ensure!(assume(&other, "fresh", &stage.stranger).await.err() == denied().err());
    for number in 0..10 {
        let role = format!("race-{number}");
        let (app, stranger) =
            tokio::join!(assume(&one, &role, &stage.app), assume(&other, &role, &stage.stranger));
        ensure!(app.is_ok() != stranger.is_ok(), "{role}: {app:?} {stranger:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_role_that_cannot_be_saved_is_not_created() -> anyhow::Result<()> {
    let stage = Stage::new("unsaved").await?;
    let sandbox = stage.sandbox().await?;
    stage.bindings().delete("sandbox", &DeleteParams::default()).await?;
    // The API server's authorizer takes a moment to know.
    let mut found = String::new();
    for number in 0..50 {
        found = match assume(&sandbox, &format!("unsaved-{number}"), &stage.app).await {
            Ok(_) => "OK".to_owned(),
            Err(code) => code,
        };
        if found == "ServiceUnavailable" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    ensure!(found == "ServiceUnavailable", "{found}");
    let log = sandbox.process.log();
    ensure!(log.contains("needs get, create and patch"), "{log}");
    stage.bind().await?;
    for _ in 0..50 {
        if assume(&sandbox, "saved", &stage.app).await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    anyhow::bail!("the role is not created: {}", sandbox.process.log())
}
