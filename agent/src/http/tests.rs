use super::*;
use crate::bearer_token::MAX_TOKEN_BYTES;
use crate::tests::{
    fixture::{RSA, STRANGER, claims_from},
    full_path::{World, world},
};

async fn check(world: &World, request: &str, status: u16, code: &str) -> String {
    let answer = world.send(request).await;
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request} {answer}");
    assert!(answer.contains("\r\ncontent-type: application/json\r\n"), "{answer}");
    assert!(answer.contains("\r\ncache-control: no-store\r\n"), "{answer}");
    assert!(!answer.to_lowercase().contains("retry-after"), "{answer}");
    assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{request} {answer}");
    answer
}

#[tokio::test]
async fn an_sdk_that_is_too_old_to_send_a_token_is_named() {
    let world = world().await;
    let start = "GET /v1/credentials HTTP/1.1\r\nhost: 127.0.0.1\r\nuser-agent: ";
    let old = format!("{start}aws-cli/2.9.19 Python/3.11.2\r\n");
    let answer = check(&world, &old, 400, "InvalidToken").await;
    assert!(answer.contains("the AWS CLI 2.9.19 is too old"), "{answer}");
    let new = format!("{start}aws-cli/2.30.0 Python/3.11.2\r\n");
    let answer = check(&world, &new, 400, "InvalidToken").await;
    assert!(answer.contains("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), "{answer}");
    // One that sends a token is judged by the token.
    let sends = format!("{old}authorization: x\r\n");
    let answer = check(&world, &sends, 400, "InvalidToken").await;
    assert!(!answer.contains("too old"), "{answer}");
}

#[tokio::test]
async fn requests_of_any_other_form_are_refused_in_json() {
    let world = world().await;
    let host = "host: 127.0.0.1\r\n";
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"] {
        let request = format!("{method} /v1/credentials HTTP/1.1\r\n{host}");
        let answer = check(&world, &request, 405, "MethodNotAllowed").await;
        assert!(answer.contains("\r\nallow: GET, HEAD\r\n"), "{answer}");
    }
    for path in [
        "/",
        "/v1/credentials/",
        "//v1/credentials",
        "/v1//credentials",
        "/V1/credentials",
        "/v1/credentials/x",
        "/metrics",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\n{host}");
        check(&world, &request, 404, "NotFound").await;
    }
    for host in ["host: evil.example\r\n", "host: 10.0.0.1\r\n", ""] {
        let request = format!("GET /v1/credentials HTTP/1.1\r\n{host}");
        check(&world, &request, 403, "WrongHost").await;
    }
    for other in ["evil.example", "127.0.0.1"] {
        let request = format!("GET /v1/credentials HTTP/1.1\r\n{host}host: {other}\r\n");
        check(&world, &request, 400, "InvalidRequest").await;
    }
    let absolute = format!("GET http://evil.example/v1/credentials HTTP/1.1\r\n{host}");
    check(&world, &absolute, 403, "WrongHost").await;
    let long = format!("authorization: {}\r\n", "a".repeat(17 * 1024));
    for token in [
        "",
        "authorization: \r\n",
        "authorization: Bearer \r\n",
        "authorization: a\r\nauthorization: b\r\n",
        "authorization: \u{e9}\r\n",
        "authorization: not-a-token\r\n",
        &long,
    ] {
        let request = format!("GET /v1/credentials HTTP/1.1\r\n{host}{token}");
        check(&world, &request, 400, "InvalidToken").await;
    }
}

#[tokio::test]
async fn get_and_head_return_the_credentials() {
    let world = world().await;
    let token = world.token();
    for (authorization, query) in [(token.clone(), ""), (format!("Bearer {token}"), "?hint=1")] {
        let request = format!(
            "GET /v1/credentials{query} HTTP/1.1\r\nhost: localhost:1\r\nAUTHORIZATION: {authorization}\r\n"
        );
        let answer = world.send(&request).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("\r\ncontent-type: application/json\r\n"), "{answer}");
        assert!(answer.contains("\r\ncache-control: no-store\r\n"), "{answer}");
        assert!(answer.contains("{\"AccessKeyId\":\"ASIAFROMSTS\","), "{answer}");
    }
    let head =
        format!("HEAD /v1/credentials HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n");
    let answer = world.send(&head).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n"), "{answer}");
    let with_body = format!(
        "GET /v1/credentials HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\ncontent-length: 3\r\n"
    );
    let answer = world.send_with(&with_body, "abc").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
}

#[tokio::test]
async fn the_answer_leaves_within_0_9_s_and_the_fetch_continues() {
    let world = world().await;
    world.sts.answers_after(Duration::from_millis(1200));
    let token = world.token();
    let request =
        format!("GET /v1/credentials HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n");
    let asked = tokio::time::Instant::now();
    check(&world, &request, 503, "TryAgain").await;
    assert!(asked.elapsed() < Duration::from_millis(1000), "{:?}", asked.elapsed());
    tokio::time::sleep(Duration::from_millis(500)).await;
    let answer = world.send(&request).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert_eq!(world.sts.calls(), 1);
}

#[tokio::test]
async fn a_token_of_15_kb_is_accepted() {
    let world = world().await;
    let mut claims = claims_from(podrole_runtime::clock::now().as_second());
    claims["padding"] = "x".repeat(10 * 1024).into();
    let token = RSA.token("RS256", &claims);
    assert!((13_000..MAX_TOKEN_BYTES).contains(&token.len()), "{}", token.len());
    let request =
        format!("GET /v1/credentials HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\n");
    assert!(world.send(&request).await.starts_with("HTTP/1.1 200 OK\r\n"));
}

#[tokio::test]
async fn a_head_of_24_kb_is_accepted_and_one_byte_more_is_not() {
    let world = world().await;
    let token = world.token();
    let request = |padding: usize| {
        let padding = "x".repeat(padding);
        format!(
            "GET /v1/credentials HTTP/1.1\r\nhost: localhost\r\nauthorization: {token}\r\nx: {padding}\r\n"
        )
    };
    let fits = MAX_HEAD_BYTES - request(0).len() - "connection: close\r\n\r\n".len();
    assert!(world.send(&request(fits)).await.starts_with("HTTP/1.1 200 OK\r\n"));
    for over in [1, 3000] {
        check(&world, &request(fits + over), 431, "RequestTooLarge").await;
    }
    let answer = world.send(&request(40_000)).await;
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
}

#[tokio::test]
async fn bad_tokens_of_an_address_are_limited_and_those_of_others_are_not() {
    let (world, bad) = (world().await, STRANGER.token("RS256", &claims_from(0)));
    let service = CredentialsService::of(&world.agent);
    let ask = async |token: &str, peer: &str| {
        let request = Request::get("/v1/credentials").header("host", "localhost");
        let request = request.header("authorization", token).body(()).unwrap();
        service
            .answer_to(&request, Some(std::net::SocketAddr::new(peer.parse().unwrap(), 1)))
            .await
            .status()
            .as_u16()
    };
    let good = world.token();
    let mut statuses = Vec::new();
    for _ in 0..100 {
        statuses.push(ask(&bad, "192.0.2.1").await);
    }
    assert_eq!((statuses[0], statuses[99]), (400, 503));
    assert_eq!(ask(&good, "192.0.2.1").await, 503, "its token is not looked at");
    assert_eq!(ask(&bad, "192.0.2.2").await, 400);
    assert_eq!(ask(&good, "192.0.2.2").await, 200);
    for _ in 0..100 {
        assert_eq!(ask(&bad, "127.0.0.2").await, 400, "good pods share the node's addresses");
    }
}
