//! What is beside the variables that a container gets, and changes what they do: files with keys, and
//! variables from `envFrom`, which are not visible at admission.

use podrole_identity::{CredentialProvider, variable};

use super::proxy;
use crate::pod::Container;

/// Variables that name a file in which SDKs look for keys and profiles.
pub const CREDENTIALS_FILES: [&str; 2] = ["AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"];

/// The variable with which all SDKs use keys before any role.
const KEY: &str = "AWS_ACCESS_KEY_ID";

/// Warnings for a container that gets the provider's variables and these others, and must reach these
/// hosts without a proxy. The names of the containers follow each.
pub(super) fn warnings(
    container: &Container,
    provider: CredentialProvider,
    added: &[&str],
    hosts: &[String],
) -> Vec<String> {
    let file = CREDENTIALS_FILES.into_iter().find(|name| container.sets(name));
    let file = file.map(|name| keys_in(name, provider));
    let keys = container.secret_that_may_set(KEY);
    let keys = keys.map(|secret| {
        format!("if Secret {secret} sets {KEY}, SDKs use that, not the role; check its keys,")
    });
    let overridden = [variable::REGION, "NO_PROXY"].into_iter();
    let overridden = overridden.filter(|name| added.contains(name) && container.may_get(&[name]));
    let overridden = overridden.map(|name| {
        format!("podrole's {name} replaces any of envFrom; set it in env to keep yours,")
    });
    // A proxy would get the pod's token.
    let hides_proxy = !hosts.is_empty()
        && container.may_get(&variable::PROXIES)
        && !variable::NO_PROXIES
            .iter()
            .any(|name| container.has_variable(name) || added.contains(name));
    let proxy = hides_proxy.then(|| {
        let hosts = proxy::listed(hosts);
        format!("podrole cannot see envFrom: if it sets a proxy, add {hosts} to NO_PROXY")
    });
    file.into_iter().chain(keys).chain(overridden).chain(proxy).collect()
}

/// Which of the two an SDK uses; measured, or read in its source.
fn keys_in(name: &str, provider: CredentialProvider) -> String {
    match provider {
        CredentialProvider::WebIdentity => {
            format!("boto3, Go and Java use the role, Rust and C++ keys in {name}; remove one,")
        }
        CredentialProvider::Container => {
            format!("SDKs use keys in {name} before the role; remove one,")
        }
    }
}

#[cfg(test)]
mod tests {
    use CredentialProvider::{Container as Agent, WebIdentity};

    use super::*;

    fn container(json: &str) -> Container {
        serde_json::from_str(&format!(r#"{{"name":"web",{json}}}"#)).unwrap()
    }

    /// With the hosts that the provider alone needs.
    fn warned(container: &Container, provider: CredentialProvider, added: &[&str]) -> Vec<String> {
        let agent = ["169.254.170.23".to_owned(), "fd00:ec2::23".to_owned()];
        let hosts = if provider == Agent { &agent[..] } else { &[] };
        warnings(container, provider, added, hosts)
    }

    const FILE: &str =
        r#""env":[{"name":"AWS_SHARED_CREDENTIALS_FILE","value":"/credentials/cloud"}]"#;
    const ALL: &str = r#""envFrom":[{"configMapRef":{"name":"vars"}}]"#;

    #[test]
    fn a_file_with_keys_is_reported_with_what_sdks_use() {
        let with_file = container(FILE);
        let text = warned(&with_file, WebIdentity, &[]).join(" ");
        assert!(text.starts_with("boto3, Go and Java use the role, Rust"), "{text}");
        let text = warned(&with_file, Agent, &[]).join(" ");
        assert!(text.contains("AWS_SHARED_CREDENTIALS_FILE before the role"), "{text}");
        let empty = container(r#""env":[{"name":"AWS_CONFIG_FILE"}]"#);
        assert_eq!(warned(&empty, Agent, &[]), Vec::<String>::new());
    }

    #[test]
    fn settings_over_an_env_from_are_reported() {
        let added = ["AWS_ROLE_ARN", "AWS_DEFAULT_REGION", "AWS_REGION"];
        let text = warned(&container(ALL), WebIdentity, &added).join(" ");
        assert!(text.starts_with("podrole's AWS_REGION replaces any"), "{text}");
        let prefixed = r#""envFrom":[{"prefix":"DB_","secretRef":{"name":"db"}}]"#;
        for json in [prefixed, r#""envFrom":[]"#, r#""image":"x""#] {
            assert_eq!(warned(&container(json), WebIdentity, &added), Vec::<String>::new());
            assert_eq!(warned(&container(json), Agent, &added), Vec::<String>::new());
        }
        let regional = container(r#""envFrom":[{"prefix":"AWS_","configMapRef":{"name":"vars"}}]"#);
        assert_eq!(warned(&regional, WebIdentity, &added).len(), 1);
        assert_eq!(warned(&container(ALL), WebIdentity, &["AWS_ROLE_ARN"]), Vec::<String>::new());
    }

    #[test]
    fn a_secret_that_may_have_keys_is_named() {
        let of = |prefix: &str, source: &str| {
            let from = format!(r#""envFrom":[{{"prefix":"{prefix}","{source}":{{"name":"db"}}}}]"#);
            warned(&container(&from), WebIdentity, &[])
        };
        for prefix in ["", "AWS_"] {
            assert_eq!(
                of(prefix, "secretRef"),
                [
                    "if Secret db sets AWS_ACCESS_KEY_ID, SDKs use that, not the role; check its keys,"
                ]
            );
        }
        assert!(of("DB_", "secretRef").is_empty() && of("", "configMapRef").is_empty());
    }

    #[test]
    fn a_proxy_that_cannot_be_seen_is_reported_for_the_agent_alone() {
        let text = warned(&container(ALL), Agent, &[]).join(" ");
        assert!(text.contains("add 169.254.170.23 to NO_PROXY"), "{text}");
        let text =
            warnings(&container(ALL), WebIdentity, &[], &["sandbox.svc".to_owned()]).join(" ");
        assert!(text.contains("add sandbox.svc to NO_PROXY"), "{text}");
        let known = container(&format!(r#"{ALL},"env":[{{"name":"no_proxy","value":"*"}}]"#));
        assert_eq!(warned(&known, Agent, &[]), Vec::<String>::new());
        let text = warned(&container(ALL), Agent, &["NO_PROXY", "no_proxy"]).join(" ");
        assert!(text.starts_with("podrole's NO_PROXY replaces any"), "{text}");
    }
}
