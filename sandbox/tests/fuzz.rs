//! Hostile input on every route of the sandbox: nothing panics, and no response is a 5xx without an injected
//! fault. This is a short run; inputs that once failed have their own tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::sync::OnceLock;

use axum::{Router, body::Body};
use http::Request;
use podrole_sandbox::{
    Config, Issuer, JwkSet, Rule, Sandbox,
    policy::{IdentityPolicy, Policy},
};
use proptest::{collection::vec, prelude::*, sample::select};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

const FILE: &str = r#"
accounts:
  "111122223333":
    oidcProviders: [{url: "https://oidc.example/id", clientIds: [sts.amazonaws.com]}]
    users:
      admin:
        arn: arn:aws:iam::111122223333:user/admin
        keys: [{id: AKIAIOSFODNN7EXAMPLE, secret: the secret of the tests}]
"#;
const ACTIONS: [&str; 8] = [
    "AssumeRoleWithWebIdentity",
    "AssumeRole",
    "GetCallerIdentity",
    "GetSessionToken",
    "CreateRole",
    "CreateOpenIDConnectProvider",
    "PutRolePolicy",
    "<&>",
];
const FIELDS: [&str; 12] = [
    "RoleArn",
    "RoleSessionName",
    "WebIdentityToken",
    "DurationSeconds",
    "Policy",
    "Tags.member.1.Key",
    "Tags.member.1.Value",
    "PolicyDocument",
    "RoleName",
    "Url",
    "Version",
    "X-Amz-Signature",
];

fn stage() -> &'static (Runtime, Router) {
    static STAGE: OnceLock<(Runtime, Router)> = OnceLock::new();
    STAGE.get_or_init(|| {
        let sandbox = Sandbox::new(Config::read(FILE).unwrap());
        let sandbox = sandbox.with_issuer(Issuer::generate("https://oidc.example/id").unwrap());
        sandbox.enable_auto_roles();
        (Runtime::new().unwrap(), sandbox.router())
    })
}

/// The status and the body of the response.
fn ask(request: Request<Body>) -> (u16, String) {
    let (runtime, router) = stage();
    runtime.block_on(async {
        let answer = router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned())
    })
}

fn form(body: impl Into<Body>) -> Request<Body> {
    let kind = "application/x-www-form-urlencoded";
    Request::post("/").header("content-type", kind).body(body.into()).unwrap()
}

/// A value that may look valid.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,200}",
        Just("arn:aws:iam::111122223333:role/app".to_owned()),
        Just("https://oidc.example/id".to_owned()),
        "[0-9-]{1,12}",
        r#"\{"(Statement|Version)": [\[{"a-z:*]{0,20}[\]}"]{0,5}"#,
        "[A-Za-z0-9_-]{0,40}\\.[A-Za-z0-9_-]{0,80}\\.[A-Za-z0-9_-]{0,40}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn query_bodies(
        action in select(&ACTIONS[..]),
        fields in vec((select(&FIELDS[..]), value()), 0..8),
    ) {
        let mut pairs = vec![("Action", action.to_owned())];
        pairs.extend(fields);
        let (status, text) = ask(form(serde_urlencoded::to_string(pairs).unwrap()));
        prop_assert!((400..500).contains(&status), "{status} {text}");
        let end = "</ErrorResponse>\n";
        prop_assert!(text.ends_with(end) && !text.contains('\0'), "{text}");
    }

    #[test]
    fn bodies_that_are_not_forms(body in vec(any::<u8>(), 0..400)) {
        let (status, _) = ask(form(body.clone()));
        prop_assert!((400..500).contains(&status));
        for path in ["/_podrole/tokens", "/_podrole/faults", "/clusters/a/assume-role-for-pod-identity"] {
            let (status, _) = ask(Request::post(path).body(body.clone().into()).unwrap());
            prop_assert!((400..500).contains(&status), "{path}");
        }
    }

    #[test]
    fn errors_are_valid_xml_with_any_action(action in any::<String>()) {
        let body = serde_urlencoded::to_string([("Action", &action)]).unwrap();
        let (status, text) = ask(form(body));
        prop_assert_eq!(status, 400);
        let message = text.split("<Message>").nth(1).unwrap().split("</Message>").next().unwrap();
        prop_assert!(!message.contains('<') && !message.contains('>'), "{}", message);
        prop_assert!(message.split('&').skip(1).all(|part| part.contains(';')), "{}", message);
    }

    #[test]
    fn signature_headers(
        authorization in prop_oneof![
            "[ -~]{0,200}",
            "AWS4-HMAC-SHA256 Credential=[A-Z0-9/a-z_]{0,80}, SignedHeaders=[a-z;-]{0,40}, Signature=[0-9a-f]{0,64}",
            Just("AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/iam/aws4_request, SignedHeaders=host;x-amz-date, Signature=00".to_owned()),
        ],
        date in "[0-9TZ]{0,20}",
        token in "[ -~]{0,40}",
        action in select(&["GetCallerIdentity", "ListRoles", "AssumeRole"][..]),
    ) {
        let mut request = form(format!("Action={action}"));
        for (name, text) in [
            ("authorization", &authorization),
            ("x-amz-date", &date),
            ("x-amz-security-token", &token),
        ] {
            request.headers_mut().insert(name, text.parse().unwrap());
        }
        let (status, text) = ask(request);
        prop_assert!((400..500).contains(&status), "{status} {text}");
    }

    #[test]
    fn presigned_queries(query in "(X-Amz-[A-Z][a-z]{3,8}=[ -~&&[^#]]{0,30}&?){0,6}") {
        let query: String = query.chars().map(|c| if c == ' ' { '+' } else { c }).collect();
        let uri = format!("/?Action=GetCallerIdentity&X-Amz-Signature=0&{query}");
        if let Ok(request) = Request::get(uri).body(Body::empty()) {
            let (status, text) = ask(request);
            prop_assert!((400..500).contains(&status), "{status} {text}");
        }
    }

    #[test]
    fn documents_and_rules(text in prop_oneof![
        any::<String>(),
        r#"\{"(Statement|Effect|Principal|Action|Condition|operation|delay|first|for)": ?("[ -~]{0,20}"|[0-9.e-]{1,20}|\[\]|\{\})\}"#,
        "(operation|status|code|delay|clockSkew|every|first|for|hang)=[ -~]{0,20}(,hang)?",
    ]) {
        let _ = (Policy::read(&text), IdentityPolicy::read(&text), JwkSet::read(&text));
        let _ = Config::read(&text);
        if let Ok(rule) = text.parse::<Rule>() {
            // A parsed rule can be printed and parsed again.
            let shown = serde_json::to_string(&rule).unwrap();
            prop_assert_eq!(shown.parse::<Rule>().unwrap(), rule);
        }
    }

    #[test]
    fn fault_headers(text in "[ -~]{0,80}") {
        let mut request = form("Action=GetCallerIdentity");
        request.headers_mut().insert("x-podrole-fault", text.parse().unwrap());
        // A text that parses is an injected fault, whose response can be anything.
        if text.parse::<Rule>().is_err() {
            prop_assert!((400..500).contains(&ask(request).0));
        }
    }
}
