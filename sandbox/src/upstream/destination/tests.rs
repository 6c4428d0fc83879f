use super::*;

const FORM: &str = "application/x-www-form-urlencoded";

fn signed_for(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=ASIAB/20260101/eu-west-1/{service}/aws4_request, \
         SignedHeaders=host, Signature=0"
    )
}

async fn place(method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> &'static str {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (request, destination) = of(request.body(Body::from(body.to_owned())).unwrap()).await;
    let kept = request.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(kept, body, "the body was not put back");
    match destination {
        Destination::Sandbox => "here",
        Destination::Upstream(_) => "there",
        Destination::Rejected(ForwardError::Signature(SignatureError::Missing)) => "unsigned",
        Destination::Rejected(_) => "broken",
    }
}

#[tokio::test]
async fn a_signed_call_goes_where_its_scope_says() {
    for (service, wanted) in
        [("sts", "here"), ("iam", "here"), ("eks-auth", "here"), ("s3", "there"), ("eks", "there")]
    {
        let signature = signed_for(service);
        let headers = [("authorization", &*signature), ("x-amz-date", "20260101T000000Z")];
        // The path does not matter, because the signature is verified for the scope.
        for uri in ["/", "/openid/v1/jwks", "/?Action=GetCallerIdentity"] {
            assert_eq!(place("POST", uri, &headers, "").await, wanted, "{service} {uri}");
        }
    }
    let basic = [("authorization", "Basic dTpw")];
    assert_eq!(place("GET", "/", &basic, "").await, "broken");
}

#[tokio::test]
async fn an_unsigned_calls_destination_is_its_path_or_action() {
    let form = [("content-type", FORM)];
    for (method, uri, headers, body, wanted) in [
        ("GET", "/_podrole/decisions", &[][..], "", "here"),
        ("GET", "/id/A/.well-known/openid-configuration", &[], "", "here"),
        ("GET", "/openid/v1/jwks", &[], "", "here"),
        ("POST", "/clusters/a/assume-role-for-pod-identity", &[], "{}", "here"),
        ("GET", "/?Action=AssumeRoleWithWebIdentity", &[], "", "here"),
        ("POST", "/", &form, "Action=AssumeRoleWithWebIdentity&Version=2011-06-15", "here"),
        ("POST", "/", &form, "Action=GetCallerIdentity", "here"),
        ("POST", "/", &form, "Action=ListTopics", "unsigned"),
        ("POST", "/", &form, "", "unsigned"),
        ("POST", "/", &[], "Action=AssumeRoleWithWebIdentity", "unsigned"),
        ("GET", "/", &[], "", "unsigned"),
        ("GET", "/bucket/key", &[], "", "unsigned"),
        ("GET", "/clusters/a", &[], "", "unsigned"),
        ("GET", "/bucket/key?AWSAccessKeyId=A&Signature=B&Expires=1", &[], "", "broken"),
    ] {
        assert_eq!(place(method, uri, headers, body).await, wanted, "{method} {uri} {body}");
    }
}
