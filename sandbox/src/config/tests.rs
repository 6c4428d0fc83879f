use super::*;

const FILE: &str = r#"
accounts:
  "111122223333":
    organizationId: o-example
    oidcProviders:
      - url: https://oidc.example
        clientIds: [sts.amazonaws.com]
    users:
      node:
        arn: arn:aws:iam::111122223333:user/team/node
        keys:
          - {id: AKIAIOSFODNN7EXAMPLE, secret: hidden}
        policies:
          assume:
            Statement: {Effect: Allow, Action: sts:AssumeRole, Resource: "*"}
        tags: {team: shop}
    roles:
      app:
        arn: arn:aws:iam::111122223333:role/team/app
        maxSessionDuration: 7200
        trustPolicy:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Principal: {Federated: "arn:aws:iam::111122223333:oidc-provider/oidc.example"}
              Action: sts:AssumeRoleWithWebIdentity
clusters:
  - name: shop
    arn: arn:aws:eks:eu-west-1:111122223333:cluster/shop
    issuer: https://cluster.example
    associations:
      - namespace: shop
        serviceAccount: app
        roleArn: arn:aws:iam::111122223333:role/team/app
        targetRoleArn: arn:aws:iam::444455556666:role/target
        disableSessionTags: true
        policy: {Statement: {Effect: Allow, Action: "*", Resource: "*"}}
credentialLife: 30s
"#;

#[test]
fn a_file_is_parsed() {
    let config = Config::read(FILE).unwrap();
    assert_eq!(config.credential_life, Some(Duration::from_secs(30)));
    let both = ["https://oidc.example", "https://cluster.example"];
    assert_eq!(config.keyless_providers(None), both);
    assert_eq!(config.keyless_providers(Some(both[0])), both[1..]);
    let accounts = config.accounts;
    assert_eq!(accounts.organization("111122223333"), Some("o-example"));
    let role = accounts.role(&"arn:aws:iam::111122223333:role/team/app".parse().unwrap()).unwrap();
    assert_eq!(role.max_session_duration, 7200);
    let (user, key) = accounts.user_of_key("AKIAIOSFODNN7EXAMPLE").unwrap();
    assert_eq!((user.arn.name(), &*key.secret), ("node", "hidden"));
    assert_eq!(user.tags.get("team"), Some("shop"));
    assert!(user.policies.contains_key("assume"));
    let cluster = accounts.cluster("111122223333", "eu-west-1", "shop").unwrap();
    let association = cluster.association(&"shop/app".parse().unwrap()).unwrap();
    assert_eq!(association.role, role.arn);
    assert_eq!(cluster.external_id(association), "eu-west-1/111122223333/shop/shop/app");
    for (account, region, name) in [
        ("444455556666", "eu-west-1", "shop"),
        ("111122223333", "eu-west-2", "shop"),
        ("111122223333", "eu-west-1", "other"),
    ] {
        assert!(accounts.cluster(account, region, name).is_none(), "{account} {region} {name}");
    }
    Config::read("{}").unwrap();
    // Without quotes the digits are a number in YAML.
    Config::read(&FILE.replacen("\"111122223333\"", "111122223333", 1)).unwrap();
}

#[test]
fn a_config_map_may_contain_the_file() {
    let held = |kind: &str, files: &[(&str, &str)]| {
        let data: std::collections::BTreeMap<_, _> = files.iter().copied().collect();
        let metadata = serde_json::json!({"name": "sandbox"});
        let map = serde_json::json!({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data});
        Config::read(&map.to_string())
    };
    let config = held("ConfigMap", &[("sandbox.yaml", FILE)]).unwrap();
    assert!(config.accounts.cluster("111122223333", "eu-west-1", "shop").is_some());
    for (kind, files) in [
        ("Secret", &[("sandbox.yaml", FILE)][..]),
        ("ConfigMap", &[]),
        ("ConfigMap", &[("a", FILE), ("b", FILE)]),
    ] {
        let error = held(kind, files).unwrap_err().to_string();
        assert!(error.contains("a ConfigMap with that file alone"), "{error}");
    }
    let error = held("ConfigMap", &[("a", "accounts: 1")]).unwrap_err().to_string();
    assert!(error.starts_with("line 1"), "{error}");
}

#[test]
fn an_error_has_line_and_reason() {
    for (from, to, line, reason) in [
        ("roles:", "rolls:", 17, "rolls"),
        ("clientIds", "audiences", 6, "audiences"),
        ("\"111122223333\"", "\"1111\"", 3, "12 digits"),
        ("[sts.amazonaws.com]", "[\"\"]", 7, "audience"),
        ("url: https://", "url: ftp://", 6, "https://"),
        ("role/team/app", "user/app", 19, "not the ARN of a role"),
        ("user/team/node", "role/node", 10, "is not the ARN of a user"),
        ("AKIAIOSFODNN7EXAMPLE", "AKIA", 12, "not an access key id"),
        ("secret:", "password:", 12, "password"),
        ("Resource: \"*\"", "Principal: \"*\"", 15, "Principal"),
        ("team: shop", "\"aws:team\": shop", 16, "aws:"),
        ("Action: sts:AssumeRoleWith", "NotPrincipal: sts:AssumeRoleWith", 26, "NotPrincipal"),
        ("Effect: Allow\n", "Effect: Permit\n", 24, "Permit"),
        ("maxSessionDuration: 7200", "maxSessionDuration: long", 20, ""),
        ("cluster/shop", "node/shop", 29, "is not the ARN of a cluster"),
        ("issuer: https", "url: https", 30, "url"),
        ("targetRoleArn", "targetRole", 35, "targetRole"),
        ("credentialLife: 30s", "credentialLife: soon", 38, "not a duration"),
        ("credentialLife: 30s", "credentialLife: 0s", 38, "too short"),
        ("accounts:", "accounts: [", 0, ""),
    ] {
        assert!(FILE.contains(from), "{from}");
        let error = Config::read(&FILE.replacen(from, to, 1)).unwrap_err();
        let ConfigError::Read { line: at, reason: why, .. } = &error else {
            panic!("{to}: {error}");
        };
        assert!(line == 0 || at.abs_diff(line) <= 1, "{to}: {error}");
        assert!(why.contains(reason) && !why.contains(" at line "), "{to}: {error}");
    }
}

#[test]
fn everything_is_listed_under_its_account_and_name() {
    let read = |from: &str, to: &str| {
        assert!(FILE.contains(from), "{from}");
        Config::read(&FILE.replacen(from, to, 1)).unwrap_err()
    };
    for from in ["111122223333:role/team", "111122223333:user"] {
        let error = read(from, &from.replace("1111", "4444"));
        assert!(matches!(error, ConfigError::Account { .. }), "{error}");
    }
    for (from, to) in [("      app:", "      shop:"), ("      node:", "      other:")] {
        let error = read(from, to);
        assert!(matches!(error, ConfigError::Name { .. }), "{error}");
    }
    let error = read("7200", "60");
    assert!(matches!(error, ConfigError::MaxSessionDuration(_)), "{error}");
    let key = "          - {id: AKIAIOSFODNN7EXAMPLE, secret: hidden}\n";
    let error = read(key, &key.repeat(2));
    assert!(matches!(error, ConfigError::KeyTwice { .. }), "{error}");
}

#[test]
fn an_association_must_be_one_that_eks_accepts() {
    for (from, to, reason) in [
        ("- name: shop", "- name: other", "its ARN contains the name \"shop\""),
        ("roleArn: arn:aws:iam::1111", "roleArn: arn:aws:iam::4444", "targetRoleArn"),
        ("disableSessionTags: true", "disableSessionTags: false", "disableSessionTags: true"),
        ("serviceAccount: app", "serviceAccount: a/b", "shop/a/b"),
    ] {
        assert!(FILE.contains(from), "{from}");
        let error = Config::read(&FILE.replacen(from, to, 1)).unwrap_err();
        assert!(matches!(error, ConfigError::Cluster { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}
