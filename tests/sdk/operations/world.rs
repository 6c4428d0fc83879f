//! An account with a user, and a cluster for EKS Auth.

use std::net::SocketAddr;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use podrole_runtime::{
    clock::now,
    serve::{Limits, Server},
};
use podrole_sandbox::{Config, Issuer, Sandbox};
use podrole_tests::trust;
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    client::{Variables, bare},
    stage::{ACCOUNT, APP, REGION, mint, next_role, role},
};

pub(crate) const CLUSTER: &str = "shop";
const PODS: &str = "pods.eks.amazonaws.com";
const KEY_ID: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "the secret of the tests";

/// Credentials, as a process has them in its environment.
#[derive(Clone)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    issuer: Issuer,
    address: SocketAddr,
    folder: TempDir,
    _shutdown: DropGuard,
}

impl World {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        podrole_runtime::crypto::install();
        let shutdown = CancellationToken::new();
        let server = Server::bind(SocketAddr::from(([127, 0, 0, 1], 0)), Limits::default()).await?;
        let address = server.address();
        let issuer = Issuer::generate(&format!("http://{address}/id/shop"))?;
        let sandbox = Sandbox::new(config(&issuer)?).with_issuer(issuer.clone());
        tokio::spawn(server.run(sandbox.router(), shutdown.clone()));
        let folder = tempfile::tempdir()?;
        Ok(Self { sandbox, issuer, address, folder, _shutdown: shutdown.drop_guard() })
    }

    /// The user's own.
    pub(crate) fn user() -> Keys {
        Keys { id: KEY_ID.to_owned(), secret: SECRET.to_owned(), token: None }
    }

    /// Those of a session of [`role`], which began so long ago and lasts an hour.
    pub(crate) async fn role_keys(&self, ago: SignedDuration) -> anyhow::Result<Keys> {
        let token = mint(&self.issuer, APP, "sts.amazonaws.com", now() - ago)?;
        let role = role();
        let request = format!(
            "GET /?Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=it\
             &RoleArn={role}&WebIdentityToken={token} HTTP/1.1\r\nhost: sts\r\n\
             x-podrole-fault: clockSkew=-{}s\r\nconnection: close\r\n\r\n",
            ago.as_secs()
        );
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let field = |name: &str| {
            let (_, rest) = answer.split_once(&format!("<{name}>"))?;
            Some(rest.split('<').next()?.to_owned())
        };
        let keys = field("AccessKeyId").zip(field("SecretAccessKey"));
        let (id, secret) = keys.with_context(|| answer.clone())?;
        Ok(Keys { id, secret, token: field("SessionToken") })
    }

    /// A file with a pod's token for EKS Auth, or for `audience`, made at that time.
    pub(crate) fn token_file(
        &self,
        account: &str,
        audience: Option<&str>,
        at: Timestamp,
    ) -> anyhow::Result<String> {
        let token = mint(&self.issuer, account, audience.unwrap_or(PODS), at)?;
        let (_, file) = tempfile::NamedTempFile::new_in(self.folder.path())?.keep()?;
        std::fs::write(&file, token)?;
        Ok(file.display().to_string())
    }

    /// The environment of a program with these credentials. A fault that passes is not waited for.
    pub(crate) fn variables(&self, keys: &Keys) -> Variables {
        let mut variables = bare(self.folder.path());
        let url = format!("http://{}", self.address);
        let token = keys.token.as_deref().map(|token| ("AWS_SESSION_TOKEN", token));
        let pairs = [
            ("AWS_REGION", REGION),
            ("AWS_DEFAULT_REGION", REGION),
            ("AWS_ENDPOINT_URL_STS", &url),
            ("AWS_ENDPOINT_URL_EKS_AUTH", &url),
            ("AWS_MAX_ATTEMPTS", "1"),
            ("AWS_ACCESS_KEY_ID", &keys.id),
            ("AWS_SECRET_ACCESS_KEY", &keys.secret),
        ];
        let pairs = pairs.into_iter().chain(token);
        variables.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        variables
    }
}

/// The user.
pub(crate) fn user() -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/node")
}

fn config(issuer: &Issuer) -> anyhow::Result<Config> {
    let arn = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    let role_of = |arn: &str, principal: serde_json::Value| {
        let action = ["sts:AssumeRole", "sts:TagSession"];
        let statement = json!([{"Effect": "Allow", "Principal": principal, "Action": action}]);
        json!({"arn": arn, "trustPolicy": {"Version": "2012-10-17", "Statement": statement}})
    };
    let web = trust::web_identity(issuer.url(), ACCOUNT, "system:serviceaccount:shop:app");
    let association = |account: &str, role: &str| json!({"namespace": "shop", "serviceAccount": account, "roleArn": arn(role)});
    let config = json!({
        "accounts": {ACCOUNT: {
            "oidcProviders": [{"url": issuer.url(), "clientIds": ["sts.amazonaws.com"]}],
            "users": {"node": {
                "arn": user(),
                "keys": [{"id": KEY_ID, "secret": SECRET}],
                "policies": {"agent": {"Statement": [
                    {
                        "Effect": "Allow",
                        "Action": "eks-auth:AssumeRoleForPodIdentity",
                        "Resource": "*",
                    },
                    // No policy can deny GetCallerIdentity.
                    {"Effect": "Deny", "Action": "sts:GetCallerIdentity", "Resource": "*"},
                ]}},
            }},
            "roles": {
                "shop-app": {"arn": role(), "trustPolicy": web},
                "shop-deploy": role_of(&next_role(), json!({"AWS": user()})),
                "pod": role_of(&arn("pod"), json!({"Service": PODS})),
                "ec2": role_of(&arn("ec2"), json!({"Service": "ec2.amazonaws.com"})),
            },
        }},
        "clusters": [{
            "name": CLUSTER,
            "arn": format!("arn:aws:eks:{REGION}:{ACCOUNT}:cluster/{CLUSTER}"),
            "issuer": issuer.url(),
            "associations": [association("app", "pod"), association("unwilling", "ec2")],
        }],
    });
    // JSON is YAML.
    Ok(Config::read(&config.to_string())?)
}
