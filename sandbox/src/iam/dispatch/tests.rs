use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use http::{HeaderMap, HeaderName, Uri};

use super::*;
use crate::{
    Config,
    accounts::{Accounts, Identity, Role, UserArn},
    iam::caller::IamCaller,
    policy::Policy,
    sessions::{Grant, SessionAttributes},
};

const TRUST: &str = r#"{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "*"}}"#;
const MAY: &str = r#"{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}"#;
const PROVIDER: &str = "arn:aws:iam::111122223333:oidc-provider/oidc.example/id";

/// Calls operations directly, without a signature, in the account 111122223333.
struct Bench {
    accounts: Accounts,
}

impl Bench {
    fn new() -> Self {
        Self { accounts: Accounts::default() }
    }

    /// The XML of a success, or the code of an error.
    fn call(&mut self, action: &str, fields: &[(&str, &str)]) -> Result<String, &'static str> {
        let body = serde_urlencoded::to_string(fields).unwrap();
        let (uri, headers) = (Uri::from_static("/"), HeaderMap::new());
        let call = Call { method: "POST", uri: &uri, headers: &headers, body: body.as_bytes() };
        let parameters = Parameters::read(&call).unwrap();
        let (name, operation) = OPERATIONS.iter().find(|(name, _)| *name == action).unwrap();
        let caller = IamCaller { account: "111122223333".to_owned(), partition: "aws".to_owned() };
        let now = Timestamp::from_second(1_000_000_000).unwrap();
        let accounts = &mut self.accounts;
        let mut context = IamContext { operation: name, accounts, caller: &caller, now };
        let done = operation(&mut context, &Input::new(&parameters));
        done.map(|done| done.document.write(name, "id")).map_err(|error| error.code().0)
    }

    fn role(&mut self, name: &str) -> Result<String, &'static str> {
        self.call("CreateRole", &[("RoleName", name), ("AssumeRolePolicyDocument", TRUST)])
    }
}

#[test]
fn a_role_is_created_changed_and_deleted() {
    let mut iam = Bench::new();
    let fields = [
        ("RoleName", "app"),
        ("Path", "/team/"),
        ("AssumeRolePolicyDocument", TRUST),
        ("Description", "a <role>"),
        ("MaxSessionDuration", "7200"),
        ("Tags.member.1.Key", "Team"),
        ("Tags.member.1.Value", "shop"),
    ];
    let made = iam.call("CreateRole", &fields).unwrap();
    for part in [
        "<CreateRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><CreateRoleResult><Role>",
        "<Path>/team/</Path><RoleName>app</RoleName><RoleId>AROA",
        "<Arn>arn:aws:iam::111122223333:role/team/app</Arn>",
        "<CreateDate>2001-09-09T01:46:40Z</CreateDate>",
        "<AssumeRolePolicyDocument>%7B%22Statement%22%3A%20%7B",
        "<Description>a &lt;role&gt;</Description><MaxSessionDuration>7200</MaxSessionDuration>",
        "<Tags><member><Key>Team</Key><Value>shop</Value></member></Tags>",
        "<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></CreateRoleResponse>",
    ] {
        assert!(made.contains(part), "{part}\n{made}");
    }
    assert_eq!(iam.role("APP"), Err("EntityAlreadyExists"));
    let name = [("RoleName", "app")];
    // Without a duration it is reset to an hour.
    iam.call("UpdateRole", &name).unwrap();
    let role = iam.accounts.role_named("111122223333", "app").unwrap();
    assert_eq!((role.max_session_duration, role.description.as_deref()), (3600, Some("a <role>")));
    let policy = [("RoleName", "app"), ("PolicyName", "may"), ("PolicyDocument", MAY)];
    iam.call("PutRolePolicy", &policy).unwrap();
    assert_eq!(iam.call("DeleteRole", &name), Err("DeleteConflict"));
    let listed = iam.call("ListRolePolicies", &name).unwrap();
    assert!(listed.contains("<PolicyNames><member>may</member></PolicyNames><IsTruncated>false<"));
    iam.call("DeleteRolePolicy", &policy[..2]).unwrap();
    assert_eq!(iam.call("GetRolePolicy", &policy[..2]), Err("NoSuchEntity"));
    iam.call("DeleteRole", &name).unwrap();
    assert_eq!(iam.call("GetRole", &name), Err("NoSuchEntity"));
}

#[test]
fn invalid_input_has_iams_code() {
    let mut iam = Bench::new();
    iam.role("app").unwrap();
    let long = "x".repeat(2100);
    let long = format!(r#"{{"Id": "{long}", "Statement": []}}"#);
    for (action, fields, code) in [
        (
            "CreateRole",
            &[("RoleName", "a b"), ("AssumeRolePolicyDocument", TRUST)][..],
            "ValidationError",
        ),
        ("CreateRole", &[("RoleName", "b")], "ValidationError"),
        (
            "CreateRole",
            &[("RoleName", "b"), ("AssumeRolePolicyDocument", "{}")],
            "MalformedPolicyDocument",
        ),
        ("CreateRole", &[("RoleName", "b"), ("AssumeRolePolicyDocument", &long)], "LimitExceeded"),
        (
            "CreateRole",
            &[("RoleName", "b"), ("AssumeRolePolicyDocument", TRUST), ("Path", "team")],
            "ValidationError",
        ),
        (
            "CreateRole",
            &[
                ("RoleName", "b"),
                ("AssumeRolePolicyDocument", TRUST),
                ("MaxSessionDuration", "3599"),
            ],
            "ValidationError",
        ),
        ("UpdateRole", &[("RoleName", "app"), ("MaxSessionDuration", "43201")], "ValidationError"),
        (
            "UpdateAssumeRolePolicy",
            &[("RoleName", "app"), ("PolicyDocument", "[")],
            "MalformedPolicyDocument",
        ),
        (
            "UpdateAssumeRolePolicy",
            &[("RoleName", "none"), ("PolicyDocument", TRUST)],
            "NoSuchEntity",
        ),
        (
            "PutRolePolicy",
            &[("RoleName", "app"), ("PolicyName", "p"), ("PolicyDocument", TRUST)],
            "MalformedPolicyDocument",
        ),
        ("DeleteRolePolicy", &[("RoleName", "app"), ("PolicyName", "p")], "NoSuchEntity"),
        ("TagRole", &[("RoleName", "app"), ("Tags.member.1.Key", "a")], "ValidationError"),
        (
            "TagRole",
            &[("RoleName", "app"), ("Tags.member.1.Key", "aws:a"), ("Tags.member.1.Value", "")],
            "ValidationError",
        ),
        ("ListRoles", &[("MaxItems", "0")], "ValidationError"),
        ("ListAttachedRolePolicies", &[("RoleName", "none")], "NoSuchEntity"),
        ("ListInstanceProfilesForRole", &[("RoleName", "none")], "NoSuchEntity"),
        ("GetOpenIDConnectProvider", &[("OpenIDConnectProviderArn", PROVIDER)], "NoSuchEntity"),
        (
            "GetOpenIDConnectProvider",
            &[("OpenIDConnectProviderArn", "arn:aws:iam::1:role/a")],
            "ValidationError",
        ),
        ("DeleteOpenIDConnectProvider", &[("OpenIDConnectProviderArn", PROVIDER)], "NoSuchEntity"),
        ("CreateOpenIDConnectProvider", &[("Url", "http://oidc.example")], "InvalidInput"),
        ("CreateOpenIDConnectProvider", &[("Url", "https://oidc.example:8443")], "InvalidInput"),
        ("CreateOpenIDConnectProvider", &[("Url", "https://oidc.example?a")], "InvalidInput"),
        ("CreateOpenIDConnectProvider", &[("Url", "https://")], "InvalidInput"),
        ("CreateOpenIDConnectProvider", &[], "ValidationError"),
        (
            "CreateOpenIDConnectProvider",
            &[("Url", "https://oidc.example"), ("ThumbprintList.member.1", "abc")],
            "ValidationError",
        ),
    ] {
        assert_eq!(iam.call(action, fields), Err(code), "{action} {fields:?}");
    }
}

#[test]
fn a_provider_s_url_may_end_with_a_slash() {
    let mut iam = Bench::new();
    let fields = [("Url", "https://oidc.example/id/"), ("ClientIDList.member.1", "a")];
    let made = iam.call("CreateOpenIDConnectProvider", &fields).unwrap();
    assert!(made.contains("oidc-provider/oidc.example/id/<"), "{made}");
    let without = [("Url", "https://oidc.example/id"), ("ClientIDList.member.1", "a")];
    iam.call("CreateOpenIDConnectProvider", &without).unwrap();
}

#[test]
fn a_provider_is_created_changed_and_deleted() {
    let mut iam = Bench::new();
    let thumbprint = "a".repeat(40);
    let fields = [
        ("Url", "https://oidc.example/id"),
        ("ClientIDList.member.1", "sts.amazonaws.com"),
        ("ThumbprintList.member.1", thumbprint.as_str()),
    ];
    let made = iam.call("CreateOpenIDConnectProvider", &fields).unwrap();
    assert!(made.contains(&format!("<OpenIDConnectProviderArn>{PROVIDER}<")), "{made}");
    let again = iam.call("CreateOpenIDConnectProvider", &fields);
    assert_eq!(again, Err("EntityAlreadyExists"));
    let arn = ("OpenIDConnectProviderArn", PROVIDER);
    iam.call("AddClientIDToOpenIDConnectProvider", &[arn, ("ClientID", "other")]).unwrap();
    let ids = [arn, ("ClientID", "sts.amazonaws.com")];
    iam.call("RemoveClientIDFromOpenIDConnectProvider", &ids).unwrap();
    let got = iam.call("GetOpenIDConnectProvider", &[arn]).unwrap();
    for part in [
        "<Url>oidc.example/id</Url><ClientIDList><member>other</member></ClientIDList>",
        &format!("<ThumbprintList><member>{thumbprint}</member></ThumbprintList>"),
        "<CreateDate>2001-09-09T01:46:40Z</CreateDate>",
    ] {
        assert!(got.contains(part), "{part}\n{got}");
    }
    let listed = iam.call("ListOpenIDConnectProviders", &[]).unwrap();
    assert!(listed.contains(&format!("<member><Arn>{PROVIDER}</Arn></member>")), "{listed}");
    iam.call("DeleteOpenIDConnectProvider", &[arn]).unwrap();
    assert_eq!(iam.call("GetOpenIDConnectProvider", &[arn]), Err("NoSuchEntity"));
}

#[test]
fn tags_replace_tags_and_lists_are_paginated() {
    let mut iam = Bench::new();
    for name in ["a", "b", "c"] {
        iam.role(name).unwrap();
    }
    let first = iam.call("ListRoles", &[("MaxItems", "2")]).unwrap();
    assert!(first.contains("<IsTruncated>true</IsTruncated><Marker>b</Marker>"), "{first}");
    assert!(!first.contains("<RoleName>c</RoleName>"));
    let second = iam.call("ListRoles", &[("MaxItems", "2"), ("Marker", "b")]).unwrap();
    assert!(second.contains("<RoleName>c</RoleName>") && !second.contains("<RoleName>b<"));
    assert!(second.contains("<IsTruncated>false</IsTruncated></"), "{second}");

    let tag = |key, value| {
        [("RoleName", "a"), ("Tags.member.1.Key", key), ("Tags.member.1.Value", value)]
    };
    iam.call("TagRole", &tag("Team", "shop")).unwrap();
    iam.call("TagRole", &tag("team", "till")).unwrap();
    let tags = iam.call("ListRoleTags", &[("RoleName", "a")]).unwrap();
    assert!(tags.contains("<Tags><member><Key>team</Key><Value>till</Value></member></Tags>"));
    iam.call("UntagRole", &[("RoleName", "a"), ("TagKeys.member.1", "TEAM")]).unwrap();
    let tags = iam.call("ListRoleTags", &[("RoleName", "a")]).unwrap();
    assert!(tags.contains("<Tags/>"), "{tags}");
}

const FILE: &str = r#"
accounts:
  "111122223333":
    users:
      admin:
        arn: arn:aws:iam::111122223333:user/admin
        keys: [{id: AKIAIOSFODNN7EXAMPLE, secret: a secret of the tests}]
"#;

/// The headers of a signed call.
fn signed(
    (id, secret, token): (&str, &str, Option<&str>),
    service: &str,
    body: &[u8],
    now: Timestamp,
) -> HeaderMap {
    let token = token.map(str::to_owned);
    let identity = Credentials::new(id, secret, token, None, "test").into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name(service)
        .time(now.into())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let url = "http://iam.test/";
    let body = SignableBody::Bytes(body);
    let request = SignableRequest::new("POST", url, std::iter::empty(), body).unwrap();
    let (headers, _) = sign(request, &params).unwrap().into_parts().0.into_parts();
    let headers = headers.iter().map(|one| (one.name().to_owned(), one.value().to_owned()));
    let host = [("host".to_owned(), "iam.test".to_owned())];
    let headers = headers.chain(host);
    headers
        .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
        .collect()
}

#[test]
fn only_users_change_iam_and_only_with_their_signature() {
    let sandbox = Sandbox::new(Config::read(FILE).unwrap());
    let now = Timestamp::from_second(1_000_000_000).unwrap();
    let body = b"Action=ListRoles&Version=2010-05-08";
    let answer = |key: (&str, &str, Option<&str>), service: &str| {
        let (uri, headers) =
            (Uri::from_static("http://iam.test/"), signed(key, service, body, now));
        let call = Call { method: "POST", uri: &uri, headers: &headers, body };
        let parameters = Parameters::read(&call).unwrap();
        assert!(is_called(&parameters));
        let answer = super::answer(&sandbox, &call, &parameters, now);
        let code = answer.xml.split_once("<Code>").map(|(_, rest)| rest.split('<').next().unwrap());
        (answer.status, code.unwrap_or("OK").to_owned())
    };
    let (id, secret) = ("AKIAIOSFODNN7EXAMPLE", "a secret of the tests");
    let is = |status, code: &str| (status, code.to_owned());
    assert_eq!(answer((id, secret, None), "iam"), is(200, "OK"));
    assert_eq!(answer((id, "another", None), "iam"), is(403, "SignatureDoesNotMatch"));
    assert_eq!(answer((id, secret, None), "sts"), is(403, "SignatureDoesNotMatch"));
    assert_eq!(answer((id, secret, Some("token")), "iam"), is(403, "InvalidClientTokenId"));
    assert_eq!(answer(("AKIAUNKNOWN", secret, None), "iam"), is(403, "InvalidClientTokenId"));
    // A role session is authenticated, and is denied.
    let role: podrole_identity::RoleArn = "arn:aws:iam::111122223333:role/app".parse().unwrap();
    sandbox.put_role(Role::new(role.clone(), Policy::read(TRUST).unwrap())).unwrap();
    let issue = |identity| {
        let expiration = now + jiff::SignedDuration::from_hours(1);
        let attributes = SessionAttributes::default();
        let grant = Grant { identity, issued: now, expiration, attributes };
        sandbox.session_key().issue(grant).unwrap()
    };
    let pod = issue(Identity::session(&role, &"pod-1".parse().unwrap()));
    let (id, secret, token) = (&*pod.key_id, &*pod.secret, Some(&*pod.token));
    assert_eq!(answer((id, secret, token), "iam"), is(403, "AccessDenied"));
    assert_eq!(answer((id, "wrong", token), "iam"), is(403, "SignatureDoesNotMatch"));
    assert_eq!(answer((id, secret, None), "iam"), is(403, "InvalidClientTokenId"));
    // Temporary credentials of the user are denied too.
    let user = UserArn::read("arn:aws:iam::111122223333:user/admin").unwrap();
    let own = issue(Identity::user(&user));
    let (id, secret, token) = (&*own.key_id, &*own.secret, Some(&*own.token));
    assert_eq!(answer((id, secret, token), "iam"), is(403, "AccessDenied"));
    assert_eq!(sandbox.calls()["ListRoles"], 9);
}
