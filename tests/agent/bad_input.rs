//! Hostile input over a real socket: each kind with the one answer that it must get.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::SignedDuration;
use podrole_sandbox::Issuer;
use serde_json::{Value, json};

use crate::{
    raw::{head, read, send},
    world::{World, wanted},
};

const CLOSE: &str = "connection: close\r\n";

fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A good token's claims under another header and signature.
fn resigned(good: &str, algorithm: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let mut parts = good.split('.');
    let (header, claims) = (parts.next().unwrap(), parts.next().unwrap());
    let mut header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["alg"] = json!(algorithm);
    let signed = format!("{}.{claims}", base64(header.to_string()));
    let signature = sign(signed.as_bytes());
    format!("{signed}.{}", base64(signature))
}

fn hmac_with(secret: &[u8]) -> impl FnOnce(&[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    move |signed| hmac::sign(&key, signed).as_ref().to_vec()
}

#[tokio::test]
async fn each_bad_token_gets_its_answer_and_none_gets_to_aws() {
    let world = World::start();
    let (address, _open) = world.listen(|_| ()).await;
    let (now, good) = (world.clock.now(), world.token(3600));
    let before = |seconds| now - SignedDuration::from_secs(seconds);
    let foreign = Issuer::generate("https://issuer.example/id/other").unwrap();
    let modulus = world.issuer.jwks()["keys"][0]["n"].as_str().unwrap().to_owned();
    let modulus = URL_SAFE_NO_PAD.decode(modulus).unwrap();
    let jwk = world.issuer.jwks()["keys"][0].to_string();
    let (signed, _) = good.rsplit_once('.').unwrap();
    world.run_pod("gone", "node-1");
    world.pods.remove("gone");
    let of_pod = |uid: &str| world.token_with(|it| it.pod.as_mut().unwrap().uid = uid.to_owned());
    let rows = [
        ("forged", world.issuer.impostor().unwrap().mint(&wanted(), now).unwrap(), 400),
        ("unsigned", format!("{signed}."), 400),
        ("expired", world.issuer.mint(&wanted(), before(3700)).unwrap(), 400),
        ("of tomorrow", world.issuer.mint(&wanted(), before(-90_000)).unwrap(), 400),
        (
            "for another",
            world.token_with(|it| it.audiences = vec!["vault.example".parse().unwrap()]),
            400,
        ),
        ("of another issuer", foreign.mint(&wanted(), now).unwrap(), 400),
        ("alg none", resigned(&good, "none", |_| Vec::new()), 400),
        ("alg none, signed", resigned(&good, "none", hmac_with(b"")), 400),
        ("HMAC with the modulus", resigned(&good, "HS256", hmac_with(&modulus)), 400),
        ("HMAC with the JWK", resigned(&good, "HS256", hmac_with(jwk.as_bytes())), 400),
        ("16 kB and 1", format!("{good}{}", "A".repeat(16 * 1024 + 1 - good.len())), 400),
        ("not a token", "AAAA".to_owned(), 400),
        ("of no pod", world.token_with(|it| it.pod = None), 403),
        (
            "of another node",
            world.token_with(|it| it.node.as_mut().unwrap().name = "node-2".to_owned()),
            403,
        ),
        ("of a deleted pod", of_pod("gone"), 403),
        ("of a pod that never was", of_pod("never"), 403),
    ];
    for (what, token, status) in rows {
        let answers = send(address, head(&token, CLOSE).as_bytes()).await;
        let (answered, body) = read(&answers);
        assert_eq!(answered, status, "{what}: {answers}");
        let code = body["code"].as_str().unwrap();
        let node = ["of another node", "of a deleted pod", "of a pod that never was"];
        let wanted = if node.contains(&what) { "PodNotServed" } else { "InvalidToken" };
        assert_eq!(code, wanted, "{what}: {answers}");
        assert!(!answers.contains(&token), "{what}: the token comes back");
    }
    assert_eq!((world.sts.calls(), world.sts.refused()), (0, 0));
    assert_eq!(read(&send(address, head(&good, CLOSE).as_bytes()).await).0, 200);
}

/// A token of exactly 16 kB is read: it is refused for what it is, not for its length.
#[tokio::test]
async fn a_token_of_16_kb_is_not_too_long() {
    let world = World::start();
    let (address, _open) = world.listen(|_| ()).await;
    let answers = send(address, head(&"A".repeat(16 * 1024), CLOSE).as_bytes()).await;
    assert!(read(&answers).0 == 400 && !answers.contains("16 kB"), "{answers}");
    let answers = send(address, head(&"A".repeat(16 * 1024 + 1), CLOSE).as_bytes()).await;
    assert!(read(&answers).0 == 400 && answers.contains("16 kB"), "{answers}");
}

/// What one reader takes for one request and another for two. Where HTTP's own library refuses,
/// the answer has no body; where we do, it has ours.
#[tokio::test]
async fn each_way_to_smuggle_gets_its_answer() {
    let world = World::start();
    let (address, _open) = world.listen(|_| ()).await;
    let good = world.token(3600);
    let path = "GET /v1/credentials HTTP/1.1";
    let auth = format!("authorization: {good}");
    let host = "host: 127.0.0.1";
    let rows = [
        (
            "two tokens",
            format!("{path}\r\n{host}\r\n{auth}\r\n{auth}\r\n\r\n"),
            400,
            "InvalidToken",
        ),
        (
            "two hosts",
            format!("{path}\r\n{host}\r\n{host}\r\n{auth}\r\n\r\n"),
            400,
            "InvalidRequest",
        ),
        (
            "two hosts, one foreign",
            format!("{path}\r\n{host}\r\nhost: evil.example\r\n{auth}\r\n\r\n"),
            400,
            "InvalidRequest",
        ),
        ("no host", format!("{path}\r\n{auth}\r\n\r\n"), 403, "WrongHost"),
        (
            "a foreign host in the target",
            format!("GET http://evil.example/v1/credentials HTTP/1.1\r\n{host}\r\n{auth}\r\n\r\n"),
            403,
            "WrongHost",
        ),
        // A folded line is no longer a line of HTTP.
        ("obs-fold", format!("{path}\r\n{host}\r\nx: 1\r\n {auth}\r\n\r\n"), 400, ""),
        (
            "a blank before the colon",
            format!("{path}\r\n{host}\r\nauthorization : {good}\r\n\r\n"),
            400,
            "",
        ),
        ("a bare CR", format!("{path}\r\n{host}\r\nx: a\rb\r\n{auth}\r\n\r\n"), 400, ""),
        ("a NUL", format!("{path}\r\n{host}\r\nx: a\0b\r\n{auth}\r\n\r\n"), 400, ""),
        ("a nameless header", format!("{path}\r\n{host}\r\n: x\r\n{auth}\r\n\r\n"), 400, ""),
        (
            "a target with a blank",
            format!("GET /v1/credentials x HTTP/1.1\r\n{host}\r\n\r\n"),
            400,
            "",
        ),
        (
            "two lengths",
            format!(
                "{path}\r\n{host}\r\n{auth}\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"
            ),
            400,
            "",
        ),
        (
            "a length that is none",
            format!("{path}\r\n{host}\r\ncontent-length: +1\r\n\r\na"),
            400,
            "",
        ),
        (
            "chunked before another coding",
            format!("{path}\r\n{host}\r\n{auth}\r\ntransfer-encoding: chunked, gzip\r\n\r\n"),
            400,
            "",
        ),
        (
            "chunks in HTTP/1.0",
            format!("GET /v1/credentials HTTP/1.0\r\n{host}\r\ntransfer-encoding: chunked\r\n\r\n"),
            400,
            "",
        ),
    ];
    for (what, request, status, code) in rows {
        let request = request.replacen("\r\n", &format!("\r\n{CLOSE}"), 1);
        let answers = send(address, request.as_bytes()).await;
        let (answered, body) = read(&answers);
        assert_eq!(answered, status, "{what}: {answers}");
        assert_eq!(body["code"].as_str().unwrap_or_default(), code, "{what}: {answers}");
    }
    assert_eq!(world.sts.calls(), 0);
}

/// A line may end in a bare LF, as HTTP allows: what hides behind one is a header like any other.
#[tokio::test]
async fn what_hides_behind_a_bare_lf_is_judged() {
    let world = World::start();
    let (address, _open) = world.listen(|_| ()).await;
    let good = world.token(3600);
    for (hidden, status) in
        [("host: evil.example", 400), ("authorization: other", 400), ("x-harmless: 1", 200)]
    {
        let request = head(&good, &format!("x: 1\n{hidden}\r\n{CLOSE}"));
        let answers = send(address, request.as_bytes()).await;
        assert_eq!(read(&answers).0, status, "{hidden}: {answers}");
    }
}

/// The chunks win over the length, and there is no second request on such a connection.
#[tokio::test]
async fn what_follows_a_body_of_two_lengths_is_not_answered() {
    let world = World::start();
    let (address, _open) = world.listen(|_| ()).await;
    let good = world.token(3600);
    let smuggled = head(&good, "");
    let length = format!("content-length: {}\r\n", 5 + smuggled.len());
    let chunked = "transfer-encoding: chunked\r\n";
    for both in [format!("{length}{chunked}"), format!("{chunked}{length}")] {
        let request = format!("{}0\r\n\r\n{smuggled}", head(&good, &both));
        let answers = send(address, request.as_bytes()).await;
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 1, "{answers}");
        assert!(answers.starts_with("HTTP/1.1 200 "), "{answers}");
        assert!(answers.contains("\r\nconnection: close\r\n"), "{answers}");
    }
    // One length and nothing else: what follows is the next request.
    let plain = format!("{}{}", head(&good, "content-length: 2\r\n"), "ab");
    let answers = send(address, format!("{plain}{}", head(&good, CLOSE)).as_bytes()).await;
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 2, "{answers}");
}
