//! A sandbox's IAM for tests.

use std::time::Duration;

use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use podrole_agent::http_client::HttpClients;
use podrole_runtime::serve::{Limits, Server};
use podrole_sandbox::{Config, Sandbox};
use tokio_util::sync::CancellationToken;

use super::{IAM, Iam};
use crate::aws_api::AwsApi;

/// A sandbox with these accounts, and a client that signs with this secret.
pub(crate) async fn iam(accounts: &str, secret: &str) -> (Iam, Sandbox) {
    podrole_runtime::crypto::install();
    let server = Server::bind("127.0.0.1:0".parse().unwrap(), Limits::default()).await.unwrap();
    let url = format!("http://{}", server.address());
    let sandbox = Sandbox::new(Config::read(accounts).unwrap());
    tokio::spawn(server.run(sandbox.router(), CancellationToken::new()));
    let keys = Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None, "test");
    let provider = SharedCredentialsProvider::new(keys);
    let connector = HttpClients::default().connector();
    let pause = Duration::from_millis(1);
    let api = AwsApi::at(IAM, &url, "us-east-1", provider, connector, pause);
    (Iam::at(api, "111122223333"), sandbox)
}
