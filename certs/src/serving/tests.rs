use std::{path::Path, time::Duration};

use rustls::{
    ClientConfig, RootCertStore, ServerConnection, SupportedProtocolVersion,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{Authority, Expires, watch_files};

const NAME: &str = "podrole-webhook.podrole.svc";
const YEAR: Duration = Duration::from_secs(365 * 86_400);

fn authority() -> Authority {
    Authority::mint("podrole test CA", podrole_runtime::clock::now(), YEAR).unwrap()
}

fn issue(authority: &Authority) -> Pair {
    authority.issue(&[NAME], podrole_runtime::clock::now(), YEAR).unwrap()
}

/// Performs a handshake over TCP and returns the certificate that the client received.
async fn handshake(
    server: &Arc<ServerConfig>,
    trusted: &Authority,
    name: &str,
) -> Result<CertificateDer<'static>, std::io::Error> {
    handshake_by(server, trusted, name, rustls::ALL_VERSIONS).await
}

async fn handshake_by(
    server: &Arc<ServerConfig>,
    trusted: &Authority,
    name: &str,
    versions: &[&'static SupportedProtocolVersion],
) -> Result<CertificateDer<'static>, std::io::Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let acceptor = TlsAcceptor::from(Arc::clone(server));
    let served = tokio::spawn(async move { acceptor.accept(listener.accept().await?.0).await });
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.certificate_pem().as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let stream = TcpStream::connect(address).await?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned();
    served.await.unwrap()?;
    Ok(certificate)
}

#[tokio::test]
async fn only_a_client_that_trusts_the_ca_can_connect() {
    let ours = authority();
    let server = Serving::new(&issue(&ours)).unwrap().server_config().unwrap();
    assert!(handshake(&server, &ours, NAME).await.is_ok());
    assert!(handshake(&server, &ours, "other.podrole.svc").await.is_err());
    assert!(handshake(&server, &authority(), NAME).await.is_err());
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let ours = authority();
    let past = podrole_runtime::clock::now() - jiff::SignedDuration::from_hours(48);
    let pair = ours.issue(&[NAME], past, Duration::from_secs(3600)).unwrap();
    let server = Serving::new(&pair).unwrap().server_config().unwrap();
    assert!(handshake(&server, &ours, NAME).await.is_err());
}

#[tokio::test]
async fn the_next_handshake_uses_the_new_certificate() {
    let ours = authority();
    let serving = Serving::new(&issue(&ours)).unwrap();
    let server = serving.server_config().unwrap();
    let before = handshake(&server, &ours, NAME).await.unwrap();
    serving.replace(&issue(&ours)).unwrap();
    assert_ne!(handshake(&server, &ours, NAME).await.unwrap(), before);
}

#[tokio::test]
async fn an_invalid_pair_is_not_served() {
    let ours = authority();
    let (one, two) = (issue(&ours), issue(&ours));
    let serving = Serving::new(&one).unwrap();
    let mixed = Pair::from_pem(one.certificates_pem().into(), two.key_pem().into());
    assert!(matches!(serving.replace(&mixed), Err(PairError::Mismatch(_))));
    let empty = Pair::from_pem(String::new(), two.key_pem().into());
    assert!(matches!(serving.replace(&empty), Err(PairError::NoCertificate)));
    let keyless = Pair::from_pem(one.certificates_pem().into(), String::new());
    assert!(matches!(serving.replace(&keyless), Err(PairError::NoKey)));
    assert!(handshake(&serving.server_config().unwrap(), &ours, NAME).await.is_ok());
}

/// A ClientHello that offers at most TLS 1.(minor - 1): 3 is TLS 1.2, 2 is TLS 1.1.
fn hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![22, 3, 1, 0, 69, 1, 0, 0, 65, 3, minor];
    hello.extend([7; 32]);
    // No session, one cipher suite, no compression; extensions: ECDSA, X25519, plain points.
    hello.extend([0, 0, 2, 0xc0, 0x2b, 1, 0]);
    hello.extend([0, 22, 0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 29, 0, 11, 0, 2, 1, 0]);
    hello
}

#[tokio::test]
async fn only_tls_1_2_and_1_3_are_accepted() {
    let ours = authority();
    let server = Serving::new(&issue(&ours)).unwrap().server_config().unwrap();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        assert!(handshake_by(&server, &ours, NAME, &[version]).await.is_ok(), "{version:?}");
    }
    for (minor, accepted) in [(3, true), (2, false), (1, false)] {
        let mut connection = ServerConnection::new(Arc::clone(&server)).unwrap();
        connection.read_tls(&mut hello(minor).as_slice()).unwrap();
        assert_eq!(connection.process_new_packets().is_ok(), accepted, "3.{minor}");
    }
}

/// Writes a pair as the kubelet updates a mounted Secret: a new folder, then a swapped symlink.
fn swap_in(folder: &Path, generation: &str, pair: &Pair) {
    let data = folder.join(generation);
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("tls.crt"), pair.certificates_pem()).unwrap();
    std::fs::write(data.join("tls.key"), pair.key_pem()).unwrap();
    std::os::unix::fs::symlink(&data, folder.join("..new")).unwrap();
    std::fs::rename(folder.join("..new"), folder.join("..data")).unwrap();
}

#[tokio::test]
async fn files_are_followed_when_the_kubelet_swaps_the_symlink() {
    let (ours, folder) = (authority(), tempfile::tempdir().unwrap());
    swap_in(folder.path(), "one", &issue(&ours));
    let (certificate, key) =
        (folder.path().join("..data/tls.crt"), folder.path().join("..data/tls.key"));
    let (expires, stop) = (Expires::default(), CancellationToken::new());
    let server = watch_files(&certificate, &key, expires.clone(), stop).await.unwrap();
    let now = podrole_runtime::clock::now();
    let year = i64::try_from(YEAR.as_secs()).unwrap();
    assert!((year - 60..=year).contains(&expires.in_seconds(now)));
    let before = handshake(&server, &ours, NAME).await.unwrap();
    let broken = Pair::from_pem("half a file".into(), String::new());
    swap_in(folder.path(), "two", &broken);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(handshake(&server, &ours, NAME).await.unwrap(), before);
    let sooner = ours.issue(&[NAME], now, YEAR / 2).unwrap();
    swap_in(folder.path(), "three", &sooner);
    for _ in 0..50 {
        if handshake(&server, &ours, NAME).await.unwrap() != before {
            assert!(expires.in_seconds(now) <= year / 2);
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the new certificate was never served");
}

#[tokio::test]
async fn the_error_names_a_missing_file() {
    let missing = Path::new("/nonexistent/tls.crt");
    let (expires, stop) = (Expires::default(), CancellationToken::new());
    let error = watch_files(missing, missing, expires, stop).await.unwrap_err();
    assert!(error.to_string().starts_with("could not read /nonexistent/tls.crt"), "{error}");
}

#[test]
fn the_debug_of_a_pair_omits_the_key() {
    let shown = format!("{:?}", issue(&authority()));
    assert!(!shown.contains("KEY"), "{shown}");
}
