//! `podrole oidc` on API servers whose keys change: what it publishes, what it finds, and which step it names next.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, api::PostParams};
use podrole_tests::{cluster::Cluster, namespace::plain_pod, project};
use serde_json::Value;

use crate::daemons::{role, sandbox_config, sandbox_of};

const ISSUER: &str = "https://oidc.example/a";
const AUDIENCE: &str = "sts.amazonaws.com";
const JWKS: &str = "openid/v1/jwks";
const RECORDS: &str = "podrole-keys.json";

/// The folder that the documents are published in, and the ServiceAccount whose tokens are looked at.
struct Stage {
    folder: tempfile::TempDir,
    account: String,
    subject: String,
}

/// The exit code, and the findings as text.
type Ran = (i32, String);

impl Stage {
    fn target(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// Runs `podrole oidc` on these API servers.
    fn run(&self, words: &[&str], servers: &[&Cluster]) -> anyhow::Result<Ran> {
        let mut command = Command::new(project::binary("podrole")?);
        command.arg("oidc").args(words);
        let (first, others) = servers.split_first().context("no API server")?;
        command.arg("--kubeconfig").arg(first.kubeconfig());
        for other in others {
            command.args(["--server", other.url()]);
        }
        let output = command.output()?;
        let text = [output.stdout, output.stderr].concat();
        let code = output.status.code().context("no exit code")?;
        Ok((code, String::from_utf8(text)?))
    }

    fn publish(&self, servers: &[&Cluster]) -> anyhow::Result<Ran> {
        self.run(&["publish", "--to", &self.target().display().to_string()], servers)
    }

    fn look(&self, command: &str, more: &[&str], servers: &[&Cluster]) -> anyhow::Result<Ran> {
        let target = self.target().display().to_string();
        let words = [command, "--published", &target, "--service-account", &self.account];
        self.run(&[&words, more].concat(), servers)
    }

    fn read(&self, path: &str) -> anyhow::Result<Value> {
        Ok(serde_json::from_slice(&fs::read(self.target().join(path))?)?)
    }

    fn published(&self) -> anyhow::Result<BTreeSet<String>> {
        kids(&self.read(JWKS)?)
    }

    /// Moves a time of a key's record into the past.
    fn age(&self, kid: &str, field: &str, hours: i64) -> anyhow::Result<()> {
        let mut records = self.read(RECORDS)?;
        let keys = records["keys"].as_array_mut().context("no keys")?;
        let record = keys.iter_mut().find(|it| it["kid"] == kid).context("no such key")?;
        let time: Timestamp = record[field].as_str().context("no time")?.parse()?;
        let time = time.checked_sub(SignedDuration::from_hours(hours))?;
        record[field] = time.to_string().into();
        Ok(fs::write(self.target().join(RECORDS), format!("{records:#}\n"))?)
    }

    /// The status of STS for a token, with the keys that are published.
    async fn assume(&self, token: &str) -> anyhow::Result<u16> {
        let discovery = self.read(".well-known/openid-configuration")?;
        let issuer = discovery["issuer"].as_str().context("no issuer")?;
        let config = sandbox_config(issuer, &self.read(JWKS)?, &self.subject);
        let sandbox = sandbox_of(&config).await?;
        let path = format!(
            "/?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=it&RoleArn={}&WebIdentityToken={token}",
            role()
        );
        Ok(podrole_tests::http::get(sandbox.address, &path, None).await?.0)
    }
}

fn kids(jwks: &Value) -> anyhow::Result<BTreeSet<String>> {
    let keys = jwks["keys"].as_array().context("no keys")?;
    keys.iter().map(|key| Ok(key["kid"].as_str().context("no kid")?.to_owned())).collect()
}

/// A token of the ServiceAccount app by this API server.
async fn token(cluster: &Cluster, namespace: &str) -> anyhow::Result<String> {
    let api = Api::<ServiceAccount>::namespaced(cluster.client().await?, namespace);
    let request = serde_json::json!({"spec": {"audiences": [AUDIENCE], "expirationSeconds": 3600}});
    let request = serde_json::from_value(request)?;
    let made = api.create_token_request("app", &PostParams::default(), &request).await?;
    Ok(made.status.context("no token")?.token)
}

fn check(ran: &Ran, code: i32, part: &str) {
    assert!(ran.0 == code && ran.1.contains(part), "exit code {}, not {code}:\n{}", ran.0, ran.1);
}

/// All five stages, with an API server for each set of keys. The clock is moved by the records.
#[tokio::test]
async fn a_rotation_loses_no_token_and_each_stage_is_found() {
    let first = Cluster::start(ISSUER).await.unwrap();
    let second = first.successor(ISSUER).await.unwrap();
    let (keys, new_key) = ([&first, &second], [&second]);
    let siblings = tokio::try_join!(first.sibling(&first, &keys), first.sibling(&second, &new_key));
    let (both, last) = siblings.unwrap();
    let namespace = first.namespace("oidc", &[]).await.unwrap();
    namespace.service_account("app", &[]).await.unwrap();
    let stage = Stage {
        folder: tempfile::tempdir().unwrap(),
        account: format!("{}/app", namespace.name()),
        subject: format!("system:serviceaccount:{}:app", namespace.name()),
    };
    let old = kids(&first.jwks().await.unwrap()).unwrap().pop_first().unwrap();
    let new = kids(&last.jwks().await.unwrap()).unwrap().pop_first().unwrap();
    let of_old = token(&first, namespace.name()).await.unwrap();
    let of_new = token(&second, namespace.name()).await.unwrap();
    let sets = [BTreeSet::from([old.clone()]), BTreeSet::from([old.clone(), new.clone()])];

    // Nothing is published yet.
    check(&stage.look("check", &[], &[&first]).unwrap(), 1, "ERROR PR026: nothing is published at");
    check(&stage.publish(&[&first]).unwrap(), 0, "wrote openid/v1/jwks, .well-known/openid-conf");
    assert_eq!(stage.published().unwrap(), sets[0]);
    assert_eq!(stage.assume(&of_old).await.unwrap(), 200);
    assert_eq!(stage.assume(&of_new).await.unwrap(), 400, "its key is not published");
    let before = fs::metadata(stage.target().join(RECORDS)).unwrap().modified().unwrap();
    check(&stage.publish(&[&first]).unwrap(), 0, "is up to date");
    let after = fs::metadata(stage.target().join(RECORDS)).unwrap().modified().unwrap();
    assert_eq!(before, after);
    check(&stage.look("check", &[], &[&first]).unwrap(), 0, "all 1 keys are published");
    check(&stage.look("rotate", &[], &[&first]).unwrap(), 0, "no rotation is under way");

    // 1 and 2: the new key at all API servers, then published.
    let rotate = stage.look("rotate", &["--distribution", "kubeadm"], &[&first, &both]).unwrap();
    check(&rotate, 11, &format!("stage 1 of 5: key {new} is missing at {}", first.url()));
    check(&rotate, 11, "/etc/kubernetes/manifests/kube-apiserver.yaml");
    let rotate = stage.look("rotate", &[], &[&both]).unwrap();
    check(&rotate, 11, &format!("stage 2 of 5: publish key {new}"));
    let warning = format!("warning PR025: key {new} is not published; it does not sign");
    check(&stage.look("check", &[], &[&both]).unwrap(), 0, &warning);
    let error = format!("ERROR PR025: key {new} signs tokens and is not published");
    check(&stage.look("check", &[], &[&both, &second]).unwrap(), 1, &error);
    check(&stage.publish(&[&both]).unwrap(), 0, &format!("key {new}: new"));
    assert_eq!(stage.published().unwrap(), sets[1]);
    check(&stage.look("rotate", &[], &[&both]).unwrap(), 10, "stage 2 of 5: wait until");
    for kid in [&old, &new] {
        stage.age(kid, "firstSeen", if *kid == old { 900 } else { 2 }).unwrap();
    }

    // 3: it signs, at one API server after another.
    let rotate = stage.look("rotate", &[], &[&second, &both]).unwrap();
    check(&rotate, 11, &format!("stage 3 of 5: sign with key {new} at {}", both.url()));
    // Two servers with different sets.
    check(&stage.publish(&[&first, &last]).unwrap(), 0, "is up to date");
    for token in [&of_old, &of_new] {
        assert_eq!(stage.assume(token).await.unwrap(), 200);
    }

    // 4 and 5: the last token of the old key expires, and the old key goes.
    check(&stage.look("rotate", &[], &[&second]).unwrap(), 10, "stage 4 of 5: wait until");
    let long_ago = ["--switched", "2026-01-01T00:00:00Z"];
    let rotate = stage.look("rotate", &long_ago, &[&second, &last]).unwrap();
    check(&rotate, 11, &format!("stage 5 of 5: remove key {old} at {}", second.url()));
    check(&stage.look("rotate", &[], &[&last]).unwrap(), 11, "is still published");
    check(&stage.publish(&[&last]).unwrap(), 0, &format!("key {old}: kept"));
    assert_eq!(stage.published().unwrap(), sets[1], "for 25 h more");
    assert_eq!(stage.assume(&of_old).await.unwrap(), 200);
    check(&stage.look("rotate", &[], &[&last]).unwrap(), 10, "stays published until");
    stage.age(&old, "lastSeen", 26).unwrap();
    check(&stage.publish(&[&last]).unwrap(), 0, &format!("key {old}: removed"));
    assert_eq!(stage.published().unwrap(), BTreeSet::from([new]));
    assert_eq!(stage.assume(&of_new).await.unwrap(), 200);
    assert_eq!(stage.assume(&of_old).await.unwrap(), 400);
    check(&stage.look("rotate", &[], &[&last]).unwrap(), 0, "no rotation is under way");
    check(&stage.look("check", &[], &[&last]).unwrap(), 0, "all 1 keys are published");
}

#[tokio::test]
async fn a_cluster_with_kubernetes_default_issuer_is_refused_with_the_flag_to_set() {
    let cluster = Cluster::shared().await.unwrap();
    let namespace = cluster.namespace("oidc-default", &[]).await.unwrap();
    namespace.service_account("app", &[]).await.unwrap();
    let stage = Stage {
        folder: tempfile::tempdir().unwrap(),
        account: format!("{}/app", namespace.name()),
        subject: String::new(),
    };
    let published = stage.publish(&[cluster]).unwrap();
    check(&published, 1, "set --service-account-issuer of every API server to the public URL");
    assert!(!stage.target().exists(), "nothing is written");
    let found = stage.look("check", &[], &[cluster]).unwrap();
    check(&found, 1, "ERROR PR024: IAM cannot use the API server's issuer");
    check(&stage.run(&["provider"], &[cluster]).unwrap(), 1, "a name within the cluster");

    // A pod without rights, but the right that Kubernetes gives to each ServiceAccount.
    let pod = namespace.pod(plain_pod("app", "app")).await.unwrap();
    let token = namespace.bound_token(&pod, cluster.issuer(), 600).await.unwrap();
    let kubeconfig = cluster.kubeconfig_with("oidc-pod", &token).unwrap();
    let path = kubeconfig.display().to_string();
    let mut command = Command::new(project::binary("podrole").unwrap());
    let target = stage.target().display().to_string();
    command.args(["oidc", "check", "--published", &target, "--kubeconfig", &path]);
    command.args(["--service-account", &stage.account]);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let right = format!("serviceaccounts/app --subresource=token -n {} says no", namespace.name());
    assert!(text.contains(&right), "{text}");
}
