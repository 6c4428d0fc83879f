//! A sandbox is killed and started again: what it issued and created before is still good.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
};

use aws_sdk_sts::{
    Client,
    config::{BehaviorVersion, Credentials, Region, retry::RetryConfig},
    error::ProvideErrorMetadata as _,
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

/// What tokens name. It is not where the sandbox listens: it starts again on another port.
const ISSUER: &str = "http://oidc.example/id";
const ROLE: &str = "arn:aws:iam::111122223333:role/app";

/// A sandbox that is killed when it is dropped.
struct Program {
    child: Child,
    address: String,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Starts a sandbox that makes roles, with the files in that folder.
fn start(folder: &Path, key: &str) -> Program {
    let mut child = Command::new(env!("CARGO_BIN_EXE_podrole-sandbox"))
        .args(["--auto-roles", "--account", "111122223333", "--bind", "127.0.0.1:0"])
        .args(["--issuer-url", ISSUER, "--log", "error"])
        .arg("--session-key")
        .arg(folder.join(key))
        .arg("--state")
        .arg(folder.join("state.json"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).and_then(|rest| rest.split(": ").next());
    Program { address: address.unwrap().to_owned(), child }
}

impl Program {
    fn token(&self, service_account: &str) -> String {
        let body = format!(r#"{{"namespace": "shop", "serviceAccount": "{service_account}"}}"#);
        let length = body.len();
        let request = format!(
            "POST /_podrole/tokens HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
    }

    fn client(&self, credentials: Option<Credentials>) -> Client {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build_https();
        let config = aws_sdk_sts::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(http)
            .region(Region::new("eu-west-1"))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(format!("http://{}", self.address));
        let config = match credentials {
            Some(credentials) => config.credentials_provider(credentials),
            None => config.allow_no_auth(),
        };
        Client::from_conf(config.build())
    }

    /// The credentials of the role, or the error code.
    async fn assume(&self, service_account: &str) -> Result<Credentials, String> {
        let call = self.client(None).assume_role_with_web_identity();
        let call = call.role_arn(ROLE).role_session_name("it");
        let answer = call.web_identity_token(self.token(service_account)).send().await;
        let answer = answer.map_err(|error| error.code().unwrap_or("none").to_owned())?;
        let given = answer.credentials().unwrap();
        let (id, secret) = (given.access_key_id(), given.secret_access_key());
        Ok(Credentials::new(id, secret, Some(given.session_token().to_owned()), None, "test"))
    }

    /// Who the owner of the credentials is, or the error code.
    async fn caller(&self, credentials: &Credentials) -> Result<String, String> {
        let call = self.client(Some(credentials.clone())).get_caller_identity().send().await;
        let answer = call.map_err(|error| error.code().unwrap_or("none").to_owned())?;
        Ok(answer.arn().unwrap().to_owned())
    }
}

#[tokio::test]
async fn sessions_and_roles_outlive_the_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let arn = Ok("arn:aws:sts::111122223333:assumed-role/app/it".to_owned());
    let first = start(folder.path(), "key");
    let before = first.assume("app").await.unwrap();
    assert_eq!(first.caller(&before).await, arn);
    drop(first);

    let second = start(folder.path(), "key");
    assert_eq!(second.caller(&before).await, arn, "after a restart");
    // The stranger asks first, and the role is still the other's.
    assert_eq!(second.assume("stranger").await.unwrap_err(), "AccessDenied");
    let after = second.assume("app").await.unwrap();

    // Another replica, at the same time.
    let replica = start(folder.path(), "key");
    for credentials in [&before, &after] {
        assert_eq!(replica.caller(credentials).await, arn);
    }
    let issued_there = replica.assume("app").await.unwrap();
    assert_eq!(second.caller(&issued_there).await, arn);

    // One with another key knows none of them, and parts of two sessions make no third.
    let foreign = start(folder.path(), "another-key");
    let unknown = Err("InvalidClientTokenId".to_owned());
    assert_eq!(foreign.caller(&before).await, unknown);
    let (id, token) = (after.access_key_id(), before.session_token().map(str::to_owned));
    let mixed = Credentials::new(id, after.secret_access_key(), token, None, "test");
    assert_eq!(second.caller(&mixed).await, unknown);
    let (id, token) = (after.access_key_id(), after.session_token().map(str::to_owned));
    let guessed = Credentials::new(id, before.secret_access_key(), token, None, "test");
    assert_eq!(second.caller(&guessed).await, Err("SignatureDoesNotMatch".to_owned()));
}
