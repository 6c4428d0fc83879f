//! The names in the policies are those that webhook and agent use: the chart's `files/injection.yaml` holds
//! them, because a template cannot ask a crate.

use podrole_identity::{
    AGENT_ADDRESSES, CredentialProvider, DEFAULT_TOKEN_EXPIRATION_SECONDS, DISABLE_IMDS_ANNOTATION,
    EKS_POD_IDENTITY_LABEL, Exchange, INCLUDE_CONTAINERS_ANNOTATION, MAX_TOKEN_EXPIRATION_SECONDS,
    MIN_TOKEN_EXPIRATION_SECONDS, REGION_ANNOTATION, SKIP_CONTAINERS, TOKEN_EXPIRATION,
    TRUE_VALUES, variable,
};
use serde_json::{Value, json};

use crate::{golden, helm, objects};

const HEAD: &str = "# What podrole adds to a container with the provider `container`, and what it looks at, as JSON.\n\
    # Generated from the crate podrole-identity by `PODROLE_BLESS=1 ./test chart`.\n";

fn names() -> Value {
    let volume = CredentialProvider::Container.token_volume();
    let exchanges = [Exchange::WebIdentity, Exchange::AssumeRole, Exchange::EksAuth];
    let audiences: serde_json::Map<_, _> =
        exchanges.map(|it| (it.to_string(), it.audience().as_str().into())).into_iter().collect();
    json!({
        "volume": volume.name,
        "mountPath": volume.mount_path,
        "file": volume.file,
        "tokenPath": volume.token_file(),
        "expirationSeconds": {
            "default": DEFAULT_TOKEN_EXPIRATION_SECONDS,
            "min": MIN_TOKEN_EXPIRATION_SECONDS,
            "max": MAX_TOKEN_EXPIRATION_SECONDS,
        },
        "audiences": audiences,
        "podLabel": EKS_POD_IDENTITY_LABEL,
        "agentAddresses": AGENT_ADDRESSES,
        "annotations": {
            "includeContainers": INCLUDE_CONTAINERS_ANNOTATION,
            // These two come after EKS's prefix.
            "skipContainers": SKIP_CONTAINERS,
            "tokenExpiration": TOKEN_EXPIRATION,
            "region": REGION_ANNOTATION,
            "disableImds": DISABLE_IMDS_ANNOTATION,
        },
        "trueValues": TRUE_VALUES,
        "variables": {
            "fullUri": variable::CONTAINER_FULL_URI,
            "tokenFile": variable::CONTAINER_TOKEN_FILE,
            "roleArn": variable::ROLE_ARN,
            "webIdentityTokenFile": variable::WEB_IDENTITY_TOKEN_FILE,
            "stsRegionalEndpoints": variable::STS_REGIONAL_ENDPOINTS,
            "region": variable::REGION,
            "defaultRegion": variable::DEFAULT_REGION,
            "endpointUrl": variable::ENDPOINT_URL,
            "ec2MetadataDisabled": variable::EC2_METADATA_DISABLED,
        },
        "userDecided": variable::USER_DECIDED,
        "proxies": variable::PROXIES,
        "noProxies": variable::NO_PROXIES,
    })
}

#[test]
fn the_names_are_those_of_the_daemons() -> anyhow::Result<()> {
    let text = format!("{HEAD}{}\n", serde_json::to_string_pretty(&names())?);
    golden::same(&helm::chart().join("files/injection.yaml"), &text)
}

/// The labels, which the templates of both modes write.
#[test]
fn the_labels_are_those_of_the_daemons() -> anyhow::Result<()> {
    let rendered = objects::read(&helm::template(&["webhook.mode=policy"])?)?;
    for (name, value) in [("podrole-enabled", "enabled"), ("podrole-required", "required")] {
        let policy = objects::find(&rendered, "MutatingAdmissionPolicy", name)?;
        let selector = &policy["spec"]["matchConstraints"]["namespaceSelector"]["matchExpressions"];
        let wanted =
            json!({"key": podrole_identity::INJECTION_LABEL, "operator": "In", "values": [value]});
        let provider = CredentialProvider::Container.as_str();
        let container = json!({"key": podrole_identity::CREDENTIALS_LABEL, "operator": "In", "values": [provider]});
        for expression in [wanted, container] {
            let is_there = selector.as_array().is_some_and(|it| it.contains(&expression));
            anyhow::ensure!(is_there, "{name}: no {expression} in {selector}");
        }
    }
    Ok(())
}
