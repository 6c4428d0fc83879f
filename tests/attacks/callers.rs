//! Reviews that an attacker makes up: an answer names roles and Secrets of any namespace.

use std::sync::Arc;

use podrole_runtime::crypto;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair,
};
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{client, program::Program};

const SEGMENT: &str = "a-segment-that-no-pod-knows";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// What an API server shows, as PEM: a certificate and its key.
fn certificate(authority: &Authority) -> [String; 2] {
    let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    [params.signed_by(&key, authority).unwrap().pem(), key.serialize_pem()]
}

/// The status and the rest of the answer to a review that is posted to `path`.
async fn post(program: &Program, tls: Arc<ClientConfig>, path: &str) -> anyhow::Result<String> {
    let mut stream = client::connect(program.reviews, tls).await?;
    let body = client::body("shop", "new-1");
    let head = format!(
        "POST {path}?timeout=3s HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    let mut answer = Vec::new();
    // The webhook may close the connection without the last message of TLS.
    let _ = stream.read_to_end(&mut answer).await;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn only_callers_that_know_the_path_are_answered() {
    let program = Program::with(&[&format!("--path-segment={SEGMENT}")]).await.unwrap();
    let tls = || program.tls("http/1.1");
    let answer = post(&program, tls(), &format!("/{SEGMENT}/mutate")).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"patch\""), "{answer}");
    for path in ["/mutate", "/mutate/required", "/validate", "/a-segment-that-no-pod-knew/mutate"] {
        let answer = post(&program, tls(), path).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(answer.ends_with("not found\n"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_client_certificate_takes_the_paths_place() {
    crypto::install();
    let files = tempfile::tempdir().unwrap();
    let authority = authority("the API servers' CA");
    let file = files.path().join("ca.crt");
    std::fs::write(&file, authority.pem()).unwrap();
    let program = Program::with(&[&format!("--client-ca={}", file.display())]).await.unwrap();
    let tls = program.tls_of(&certificate(&authority)).unwrap();
    let answer = post(&program, tls, "/mutate").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = post(&program, program.tls("http/1.1"), "/mutate").await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    let tls = program.tls_of(&certificate(&self::authority("another CA"))).unwrap();
    let answer = post(&program, tls, "/mutate").await;
    assert!(!answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 2")), "another CA's");
}
