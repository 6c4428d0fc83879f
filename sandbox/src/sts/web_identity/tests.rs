mod claims;

use podrole_identity::{AccountId, Audience};
use serde_json::json;

use super::*;
use crate::{accounts::Role, issuer::Issuer, policy::Policy};

const NOW: i64 = 1_000_000;
const APP: &str = "arn:aws:iam::111122223333:role/team/app";
const URL: &str = "http://oidc.example/id";

fn now() -> Timestamp {
    Timestamp::new(NOW, 500_000_000).unwrap()
}

fn trust(account: &str) -> Policy {
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"Federated": format!("arn:aws:iam::{account}:oidc-provider/oidc.example/id")},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {
            "oidc.example/id:sub": "system:serviceaccount:shop:app",
            "oidc.example/id:aud": "sts.amazonaws.com",
        }},
    }]});
    Policy::read(&policy.to_string()).unwrap()
}

/// Account 1 has a provider and a role. Account 4 has only a role, which trusts account 1's provider.
fn fixture() -> (Accounts, Issuer) {
    let issuer = Issuer::generate(URL).unwrap();
    let provider = Provider::new(URL, vec![Audience::sts()]).with_keys(issuer.key_set());
    let mut accounts = Accounts::default();
    let account: AccountId = "111122223333".parse().unwrap();
    accounts.put_provider(&account, provider);
    let foreign = "arn:aws:iam::444455556666:role/app";
    for arn in [APP, foreign] {
        let role = Role::new(arn.parse().unwrap(), trust("111122223333"));
        accounts.put_role(role).unwrap();
    }
    (accounts, issuer)
}

#[test]
fn a_role_that_every_service_account_passes_is_warned_of() {
    let (mut accounts, issuer) = fixture();
    let claims = json!({"iss": URL, "sub": "system:serviceaccount:shop:app",
        "aud": ["sts.amazonaws.com"], "iat": NOW, "exp": NOW + 600});
    let token = issuer.sign(&json!({"alg": "RS256", "kid": issuer.kid()}), &claims).unwrap();
    let mut reason = |condition: serde_json::Value| {
        let mut policy: serde_json::Value =
            serde_json::from_str(trust("111122223333").text()).unwrap();
        policy["Statement"][0]["Condition"] = condition;
        let policy = Policy::read(&policy.to_string()).unwrap();
        accounts.put_role(Role::new(APP.parse().unwrap(), policy)).unwrap();
        let request = WebIdentityRequest {
            role: APP.parse().unwrap(),
            session_name: "me".parse().unwrap(),
            token: &token,
            duration: None,
            policies: SessionPolicies::default(),
        };
        let inputs = DecisionInputs { accounts: &accounts, issuer: None, credential_life: None };
        decide(inputs, request, now()).unwrap().granted.reason
    };
    let audience = json!({"StringEquals": {"oidc.example/id:aud": "sts.amazonaws.com"}});
    let all = json!({"StringLike": {"oidc.example/id:sub": "system:serviceaccount:*"}});
    for open in [json!({}), audience, all] {
        assert!(
            reason(open.clone()).contains("every ServiceAccount of the issuer passes"),
            "{open}"
        );
    }
    for closed in ["system:serviceaccount:shop:*", "system:serviceaccount:shop:app"] {
        let condition = json!({"StringLike": {"oidc.example/id:sub": closed}});
        assert!(!reason(condition).contains("every ServiceAccount"), "{closed}");
    }
}

struct Ask {
    role: &'static str,
    sub: &'static str,
    aud: &'static str,
    iss: &'static str,
    iat: i64,
    exp: i64,
    duration: u32,
}

const GOOD: Ask = Ask {
    role: APP,
    sub: "system:serviceaccount:shop:app",
    aud: "sts.amazonaws.com",
    iss: URL,
    iat: NOW,
    exp: NOW + 600,
    duration: 3600,
};

fn ask(ask: &Ask) -> Result<WebIdentity, (&'static str, u16, String)> {
    let (accounts, issuer) = fixture();
    let claims = json!({
        "iss": ask.iss, "sub": ask.sub, "aud": [ask.aud],
        "iat": ask.iat, "exp": ask.exp,
    });
    let token = issuer.sign(&json!({"alg": "RS256", "kid": issuer.kid()}), &claims);
    let request = WebIdentityRequest {
        role: ask.role.parse().unwrap(),
        session_name: "me".parse().unwrap(),
        token: &token.unwrap(),
        duration: Some(ask.duration),
        policies: SessionPolicies::default(),
    };
    let inputs = DecisionInputs { accounts: &accounts, issuer: None, credential_life: None };
    decide(inputs, request, now()).map_err(|error| {
        let (code, status) = error.code();
        (code, status, error.to_string())
    })
}

#[test]
fn a_trusted_token_gets_the_role() {
    let granted = ask(&GOOD).unwrap();
    let arn = "arn:aws:sts::111122223333:assumed-role/app/me";
    assert_eq!(granted.granted.identity.arn, arn);
    assert_eq!(granted.granted.identity.account, "111122223333");
    assert_eq!(granted.subject, GOOD.sub);
    assert_eq!(granted.audience, GOOD.aud);
    let provider = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id";
    assert_eq!(granted.provider, provider);
    assert_eq!(granted.granted.expiration, Timestamp::from_second(NOW + 3600).unwrap());
}

#[test]
fn each_error_of_a_call_has_awss_code() {
    let no_provider = "No OpenIDConnect provider found in your account for";
    let unwilling = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
    let unknown = "arn:aws:iam::111122223333:role/other";
    let pathless = "arn:aws:iam::111122223333:role/app";
    let foreign = "arn:aws:iam::444455556666:role/app";
    for (name, wrong, code, status, message) in [
        (
            "issuer",
            Ask { iss: "http://oidc.other", ..GOOD },
            "InvalidIdentityToken",
            400,
            no_provider,
        ),
        (
            "issuer with a slash",
            Ask { iss: "http://oidc.example/id/", ..GOOD },
            "InvalidIdentityToken",
            400,
            no_provider,
        ),
        (
            "issuer with another scheme",
            Ask { iss: "https://oidc.example/id", ..GOOD },
            "InvalidIdentityToken",
            400,
            no_provider,
        ),
        (
            "another account's provider",
            Ask { role: foreign, ..GOOD },
            "InvalidIdentityToken",
            400,
            no_provider,
        ),
        (
            "audience",
            Ask { aud: "pods.eks.amazonaws.com", ..GOOD },
            "InvalidIdentityToken",
            400,
            "Incorrect token audience",
        ),
        (
            "issuer's beginning",
            Ask { iss: "http://oidc.example", ..GOOD },
            "InvalidIdentityToken",
            400,
            no_provider,
        ),
        (
            "issue in the future",
            Ask { iat: NOW + 1, ..GOOD },
            "InvalidIdentityToken",
            400,
            "The ID Token is not valid yet",
        ),
        ("expiry", Ask { exp: NOW, ..GOOD }, "ExpiredTokenException", 400, "Token expired"),
        (
            "subject",
            Ask { sub: "system:serviceaccount:shop:other", ..GOOD },
            "AccessDenied",
            403,
            unwilling,
        ),
        ("unknown role", Ask { role: unknown, ..GOOD }, "AccessDenied", 403, unwilling),
        ("role without its path", Ask { role: pathless, ..GOOD }, "AccessDenied", 403, unwilling),
        (
            "duration",
            Ask { duration: 3601, ..GOOD },
            "ValidationError",
            400,
            "The requested DurationSeconds exceeds",
        ),
        // A caller without access to the role does not learn its limits.
        (
            "duration and subject",
            Ask { duration: 3601, sub: "x", ..GOOD },
            "AccessDenied",
            403,
            unwilling,
        ),
        // The audience is checked before the expiry.
        (
            "audience and expiry",
            Ask { aud: "x", exp: 0, ..GOOD },
            "InvalidIdentityToken",
            400,
            "Incorrect token audience",
        ),
    ] {
        let (error, number, text) = ask(&wrong).unwrap_err();
        assert_eq!((error, number), (code, status), "{name}");
        assert!(text.starts_with(message), "{name}: {text}");
    }
}

#[test]
fn missing_and_denied_roles_have_the_same_error() {
    let unwilling = ask(&Ask { sub: "x", ..GOOD }).unwrap_err();
    let unknown = Ask { role: "arn:aws:iam::111122223333:role/none", ..GOOD };
    assert_eq!(ask(&unknown).unwrap_err(), unwilling);
}

fn web_request(token: &str) -> WebIdentityRequest<'_> {
    WebIdentityRequest {
        role: APP.parse().unwrap(),
        session_name: "me".parse().unwrap(),
        token,
        duration: Some(3600),
        policies: SessionPolicies::default(),
    }
}

#[test]
fn the_served_issuer_only_verifies_its_own_tokens() {
    let (mut accounts, issuer) = fixture();
    let elsewhere = Issuer::generate("http://oidc.other").unwrap();
    for url in [URL, elsewhere.url()] {
        let provider = Provider::new(url, vec![Audience::sts()]);
        accounts.put_provider(&"111122223333".parse().unwrap(), provider);
    }
    let ask = |iss: &str, attached: Option<&Issuer>| {
        let claims = json!({
            "iss": iss, "sub": GOOD.sub, "aud": GOOD.aud, "iat": NOW, "exp": GOOD.exp,
        });
        let header = json!({"alg": "RS256", "kid": issuer.kid()});
        let token = issuer.sign(&header, &claims).unwrap();
        let inputs =
            DecisionInputs { accounts: &accounts, issuer: attached, credential_life: None };
        decide(inputs, web_request(&token), now())
    };
    let granted = ask(URL, Some(&issuer)).unwrap();
    assert_eq!(granted.granted.packed_policy_size, None);
    for (iss, attached) in [(URL, None), (URL, Some(&elsewhere)), (elsewhere.url(), Some(&issuer))]
    {
        let error = ask(iss, attached).unwrap_err();
        let unknown = matches!(error, StsError::Token(TokenError::UnknownKey { .. }));
        assert!(unknown, "{iss}: {error}");
    }
}

#[test]
fn a_trust_policy_can_use_the_calls_condition_keys() {
    let (accounts, issuer) = fixture();
    let provider = accounts.provider("111122223333", URL).unwrap();
    let claims = json!({
        "iss": URL, "sub": "s", "aud": ["a", "b"], "amr": ["m"], "iat": NOW, "exp": NOW,
    });
    let header = json!({"alg": "RS256", "kid": "k"});
    let token = issuer.sign(&header, &claims).unwrap();
    let claims = Token::parse(&token).unwrap().claims;
    let context = source(provider, "the provider's ARN", &claims);
    let wanted = Context::default()
        .with("oidc.example/id:sub", ["s"])
        .with("oidc.example/id:aud", ["a", "b"])
        .with("oidc.example/id:amr", ["m"])
        .with("aws:FederatedProvider", ["the provider's ARN"]);
    assert_eq!(context, wanted);
}
