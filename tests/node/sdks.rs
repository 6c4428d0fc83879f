//! AWS's SDKs and their like, each in a real pod, by both ways and by neither.
//!
//! A container of the table runs `/whoami SDK`: GetCallerIdentity by that SDK's default chain, printed as a line of JSON. By web
//! identity it asks `https://sts.us-east-1.amazonaws.com`, which the cluster's DNS knows as the sandbox, whose CA the pod mounts.

use std::{collections::BTreeMap, env, fs};

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use podrole_tests::project;
use serde_json::{Value, json};

use crate::{
    pods::{container, pod},
    report::Seen,
    stage::Stage,
};

/// What STS is called here, as by every SDK's own rules.
pub(crate) const STS: &str = "https://sts.us-east-1.amazonaws.com";
/// The sandbox, in front of moto.
const SANDBOX: &str = "http://podrole-sandbox.podrole.svc:4566";
const CA: &str = "test-ca";
const PAGE: &str = "docs/sdks.md";
const WAYS: [&str; 3] = ["web-identity", "container", "none"];

/// An SDK, the image that holds it, and the ways that it does not speak, with the reason.
struct Sdk {
    name: &'static str,
    image: &'static str,
    /// Speaks S3 only: the sandbox tells whom it took it for, so that no other may ask at the same time.
    s3: bool,
    unsupported: &'static [(&'static str, &'static str)],
}

const fn sdk(name: &'static str, image: &'static str) -> Sdk {
    Sdk { name, image, s3: false, unsupported: &[] }
}

const fn s3(name: &'static str, image: &'static str) -> Sdk {
    Sdk { name, image, s3: true, unsupported: &[] }
}

const SDKS: &[Sdk] = &[
    sdk("boto3", "python"),
    sdk("aiobotocore", "python"),
    sdk("awscli", "python"),
    sdk("js-v3", "javascript"),
    sdk("js-v2", "javascript"),
    sdk("go-v2", "go"),
    sdk("go-v1", "go"),
    sdk("java-v2", "java"),
    sdk("java-v1", "java"),
    sdk("rust", "rust"),
    Sdk {
        unsupported: &[(
            "container",
            "Debian's 3.168 is older than 3.188, the first to take this address",
        )],
        ..sdk("ruby", "ruby")
    },
    s3("pyarrow", "python"),
    s3("obstore", "python"),
    s3("minio", "python"),
];

/// The table, printed and compared with the one in the docs; with `PODROLE_WRITE=1` it is written there.
pub(crate) async fn matrix(stage: &Stage) -> Seen {
    stage.images(&["go", "javascript", "java", "rust", "ruby"]).await?;
    let mut columns = futures::future::try_join_all(WAYS.map(|way| column(stage, way))).await?;
    for (way, column) in WAYS.into_iter().zip(&mut columns) {
        for sdk in SDKS.iter().filter(|sdk| sdk.s3) {
            column.extend(asked(stage, way, sdk.name, &[sdk]).await?);
        }
    }
    let mut table = String::from(
        "| | web identity | container credentials | not opted in |\n|---|---|---|---|\n",
    );
    let mut failures = Vec::new();
    for sdk in SDKS {
        let cells: Vec<_> = columns
            .iter()
            .map(|column| {
                column.get(sdk.name).cloned().unwrap_or_else(|| "fail: no answer".to_owned())
            })
            .collect();
        table += &format!("| {} | {} |\n", sdk.name, cells.join(" | "));
        failures.extend(
            cells
                .iter()
                .filter(|cell| cell.starts_with("fail"))
                .map(|cell| format!("{}: {cell}", sdk.name)),
        );
    }
    println!("{table}");
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    kept(&table)?;
    Ok(format!("{} SDKs, {} cells as they must be", SDKS.len(), SDKS.len() * WAYS.len()))
}

fn kept(table: &str) -> anyhow::Result<()> {
    let path = project::root().join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| PAGE)?;
    let begin = page.find("| | web identity").context("the page has no table")?;
    let end = page[begin..].find("\n\n").map_or(page.len(), |end| begin + end + 1);
    if page[begin..end] == *table {
        return Ok(());
    }
    ensure!(
        env::var_os("PODROLE_WRITE").is_some(),
        "{PAGE} has another table: PODROLE_WRITE=1 writes this one"
    );
    Ok(fs::write(path, format!("{}{table}{}", &page[..begin], &page[end..]))?)
}

/// One way for all SDKs: a namespace, and a pod for each image.
async fn column(stage: &Stage, way: &str) -> anyhow::Result<BTreeMap<&'static str, String>> {
    let namespace = format!("sdk-{way}");
    stage.namespace(&namespace, (way != "none").then_some("enabled")).await?;
    let role = format!("arn:aws:iam::111122223333:role/sdk-{way}");
    let mut annotations =
        vec![("eks.amazonaws.com/role-arn", role.as_str()), ("podrole.io/credentials", way)];
    if way == "web-identity" {
        annotations.push(("podrole.io/endpoint-url", STS));
    }
    stage.service_account(&namespace, "app", &annotations).await?;
    with_ca(stage, &namespace).await?;
    if way != "none" {
        stage.until_injected(&namespace, "app").await?;
    }
    let mut images: Vec<_> = SDKS.iter().map(|sdk| sdk.image).collect();
    images.sort_unstable();
    images.dedup();
    let pods = images.into_iter().map(async |image| {
        let here: Vec<_> = SDKS.iter().filter(|sdk| sdk.image == image && !sdk.s3).collect();
        asked(stage, way, image, &here).await
    });
    Ok(futures::future::try_join_all(pods).await?.into_iter().flatten().collect())
}

/// What the SDKs say of themselves, each in a container of the pod.
async fn asked(
    stage: &Stage,
    way: &str,
    name: &str,
    sdks: &[&Sdk],
) -> anyhow::Result<Vec<(&'static str, String)>> {
    let containers: Vec<_> = sdks.iter().map(|sdk| asking(sdk, way)).collect();
    let mut manifest = pod(name, "app", &containers);
    mount_ca(&mut manifest);
    let ended = stage.run_pod(&format!("sdk-{way}"), manifest, 300).await?;
    Ok(sdks
        .iter()
        .map(|sdk| (sdk.name, cell(sdk, way, ended.logs.get(sdk.name).map_or("", String::as_str))))
        .collect())
}

fn asking(sdk: &Sdk, way: &str) -> Value {
    let whoami = ["/whoami", sdk.name];
    // C++ takes AWS_ENDPOINT_URL for a host's name, and sends no request.
    let unset = ["env", "-u", "AWS_ENDPOINT_URL", "/whoami", sdk.name];
    let command = if sdk.s3 && way == "web-identity" { &unset[..] } else { &whoami[..] };
    let mut container = container(sdk.name, sdk.image, command);
    let mut env = Vec::new();
    if way == "none" {
        // Where podrole gives nothing, a region is what an SDK still needs to come as far as credentials.
        env.push(json!({"name": "AWS_REGION", "value": "us-east-1"}));
        env.push(json!({"name": "AWS_DEFAULT_REGION", "value": "us-east-1"}));
        env.push(json!({"name": "AWS_EC2_METADATA_DISABLED", "value": "true"}));
    }
    if sdk.s3 {
        env.push(json!({"name": "WHOAMI_S3", "value": SANDBOX}));
    }
    container["env"] = env.into();
    container
}

/// What a cell of the table says of an SDK's answer.
fn cell(sdk: &Sdk, way: &str, said: &str) -> String {
    if let Some((_, reason)) = sdk.unsupported.iter().find(|(unsupported, _)| *unsupported == way) {
        return format!("unsupported: {reason}");
    }
    let wanted = format!("arn:aws:sts::111122223333:assumed-role/sdk-{way}/");
    match (way, arn(said), error(said)) {
        ("none", None, Some(class)) => format!("pass: `{class}`"),
        ("none", arn, _) => format!("fail: {}", arn.unwrap_or_else(|| said.trim().to_owned())),
        (_, Some(arn), _) if arn.starts_with(&wanted) => "pass".to_owned(),
        _ => format!("fail: {}", said.trim().chars().take(300).collect::<String>()),
    }
}

fn last(said: &str) -> Option<Value> {
    said.lines().rev().find_map(|line| serde_json::from_str(line).ok())
}

/// The ARN of an answer.
pub(crate) fn arn(said: &str) -> Option<String> {
    last(said)?["arn"].as_str().map(ToOwned::to_owned)
}

fn error(said: &str) -> Option<String> {
    let error = &last(said)?["error"];
    let first = |text: &str| text.split([':', '.']).next().unwrap_or_default().to_owned();
    error["class"].as_str().map(ToOwned::to_owned).or_else(|| error["message"].as_str().map(first))
}

/// Puts the CA of the sandbox's certificate into the namespace.
pub(crate) async fn with_ca(stage: &Stage, namespace: &str) -> anyhow::Result<()> {
    if stage.api::<ConfigMap>(namespace).get_opt(CA).await?.is_some() {
        return Ok(());
    }
    let ca = fs::read_to_string(stage.state().join("sts-ca.crt"))?;
    let map = json!({"metadata": {"name": CA}, "data": {"ca.crt": ca}});
    stage.create::<ConfigMap>(namespace, map).await?;
    Ok(())
}

/// Mounts it in every container, as all of the images expect.
pub(crate) fn mount_ca(manifest: &mut Value) {
    manifest["spec"]["volumes"] = json!([{"name": CA, "configMap": {"name": CA}}]);
    for container in manifest["spec"]["containers"].as_array_mut().into_iter().flatten() {
        container["volumeMounts"] = json!([{"name": CA, "mountPath": "/test-ca"}]);
    }
}
