use std::path::Path;

use serde_json::json;

use super::{
    super::{key::testing, target::s3::tests::FakeS3},
    *,
};

const ISSUER: &str = "https://oidc.example/a";
const KEEP: SignedDuration = SignedDuration::from_hours(25);

fn at(hours: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + hours * 3600).unwrap()
}

fn server(kids: &[&str]) -> Vec<ServerDocuments> {
    let keys: Vec<_> = kids.iter().map(|kid| testing::jwk(kid)).collect();
    let discovery = json!({"issuer": ISSUER, "jwks_uri": format!("{ISSUER}/openid/v1/jwks")});
    let keys = json!({ "keys": keys }).to_string();
    vec![ServerDocuments::read("a", discovery.to_string().as_bytes(), keys.as_bytes()).unwrap()]
}

async fn run(target: &Target, kids: &[&str], now: Timestamp) -> Result<Done, PublishError> {
    let rules = (TrailingSlash::Refused, KEEP);
    publish(&server(kids), target, &Place::Dir("out".into()), rules, now).await
}

const FILES: [&str; 3] = ["openid/v1/jwks", DISCOVERY, RECORDS];

#[tokio::test]
async fn a_folder_gets_three_files_and_only_what_changes_later() {
    let folder = tempfile::tempdir().unwrap();
    let target = Target::Dir(DirTarget::new(folder.path()));
    let done = run(&target, &["a"], at(0)).await.unwrap();
    assert_eq!(done.written, FILES);
    let again = run(&target, &["a"], at(50)).await.unwrap();
    assert!(again.written.is_empty());
    let messages = |done: &Done| -> Vec<String> {
        findings(done, &Place::Dir("out".into())).into_iter().map(|it| it.message).collect()
    };
    assert_eq!(messages(&done)[1], "key a: new");
    assert_eq!(messages(&again)[0], format!("out is up to date for the issuer {ISSUER}"));
    let both = run(&target, &["a", "b"], at(51)).await.unwrap();
    assert_eq!(both.written, ["openid/v1/jwks", RECORDS]);
    let gone = run(&target, &["b"], at(52)).await.unwrap();
    assert_eq!(gone.written, [RECORDS]);
    let removed = run(&target, &["b"], at(78)).await.unwrap();
    assert_eq!(removed.written, ["openid/v1/jwks", RECORDS]);
    assert_eq!(messages(&removed)[2], "key a: removed");
}

#[tokio::test]
async fn s3_gets_the_keys_before_the_document_that_names_them() {
    let s3 = FakeS3::default();
    let target = Target::S3(Box::new(s3.target().await));
    run(&target, &["a"], at(0)).await.unwrap();
    assert_eq!(s3.writes(), FILES.map(|path| format!("/bucket/a/b/{path}")));
    run(&target, &["a"], at(1)).await.unwrap();
    assert!(s3.writes().is_empty());
    // Uploaded by hand.
    let jwks = "/bucket/a/b/openid/v1/jwks";
    let body = target.read("openid/v1/jwks").await.unwrap().unwrap().body;
    s3.put(jwks, &body, "binary/octet-stream");
    run(&target, &["a"], at(1)).await.unwrap();
    assert_eq!(s3.writes(), [jwks]);
}

#[tokio::test]
async fn a_target_that_cannot_be_written_keeps_its_discovery_document() {
    let s3 = FakeS3::default();
    let target = Target::S3(Box::new(s3.target().await));
    s3.deny("PUT /bucket/a/b/openid/v1/jwks");
    let error = run(&target, &["a"], at(0)).await.err().unwrap();
    assert_eq!(error.finding().state, State::Error);
    assert!(error.to_string().contains("allow s3:PutObject"), "{error}");
    assert!(s3.writes().is_empty());
}

#[tokio::test]
async fn a_former_publication_that_cannot_be_read_is_not_overwritten() {
    let s3 = FakeS3::default();
    let target = Target::S3(Box::new(s3.target().await));
    s3.deny("GET /bucket/a/b/openid/v1/jwks");
    assert!(run(&target, &["a"], at(0)).await.is_err());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(RECORDS);
    std::fs::write(&path, "<html>").unwrap();
    let error = run(&Target::Dir(DirTarget::new(folder.path())), &["a"], at(0)).await.err();
    let error = error.unwrap().to_string();
    assert!(error.starts_with("out podrole-keys.json: ") && error.contains("remove the file"));
    assert!(s3.writes().is_empty() && !Path::new(&folder.path().join(DISCOVERY)).exists());
}

#[test]
fn keys_are_kept_for_at_least_the_life_of_a_token() {
    assert_eq!(read_keep("25h"), Ok(KEEP));
    assert_eq!(read_keep("2d").ok(), None, "a day has no fixed length");
    assert!(read_keep("1h").is_err() && read_keep("25").is_err());
}
