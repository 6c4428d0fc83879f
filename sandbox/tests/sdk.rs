//! The sandbox on a real socket, called by AWS's SDK.

mod chain;
mod fixture;

use std::time::Duration;

use aws_sdk_sts::{config::Credentials, operation::RequestId as _};
use podrole_runtime::clock;
use podrole_sandbox::{Config, Issuer};

use fixture::{APP, fixture, refused, request};

#[tokio::test]
async fn a_pod_gets_its_role() {
    let fixture = fixture(Config::default()).await;
    let call = fixture.client(None).assume_role_with_web_identity();
    let call = call.role_arn(APP).role_session_name("pod-1");
    let answer = call.web_identity_token(fixture.good_token()).send().await.unwrap();
    let arn = "arn:aws:sts::111122223333:assumed-role/app/pod-1";
    let user = answer.assumed_role_user().unwrap();
    assert_eq!(user.arn(), arn);
    assert!(user.assumed_role_id().starts_with("AROA"));
    let subject = answer.subject_from_web_identity_token();
    assert_eq!(subject, Some("system:serviceaccount:shop:app"));
    assert_eq!(answer.audience(), Some("sts.amazonaws.com"));
    let provider = format!("arn:aws:iam::111122223333:oidc-provider/{}/id/A", fixture.address);
    assert_eq!(answer.provider(), Some(provider.as_str()));
    let decision = &fixture.sandbox.decisions()[0];
    assert!(decision.request_id.is_some() && decision.request_id.as_deref() == answer.request_id());
    let given = answer.credentials().unwrap();
    assert!(given.access_key_id().starts_with("ASIA"));
    assert_eq!(given.expiration().subsec_nanos(), 0);
    let life = given.expiration().secs() - clock::now().as_second();
    assert!((3590..=3600).contains(&life), "{life}");

    let (id, secret) = (given.access_key_id(), given.secret_access_key());
    let token = Some(given.session_token().to_owned());
    let credentials = Credentials::new(id, secret, token.clone(), None, "test");
    let caller = fixture.client(Some(credentials)).get_caller_identity();
    let caller = caller.send().await.unwrap();
    assert_eq!(caller.arn(), Some(arn));
    assert_eq!(caller.account(), Some("111122223333"));
    assert_eq!(caller.user_id(), Some(user.assumed_role_id()));

    let wrong = Credentials::new(id, "wrong", token, None, "test");
    let fault = fixture.caller(wrong).await.unwrap_err();
    assert_eq!(fault, refused("SignatureDoesNotMatch", 403));
    let wrong = Credentials::new(id, secret, None, None, "test");
    let fault = fixture.caller(wrong).await.unwrap_err();
    assert_eq!(fault, refused("InvalidClientTokenId", 403));
    let wrong = Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None, "test");
    let fault = fixture.caller(wrong).await.unwrap_err();
    assert_eq!(fault, refused("InvalidClientTokenId", 403));
}

#[tokio::test]
async fn the_sdk_sees_the_code_of_each_error() {
    let fixture = fixture(Config::default()).await;
    let other = Issuer::generate(fixture.issuer.url()).unwrap();
    let good = request("shop/app", "sts.amazonaws.com", 600);
    let forged = other.mint(&good, clock::now()).unwrap();
    let stranger = Issuer::generate("https://oidc.example").unwrap();
    let stranger = stranger.mint(&good, clock::now()).unwrap();
    let late = fixture.token("shop/app", "sts.amazonaws.com", 0);
    let pods = fixture.token("shop/app", "pods.eks.amazonaws.com", 600);
    let neighbour = fixture.token("shop/other", "sts.amazonaws.com", 600);
    let good = fixture.good_token();
    let unknown = "arn:aws:iam::111122223333:role/team/none";
    let foreign = "arn:aws:iam::444455556666:role/app";
    for (name, token, role, seconds, code, status) in [
        ("another key", &forged, APP, 900, "InvalidIdentityToken", 400),
        ("another issuer", &stranger, APP, 900, "InvalidIdentityToken", 400),
        ("another account", &good, foreign, 900, "InvalidIdentityToken", 400),
        ("no token", &"a.b.c".to_owned(), APP, 900, "InvalidIdentityToken", 400),
        ("another audience", &pods, APP, 900, "InvalidIdentityToken", 400),
        ("expired", &late, APP, 900, "ExpiredTokenException", 400),
        ("another ServiceAccount", &neighbour, APP, 900, "AccessDenied", 403),
        ("unknown role", &good, unknown, 900, "AccessDenied", 403),
        ("too long for the role", &good, APP, 3601, "ValidationError", 400),
        ("too long for anyone", &good, APP, 43_201, "ValidationError", 400),
        ("too short", &good, APP, 899, "ValidationError", 400),
        ("no role", &good, "arn:aws:iam::111122223333:user/app", 900, "ValidationError", 400),
    ] {
        let fault = fixture.assume(token, role, seconds).await.unwrap_err();
        assert_eq!(fault, refused(code, status), "{name}");
    }
    assert_eq!(fixture.sandbox.calls()["AssumeRoleWithWebIdentity"], 12);
    let decisions = fixture.sandbox.decisions();
    let wanted = "requires [\"system:serviceaccount:shop:app\"] and the request has \
                  [\"system:serviceaccount:shop:other\"]";
    assert!(decisions[6].reason.contains(wanted), "{}", decisions[6].reason);
    let served = fixture.get("/_podrole/decisions").await;
    assert!(served.contains("there is no role"), "{served}");
    // The decision log must not contain a token's signature.
    let (_, signature) = good.rsplit_once('.').unwrap();
    assert!(!served.contains(signature));
    let calls = fixture.get("/_podrole/calls").await;
    assert!(calls.ends_with(r#"{"AssumeRoleWithWebIdentity":12}"#), "{calls}");
}

#[tokio::test]
async fn credentials_can_expire_sooner_than_in_aws() {
    let life = Duration::from_secs(1);
    let fixture = fixture(Config::default().with_credential_life(life)).await;
    let credentials = fixture.assume(&fixture.good_token(), APP, 900).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let fault = fixture.caller(credentials).await.unwrap_err();
    assert_eq!(fault, refused("ExpiredToken", 403));
}

#[tokio::test]
async fn the_protocol_accepts_what_clients_send() {
    let fixture = fixture(Config::default()).await;
    let query = format!(
        "Action=AssumeRoleWithWebIdentity&Version=x&RoleArn={APP}&RoleSessionName=me&WebIdentityToken={}",
        fixture.good_token()
    );
    let get = fixture.get(&format!("/?{query}")).await;
    assert!(get.starts_with("HTTP/1.1 200"), "{get}");
    assert!(get.contains("<AccessKeyId>ASIA"), "{get}");
    assert!(!get.contains("PackedPolicySize"), "{get}");
    let namespace =
        r#"<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">"#;
    assert!(get.contains(namespace), "{get}");
    let post = format!(
        "POST /?{query} HTTP/1.1\r\nhost: sts.eu-west-1.amazonaws.com\r\nconnection: close\r\n\
         content-length: 0\r\n\r\n"
    );
    assert!(fixture.raw(&post).await.starts_with("HTTP/1.1 200"));
    for (path, status, part) in [
        ("/", 400, "<Code>MissingAction</Code>"),
        ("/?Action=AssumeRole%3C", 400, "<Code>InvalidAction</Code>"),
        ("/?Action=GetCallerIdentity", 403, "<Code>MissingAuthenticationToken</Code>"),
        (
            "/?Action=AssumeRoleWithWebIdentity",
            400,
            "<Type>Sender</Type><Code>ValidationError</Code>",
        ),
        ("/other", 404, ""),
        ("/id/A/.well-known/openid-configuration", 200, "\"jwks_uri\""),
        ("/id/A/openid/v1/jwks", 200, "\"kid\""),
        ("/.well-known/openid-configuration", 404, ""),
    ] {
        let answer = fixture.get(path).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{path}: {answer}");
        assert!(answer.contains(part), "{path}: {answer}");
    }
    let head = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 65537\r\n\r\n";
    let answer = fixture.raw(&format!("{head}{}", "a".repeat(65_537))).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(answer.contains("<Code>RequestEntityTooLarge</Code>"), "{answer}");
}
