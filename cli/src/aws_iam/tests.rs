//! The client against the sandbox's IAM API, which checks signatures and parameters as AWS does.

use super::{testing::iam, *};

const ROLE: &str = "arn:aws:iam::111122223333:role/team/shop-app";
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/oidc.example.com";
const ACCOUNTS: &str = r#"
accounts:
  "111122223333":
    oidcProviders: [{url: https://oidc.example.com, clientIds: [sts.amazonaws.com, "a&b"]}]
    users:
      admin:
        arn: arn:aws:iam::111122223333:user/admin
        keys: [{id: AKIAIOSFODNN7EXAMPLE, secret: secret}]
    roles:
      shop-app:
        arn: arn:aws:iam::111122223333:role/team/shop-app
        maxSessionDuration: 7200
        trustPolicy:
          Statement:
            Effect: Allow
            Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/oidc.example.com"}
            Action: sts:AssumeRoleWithWebIdentity
"#;

#[tokio::test]
async fn roles_and_providers_are_read() {
    let (iam, _) = iam(ACCOUNTS, "secret").await;
    let role = iam.role(&ROLE.parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((role.arn.as_str(), role.max_session_duration), (ROLE, 7200));
    assert!(role.trust_policy.contains(r#""Action":"#), "{}", role.trust_policy);
    let none = "arn:aws:iam::111122223333:role/none".parse().unwrap();
    assert_eq!(iam.role(&none).await.unwrap(), None);
    assert_eq!(iam.oidc_providers().await.unwrap(), [PROVIDER]);
    let provider = iam.oidc_provider(PROVIDER).await.unwrap().unwrap();
    assert_eq!(provider.url, "oidc.example.com");
    assert_eq!(provider.client_ids, ["sts.amazonaws.com", "a&b"]);
    let other = PROVIDER.replace("oidc.example", "other.example");
    assert_eq!(iam.oidc_provider(&other).await.unwrap(), None);
}

#[tokio::test]
async fn a_policy_is_put_on_a_role() {
    let (iam, sandbox) = iam(ACCOUNTS, "secret").await;
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}"#;
    iam.put_role_policy(&ROLE.parse().unwrap(), "podrole-revoke", policy).await.unwrap();
    assert_eq!(sandbox.calls().get("PutRolePolicy"), Some(&1));
    let none = "arn:aws:iam::111122223333:role/none".parse().unwrap();
    let error = iam.put_role_policy(&none, "podrole-revoke", policy).await.unwrap_err();
    assert!(error.to_string().starts_with("IAM refuses the call: NoSuchEntity: "), "{error}");
}

#[tokio::test]
async fn a_wrong_key_is_refused_with_awss_reason() {
    let (iam, _) = iam(ACCOUNTS, "other").await;
    let error = iam.oidc_providers().await.unwrap_err().to_string();
    assert!(error.starts_with("IAM refuses the call: SignatureDoesNotMatch: "), "{error}");
}

#[test]
fn each_partition_has_one_endpoint() {
    for (region, url, signed) in [
        ("eu-west-1", "https://iam.amazonaws.com", "us-east-1"),
        ("cn-northwest-1", "https://iam.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("us-gov-east-1", "https://iam.us-gov.amazonaws.com", "us-gov-west-1"),
        ("eusc-de-east-1", "https://iam.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
    ] {
        assert_eq!(standard(region), (url.to_owned(), signed));
    }
}

#[test]
fn an_empty_list_and_a_strange_answer_are_read() {
    let empty = "<ListOpenIDConnectProvidersResponse><ListOpenIDConnectProvidersResult>\
                 <OpenIDConnectProviderList/></ListOpenIDConnectProvidersResult></ListOpenIDConnectProvidersResponse>";
    assert!(answers::providers(empty.as_bytes()).unwrap().is_empty());
    for strange in ["", "<a/>", "{}", "\u{0}"] {
        assert!(answers::providers(strange.as_bytes()).is_err(), "{strange}");
        assert!(answers::role(strange.as_bytes()).is_err(), "{strange}");
    }
}
