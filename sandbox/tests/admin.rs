//! The sandbox's own features on a real socket: issuing tokens, key rotation, fault injection, keys of other
//! issuers, and `--auto-roles`.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::{net::SocketAddr, time::Duration};

use podrole_runtime::serve::{Limits, Server};
use podrole_sandbox::{Config, Issuer, Sandbox};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

const ROLE: &str = "arn:aws:iam::111122223333:role/app";
const WISH: &str = r#"{"namespace": "shop", "serviceAccount": "app", "pod": "app-1"}"#;

/// A sandbox on a socket, and the issuer of its provider.
struct Fixture {
    sandbox: Sandbox,
    address: SocketAddr,
    issuer: String,
}

/// One account with the provider `issuer` and the role app, and an empty one. Without `issuer` the sandbox serves one itself.
async fn fixture(issuer: Option<&str>) -> Fixture {
    podrole_runtime::crypto::install();
    let bind = "127.0.0.1:0".parse().unwrap();
    let server = Server::bind(bind, Limits::default()).await.unwrap();
    let address = server.address();
    let url = issuer.map_or_else(|| format!("http://{address}/id"), str::to_owned);
    let name = url.split_once("://").unwrap().1;
    let file = format!(
        r#"{{accounts: {{"111122223333": {{
            oidcProviders: [{{url: "{url}", clientIds: [sts.amazonaws.com]}}],
            roles: {{app: {{arn: "{ROLE}", trustPolicy: {{Statement: {{
                Effect: Allow,
                Principal: {{Federated: "arn:aws:iam::111122223333:oidc-provider/{name}"}},
                Action: sts:AssumeRoleWithWebIdentity,
                Condition: {{StringEquals: {{"{name}:sub": "system:serviceaccount:shop:app"}}}}
            }}}}}}}}}}}}}}"#
    );
    let second = "444455556666".parse().unwrap();
    let mut sandbox = Sandbox::new(Config::read(&file).unwrap().with_account(&second));
    if issuer.is_none() {
        sandbox = sandbox.with_issuer(Issuer::generate(&url).unwrap());
    }
    tokio::spawn(server.run(sandbox.router(), CancellationToken::new()));
    Fixture { sandbox, address, issuer: url }
}

impl Fixture {
    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{headers}\
             content-length: {length}\r\n\r\n{body}"
        );
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // The server may drop the connection, which is a result too.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn token(&self) -> String {
        let answer = self.ask("POST", "/_podrole/tokens", "", WISH).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.rsplit("\r\n\r\n").next().unwrap().to_owned()
    }

    async fn assume(&self, token: &str, role: &str, headers: &str) -> String {
        let body = format!(
            "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn={role}&RoleSessionName=pod\
             &WebIdentityToken={token}"
        );
        let form = "content-type: application/x-www-form-urlencoded\r\n";
        self.ask("POST", "/", &format!("{form}{headers}"), &body).await
    }

    /// The status and the error code, or OK.
    async fn outcome(&self, token: &str, role: &str) -> (String, String) {
        outcome_of(&self.assume(token, role, "").await)
    }

    async fn fault(&self, rule: &str) {
        let answer = self.ask("POST", "/_podrole/faults", "", rule).await;
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    }

    async fn no_faults(&self) {
        let answer = self.ask("DELETE", "/_podrole/faults", "", "").await;
        assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    }
}

fn outcome_of(answer: &str) -> (String, String) {
    let status = answer.split(' ').nth(1).unwrap_or("none").to_owned();
    let code = answer.split_once("<Code>").map(|(_, rest)| rest.split('<').next().unwrap());
    (status, code.unwrap_or("OK").to_owned())
}

fn is(status: &str, code: &str) -> (String, String) {
    (status.to_owned(), code.to_owned())
}

#[tokio::test]
async fn an_issued_token_is_accepted_and_survives_a_rotation() {
    let fixture = fixture(None).await;
    let old = fixture.token().await;
    assert_eq!(fixture.outcome(&old, ROLE).await, is("200", "OK"));
    let keys = fixture.ask("POST", "/_podrole/rotate", "", "").await;
    assert_eq!(keys.matches("\"kid\"").count(), 2, "{keys}");
    let new = fixture.token().await;
    assert_ne!(new.split('.').next(), old.split('.').next());
    assert_eq!(fixture.outcome(&old, ROLE).await, is("200", "OK"));
    assert_eq!(fixture.outcome(&new, ROLE).await, is("200", "OK"));
    let keys = fixture.ask("POST", "/_podrole/rotate?drop=old", "", "").await;
    assert_eq!(keys.matches("\"kid\"").count(), 1, "{keys}");
    assert_eq!(fixture.outcome(&old, ROLE).await, is("400", "InvalidIdentityToken"));
    assert_eq!(fixture.outcome(&new, ROLE).await, is("200", "OK"));
    for (path, body) in [("/_podrole/rotate?drop=all", ""), ("/_podrole/tokens", "{}")] {
        let refused = fixture.ask("POST", path, "", body).await;
        assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("message"), "{refused}");
    }
    let whole = fixture.ask("POST", "/_podrole/tokens", "accept: application/json\r\n", WISH).await;
    assert!(whole.contains("\"expirationTimestamp\":\"20"), "{whole}");
}

#[tokio::test]
async fn keys_are_fetched_from_another_issuer() {
    let cluster = fixture(None).await;
    let here = fixture(Some(&cluster.issuer)).await;
    let token = cluster.token().await;
    assert_eq!(here.outcome(&token, ROLE).await, is("200", "OK"));
    // The keys are cached now, so the issuer may fail.
    cluster.fault("reset").await;
    assert_eq!(here.outcome(&token, ROLE).await, is("200", "OK"));
    let asked = cluster.sandbox.calls();
    assert!(!asked.contains_key("Discovery"), "{asked:?}");
    // An issuer that cannot be reached has its own error.
    let late = fixture(Some(&cluster.issuer)).await;
    assert_eq!(late.outcome(&token, ROLE).await, is("400", "IDPCommunicationError"));
    assert!(late.sandbox.decisions()[0].reason.contains("openid-configuration"));
    assert_eq!(cluster.sandbox.calls()["Discovery"], 1);
}

#[tokio::test]
async fn each_kind_of_fault_is_injected() {
    let fixture = fixture(None).await;
    let token = fixture.token().await;
    fixture.fault("operation=AssumeRoleWithWebIdentity,code=Throttling,first=2").await;
    assert_eq!(fixture.outcome(&token, ROLE).await, is("400", "Throttling"));
    assert_eq!(fixture.outcome(&token, ROLE).await, is("400", "Throttling"));
    assert_eq!(fixture.outcome(&token, ROLE).await, is("200", "OK"));
    let list = fixture.ask("GET", "/_podrole/faults", "", "").await;
    assert!(list.contains(r#""matched":3,"fired":2"#), "{list}");
    fixture.no_faults().await;

    fixture.fault(r#"{"status": 503, "message": "away"}"#).await;
    let answer = fixture.assume(&token, ROLE, "").await;
    assert_eq!(outcome_of(&answer), is("503", "ServiceUnavailable"));
    assert!(answer.contains("<Message>away</Message>"), "{answer}");
    let path = "/clusters/shop/assume-role-for-pod-identity";
    let json = fixture.ask("POST", path, "content-type: application/json\r\n", "{}").await;
    assert!(json.contains("x-amzn-errortype: ServiceUnavailable"), "{json}");
    fixture.no_faults().await;

    fixture.fault("reset").await;
    assert_eq!(fixture.assume(&token, ROLE, "").await, "");
    fixture.no_faults().await;

    fixture.fault("truncated").await;
    let half = fixture.assume(&token, ROLE, "").await;
    let (head, body) = half.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!(body.len(), length.parse::<usize>().unwrap() / 2, "{half}");
    fixture.no_faults().await;

    fixture.fault("garbage").await;
    let garbage = fixture.assume(&token, ROLE, "").await;
    assert!(garbage.starts_with("HTTP/1.1 200") && !garbage.contains("xmlns"), "{garbage}");
    fixture.no_faults().await;

    fixture.fault("hang").await;
    let hung = timeout(Duration::from_millis(100), fixture.assume(&token, ROLE, "")).await;
    assert!(hung.is_err());
    fixture.no_faults().await;

    fixture.fault("delay=50ms").await;
    let started = tokio::time::Instant::now();
    assert_eq!(fixture.outcome(&token, ROLE).await, is("200", "OK"));
    assert!(started.elapsed() >= Duration::from_millis(50));
    fixture.no_faults().await;

    fixture.fault("clockSkew=2h").await;
    let late = fixture.assume(&token, ROLE, "").await;
    assert_eq!(outcome_of(&late), is("400", "ExpiredTokenException"));
    assert_eq!(late.matches("\r\ndate: ").count(), 1, "{late}");
    let good = fixture.assume(&token, ROLE, "x-podrole-fault: code=AccessDenied\r\n").await;
    assert_eq!(outcome_of(&good), is("403", "AccessDenied"));
    fixture.no_faults().await;
    assert_eq!(fixture.outcome(&token, ROLE).await, is("200", "OK"));
    assert_eq!(fixture.sandbox.calls()["AssumeRoleWithWebIdentity"], 12);
}

#[tokio::test]
async fn a_fault_in_a_header_only_applies_to_that_request() {
    let fixture = fixture(None).await;
    let token = fixture.token().await;
    let spoiled = fixture.assume(&token, ROLE, "x-podrole-fault: code=Throttling\r\n").await;
    assert_eq!(outcome_of(&spoiled), is("400", "Throttling"));
    let other = "x-podrole-fault: operation=GetCallerIdentity,code=Throttling\r\n";
    assert_eq!(outcome_of(&fixture.assume(&token, ROLE, other).await), is("200", "OK"));
    assert_eq!(fixture.outcome(&token, ROLE).await, is("200", "OK"));
    let unreadable = fixture.assume(&token, ROLE, "x-podrole-fault: nonsense\r\n").await;
    assert!(unreadable.starts_with("HTTP/1.1 400") && unreadable.contains("x-podrole-fault"));
    let refused = fixture.ask("POST", "/_podrole/faults", "", "{\"oops\": 1}").await;
    assert!(refused.starts_with("HTTP/1.1 400") && refused.contains("oops"), "{refused}");
}

#[tokio::test]
async fn a_role_is_created_for_its_first_caller_and_only_with_auto_roles() {
    let fixture = fixture(None).await;
    let token = fixture.token().await;
    let new = "arn:aws:iam::111122223333:role/new";
    assert_eq!(fixture.outcome(&token, new).await, is("403", "AccessDenied"));
    fixture.sandbox.enable_auto_roles();
    // A token that STS would reject does not create a role.
    let (signed, signature) = token.rsplit_once('.').unwrap();
    // Still valid base64url, with another value.
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let forged = format!("{signed}.{first}{}", &signature[1..]);
    assert_eq!(fixture.outcome(&forged, new).await, is("400", "InvalidIdentityToken"));
    assert!(!fixture.sandbox.has_role(&new.parse().unwrap()));
    assert_eq!(fixture.outcome(&token, new).await, is("200", "OK"));
    let wish = r#"{"namespace": "shop", "serviceAccount": "other"}"#;
    let other = fixture.ask("POST", "/_podrole/tokens", "", wish).await;
    let other = other.rsplit("\r\n\r\n").next().unwrap();
    assert_eq!(fixture.outcome(other, new).await, is("403", "AccessDenied"));
}

#[tokio::test]
async fn the_served_issuer_is_registered_in_the_account_of_the_first_role() {
    let fixture = fixture(None).await;
    let token = fixture.token().await;
    let new = "arn:aws:iam::444455556666:role/new";
    let none = is("400", "InvalidIdentityToken");
    assert_eq!(fixture.outcome(&token, new).await, none);
    fixture.sandbox.enable_auto_roles();
    // Not for a token that STS would reject.
    let vault = WISH.replace('{', r#"{"audiences": ["vault"], "#);
    let vault = fixture.ask("POST", "/_podrole/tokens", "", &vault).await;
    let vault = vault.rsplit("\r\n\r\n").next().unwrap();
    assert_eq!(fixture.outcome(vault, new).await, none);
    assert!(!fixture.sandbox.has_role(&new.parse().unwrap()));
    assert_eq!(fixture.outcome(&token, new).await, is("200", "OK"));
    // An issuer that is not served here is never registered automatically.
    let elsewhere = self::fixture(Some(&fixture.issuer)).await;
    elsewhere.sandbox.enable_auto_roles();
    assert_eq!(elsewhere.outcome(&token, new).await, none);
}

#[tokio::test]
async fn a_role_of_an_account_that_is_not_configured_is_refused_with_the_fix() {
    let fixture = fixture(None).await;
    fixture.sandbox.enable_auto_roles();
    let token = fixture.token().await;
    for role in ["arn:aws:iam::777788889999:role/new", "arn:aws:iam::777788889999:role/app"] {
        let answer = fixture.assume(&token, role, "").await;
        assert_eq!(outcome_of(&answer), is("400", "InvalidIdentityToken"), "{answer}");
        assert!(
            answer.contains("this sandbox does not have the AWS account 777788889999"),
            "{answer}"
        );
        assert!(answer.contains("local.accounts") && answer.contains("--account"), "{answer}");
        assert!(!fixture.sandbox.has_role(&role.parse().unwrap()));
    }
    let reason = fixture.sandbox.decisions().pop().unwrap().reason;
    assert!(reason.contains("777788889999; add it"), "{reason}");
    // Of an account that is there, it is AWS's sentence alone.
    let other = self::fixture(Some("https://oidc.example")).await;
    let answer = other.assume(&token, ROLE, "").await;
    assert!(answer.contains("No OpenIDConnect provider found in your account for"), "{answer}");
    assert!(!answer.contains("this sandbox"), "{answer}");
}
