//! `podrole oidc publish` to moto's S3, through the sandbox, which verifies each signature.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    process::{Command, Output},
};

use anyhow::Context as _;
use podrole_tests::project;
use serde_json::{Value, json};

use crate::stage::{ROLE, stage};

const ISSUER: &str = "https://bucket.example/cluster/a";

/// The answer of moto itself, as it came.
fn raw(url: &str, method: &str, path: &str) -> anyhow::Result<String> {
    let host = url.strip_prefix("http://").context("not http")?.trim_end_matches('/');
    let mut stream = TcpStream::connect(host)?;
    // moto looks whose key it is, and verifies nothing.
    let key = "AWS4-HMAC-SHA256 Credential=a/20261130/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=a";
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: {key}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// What an API server of this issuer answers.
async fn api_server() -> anyhow::Result<String> {
    let discovery = json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/openid/v1/jwks"),
        "response_types_supported": ["id_token"], "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"]});
    let keys = json!({"keys": [{"use": "sig", "kty": "EC", "kid": "a", "crv": "P-256", "alg": "ES256",
        "x": "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY",
        "y": "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}]});
    let router = axum::Router::new()
        .route(
            "/.well-known/openid-configuration",
            axum::routing::get(|| async move { discovery.to_string() }),
        )
        .route("/openid/v1/jwks", axum::routing::get(|| async move { keys.to_string() }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

#[test]
fn publish_writes_to_s3_with_a_pods_role_and_only_what_changed() {
    let stage = stage().unwrap();
    let api = stage.runtime().block_on(api_server()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("kubeconfig");
    let content = json!({"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": api}}], "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}]});
    fs::write(&kubeconfig, content.to_string()).unwrap();
    let bucket = raw(stage.moto_url(), "PUT", "/oidc-bucket").unwrap();
    assert!(bucket.starts_with("HTTP/1.1 200"), "{bucket}");
    let publish = |bucket: &str, format: &str| -> Output {
        let mut command = Command::new(project::binary("podrole").unwrap());
        command.env_clear();
        command
            .args(["oidc", "publish", "--to", &format!("s3://{bucket}/cluster/a")])
            .args(["--endpoint-url", stage.front(), "-o", format])
            .arg("--kubeconfig")
            .arg(&kubeconfig)
            .env("AWS_ENDPOINT_URL_STS", stage.front())
            .env("AWS_ROLE_ARN", ROLE)
            .env("AWS_WEB_IDENTITY_TOKEN_FILE", stage.token())
            .env("AWS_REGION", "us-east-1")
            .env("AWS_EC2_METADATA_DISABLED", "true");
        command.output().unwrap()
    };
    let text = |output: &Output| {
        format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    let first = publish("oidc-bucket", "text");
    assert!(first.status.success(), "{}", text(&first));
    assert!(text(&first).contains("wrote openid/v1/jwks, .well-known/openid-configuration"));
    for path in ["openid/v1/jwks", ".well-known/openid-configuration", "podrole-keys.json"] {
        let object =
            raw(stage.moto_url(), "GET", &format!("/oidc-bucket/cluster/a/{path}")).unwrap();
        let object = object.to_lowercase();
        assert!(object.contains("\r\ncontent-type: application/json\r\n"), "{path}: {object}");
        assert!(object.contains("\r\ncache-control: public, max-age=300\r\n"), "{path}: {object}");
    }
    let again = publish("oidc-bucket", "text");
    assert!(text(&again).contains("s3://oidc-bucket/cluster/a is up to date"), "{}", text(&again));
    let report = publish("oidc-bucket", "json");
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    let head = json!([report["apiVersion"], report["kind"], report["ok"], report["exitCode"]]);
    assert_eq!(head, json!(["cli.podrole.io/v1", "OidcPublishReport", true, 0]));
    assert_eq!(report["findings"][0]["state"], "ok");
    let missing = publish("no-such-bucket", "text");
    assert_eq!(missing.status.code(), Some(1), "{}", text(&missing));
    assert!(text(&missing).contains("NoSuchBucket"), "{}", text(&missing));
}
