use super::*;

#[test]
fn the_url_must_be_a_servers_root() {
    for good in ["http://127.0.0.1:5000", "http://moto:5000/", "https://minio.example.org"] {
        assert!(root(good).is_some(), "{good}");
    }
    for bad in [
        "",
        "moto:5000",
        "http://",
        "ftp://moto",
        "http://moto/path",
        "http://moto/?query",
        "http://user:secret@moto",
        "/",
    ] {
        assert!(root(bad).is_none(), "{bad}");
    }
}

#[test]
fn hop_by_hop_headers_are_removed() {
    let forwarder = Forwarder::new("http://127.0.0.1:5000").unwrap();
    let request = Request::builder()
        .uri("/a%20b?x=1")
        .version(Version::HTTP_2)
        .header("host", "bucket.localhost:4566")
        .header("connection", "close, x-mine")
        .header("x-mine", "1")
        .header("te", "trailers")
        .header("transfer-encoding", "chunked")
        .header("upgrade", "h2c")
        .header("proxy-authorization", "secret")
        .header("expect", "100-continue")
        .header("x-amz-acl", "private");
    let sent = forwarder.addressed(request.body(Body::empty()).unwrap()).unwrap();
    assert_eq!(sent.uri(), "http://127.0.0.1:5000/a%20b?x=1");
    assert_eq!(sent.version(), Version::HTTP_11);
    let headers: Vec<_> = sent.headers().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(headers, ["host", "x-amz-acl"]);
    assert_eq!(sent.headers()["host"], "bucket.localhost:4566");
}

#[test]
fn a_host_of_http_2_becomes_a_header() {
    let forwarder = Forwarder::new("http://127.0.0.1:5000").unwrap();
    let request = Request::builder().uri("http://bucket.localhost:4566/a");
    let sent = forwarder.addressed(request.body(Body::empty()).unwrap()).unwrap();
    assert_eq!(sent.headers()["host"], "bucket.localhost:4566");
    assert_eq!(sent.uri(), "http://127.0.0.1:5000/a");
}
