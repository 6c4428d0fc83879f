//! A sandbox on a real socket, with a cluster to ask it.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]
#![allow(unreachable_pub, reason = "a module of a test")]

use std::net::SocketAddr;

use aws_sdk_sts::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_http_client::tls::{Provider as Tls, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use podrole_identity::Audience;
use podrole_runtime::{
    clock,
    serve::{Limits, Server},
};
use podrole_sandbox::policy::Policy;
use podrole_sandbox::{Config, Issuer, JwkSet, PodRef, Provider, Role, Sandbox, TokenRequest};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_util::sync::CancellationToken;

pub const APP: &str = "arn:aws:iam::111122223333:role/team/app";

pub struct World {
    pub sandbox: Sandbox,
    pub issuer: Issuer,
    pub address: SocketAddr,
}

/// One account, one provider, one role that trusts the ServiceAccount shop/app.
pub async fn world(config: Config) -> World {
    let bind = "127.0.0.1:0".parse().unwrap();
    let server = Server::bind(bind, Limits::default()).await.unwrap();
    let address = server.address();
    let issuer = Issuer::generate(&format!("http://{address}/id/A")).unwrap();
    let sandbox = Sandbox::new(config).with_issuer(issuer.clone());
    let provider = Provider::new(issuer.url(), vec![Audience::sts()])
        .with_keys(JwkSet::try_from(issuer.jwks()).unwrap());
    sandbox.register_provider(&"111122223333".parse().unwrap(), provider);
    let trust = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{
            "Effect": "Allow",
            "Principal": {{"Federated": "arn:aws:iam::111122223333:oidc-provider/{address}/id/A"}},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {{"StringEquals": {{
                "{address}/id/A:sub": "system:serviceaccount:shop:app",
                "{address}/id/A:aud": "sts.amazonaws.com"
            }}}}
        }}]}}"#
    );
    let role = Role::new(APP.parse().unwrap(), Policy::read(&trust).unwrap());
    sandbox.put_role(role).unwrap();
    tokio::spawn(server.run(sandbox.router(), CancellationToken::new()));
    World { sandbox, issuer, address }
}

pub fn request(account: &str, audience: &str, expiration_seconds: u32) -> TokenRequest {
    TokenRequest {
        service_account: account.parse().unwrap(),
        service_account_uid: "sa-uid".to_owned(),
        audiences: vec![audience.parse().unwrap()],
        expiration_seconds,
        pod: Some(PodRef { name: "app-1".to_owned(), uid: "pod-uid".to_owned() }),
        node: None,
    }
}

impl World {
    pub fn client(&self, credentials: Option<Credentials>) -> Client {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Tls::Rustls(CryptoMode::AwsLc))
            .build_https();
        let mut config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new("eu-west-1"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(format!("http://{}", self.address));
        match credentials {
            Some(credentials) => config.set_credentials_provider(Some(
                aws_sdk_sts::config::SharedCredentialsProvider::new(credentials),
            )),
            None => config.set_credentials_provider(None),
        };
        Client::from_conf(config.build())
    }

    pub fn token(&self, account: &str, audience: &str, seconds: u32) -> String {
        let request = request(account, audience, seconds);
        self.issuer.mint(&request, clock::now()).unwrap()
    }

    pub fn good_token(&self) -> String {
        self.token("shop/app", "sts.amazonaws.com", 600)
    }

    pub async fn assume(
        &self,
        token: &str,
        role: &str,
        seconds: i32,
    ) -> Result<Credentials, Refusal> {
        let call = self.client(None).assume_role_with_web_identity();
        let call = call.role_arn(role).role_session_name("pod-1");
        let call = call.web_identity_token(token).duration_seconds(seconds);
        let answer = call.send().await.map_err(|fault| refusal(&fault))?;
        let given = answer.credentials.unwrap();
        Ok(Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            None,
            "test",
        ))
    }

    pub async fn caller(&self, credentials: Credentials) -> Result<String, Refusal> {
        let call = self.client(Some(credentials)).get_caller_identity();
        let answer = call.send().await.map_err(|fault| refusal(&fault))?;
        Ok(answer.arn.unwrap())
    }

    pub async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    pub async fn get(&self, path: &str) -> String {
        self.raw(&format!("GET {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await
    }
}

/// Code and status, as an SDK sees them.
pub type Refusal = (String, u16);

fn refusal<E: ProvideErrorMetadata>(fault: &SdkError<E, HttpResponse>) -> Refusal {
    let status = fault.raw_response().map_or(0, |raw| raw.status().as_u16());
    let code = fault.as_service_error().and_then(|one| one.meta().code());
    (code.unwrap_or("not read").to_owned(), status)
}

pub fn refused(code: &str, status: u16) -> Refusal {
    (code.to_owned(), status)
}
