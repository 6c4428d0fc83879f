use super::*;

const FILE: &str = r#"
accounts:
  "111122223333":
    oidcProviders:
      - url: https://oidc.example
        clientIds: [sts.amazonaws.com]
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
credentialLife: 30s
"#;

#[test]
fn a_file_is_read() {
    let config = Config::read(FILE).unwrap();
    assert_eq!(config.credential_life, Some(Duration::from_secs(30)));
    assert_eq!(config.keyless_providers(None), ["https://oidc.example"]);
    let served = config.keyless_providers(Some("https://oidc.example"));
    assert!(served.is_empty());
    let arn = "arn:aws:iam::111122223333:role/team/app".parse().unwrap();
    let role = config.accounts.role(&arn).unwrap();
    assert_eq!(role.max_session_duration, 7200);
    Config::read("{}").unwrap();
    // YAML takes the digits for a number where nobody quotes them.
    Config::read(&FILE.replace('"', "")).unwrap();
}

#[test]
fn a_fault_names_its_line_and_reason() {
    for (from, to, line, reason) in [
        ("roles:", "rolls:", 7, "rolls"),
        ("clientIds", "audiences", 5, "audiences"),
        ("\"111122223333\"", "\"1111\"", 3, "12 digits"),
        ("[sts.amazonaws.com]", "[\"\"]", 6, "audience"),
        ("url: https://", "url: ftp://", 5, "https://"),
        ("role/team/app", "user/app", 9, "names no role"),
        ("Action:", "NotAction:", 16, "NotAction"),
        ("Effect: Allow", "Effect: Permit", 14, "Permit"),
        ("maxSessionDuration: 7200", "maxSessionDuration: long", 10, ""),
        ("credentialLife: 30s", "credentialLife: soon", 17, "no duration"),
        ("credentialLife: 30s", "credentialLife: 0s", 17, "too short"),
        ("accounts:", "accounts: [", 0, ""),
    ] {
        let fault = Config::read(&FILE.replacen(from, to, 1)).unwrap_err();
        let ConfigError::Read { line: at, reason: why, .. } = &fault else {
            panic!("{to}: {fault}");
        };
        assert!(line == 0 || at.abs_diff(line) <= 1, "{to}: {fault}");
        assert!(why.contains(reason) && !why.contains(" at line "), "{to}: {fault}");
    }
}

#[test]
fn a_role_stands_under_its_account_and_name() {
    let read = |from: &str, to: &str| Config::read(&FILE.replacen(from, to, 1)).unwrap_err();
    let fault = read("111122223333:role", "444455556666:role");
    assert!(matches!(fault, ConfigError::Account { .. }), "{fault}");
    let fault = read("      app:", "      shop:");
    assert!(matches!(fault, ConfigError::RoleName { .. }), "{fault}");
    let fault = read("7200", "60");
    assert!(matches!(fault, ConfigError::MaxSessionDuration { .. }), "{fault}");
}
