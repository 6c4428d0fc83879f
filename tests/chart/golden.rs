//! What each mode renders: golden files hold the objects that differ from the default's, and
//! `manifests/install.yaml` holds the default's.

use std::{collections::BTreeMap, env, fmt::Write as _, fs, path::Path};

use anyhow::{Context as _, ensure};
use podrole_tests::project;

use crate::{helm, objects};

/// Modes by their one value, and what else they need.
pub(crate) const MODES: [(&str, &[&str]); 11] = [
    ("local", &["local.enabled=true", "local.upstream=http://localstack.emulator:4566"]),
    (
        "assume-role",
        &[
            "exchange=assume-role",
            "cluster.name=shop",
            "cluster.arn=arn:aws:eks:eu-west-1:111122223333:cluster/shop",
            "associations[0].namespace=shop",
            "associations[0].serviceAccount=app",
            "associations[0].roleArn=arn:aws:iam::111122223333:role/shop-app",
        ],
    ),
    ("eks-auth", &["exchange=eks-auth", "cluster.name=shop", "agent.enabled=true"]),
    ("everywhere", &["injection.default=all", "injection.configMap=true"]),
    ("cert-manager", &["certificates=cert-manager"]),
    (
        "files",
        &["certificates=files", "certificateFiles.secret=tls", "certificateFiles.caBundle=Q0E="],
    ),
    ("host-network", &["webhook.hostNetwork=true", "webhook.port=9443"]),
    ("ipv6", &["ipv6=true"]),
    (
        "monitored",
        &[
            "monitoring.serviceMonitor=true",
            "monitoring.rules=true",
            "monitoring.dashboard=true",
            "monitoring.labels.release=prometheus",
        ],
    ),
    ("pod-monitors", &["monitoring.podMonitor=true"]),
    (
        "web-identity-alone",
        &[
            "agent.enabled=false",
            "image.digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ],
    ),
];

/// What the first line of install.yaml says.
const INSTALL: &str = "# podrole as the chart renders it by default: kubectl apply -f install.yaml\n\
    # Written by `PODROLE_BLESS=1 cargo test --test chart`; to take it away again, see manifests/README.md.\n";

#[test]
fn install_yaml_is_the_rendered_default() -> anyhow::Result<()> {
    let rendered = helm::template(&["createNamespace=true"])?;
    same(&project::root().join("manifests/install.yaml"), &format!("{INSTALL}{rendered}"))
}

#[test]
fn each_mode_renders_what_its_golden_file_says() -> anyhow::Result<()> {
    let default = documents(&helm::template(&[])?)?;
    let mut faults = String::new();
    for (mode, set) in MODES {
        let rendered = documents(&helm::template(set)?)?;
        let mut text = format!("# helm template --set {}\n", set.join(","));
        for (name, document) in &rendered {
            if default.get(name) != Some(document) {
                write!(text, "---\n{document}")?;
            }
        }
        for name in default.keys().filter(|name| !rendered.contains_key(*name)) {
            writeln!(text, "# not there: {name}")?;
        }
        let file = project::root().join(format!("tests/chart/golden/{mode}.yaml"));
        if let Err(fault) = same(&file, &text) {
            writeln!(faults, "{fault}")?;
        }
    }
    ensure!(faults.is_empty(), "{faults}");
    Ok(())
}

/// The rendered documents by what they are.
fn documents(text: &str) -> anyhow::Result<BTreeMap<String, String>> {
    let mut documents = BTreeMap::new();
    for document in text.split("---\n").filter(|document| !document.trim().is_empty()) {
        for object in objects::read(document)? {
            let of = |pointer| object.pointer(pointer).and_then(serde_json::Value::as_str);
            let name =
                ["/metadata/namespace", "/kind", "/metadata/name"].map(|it| of(it).unwrap_or("-"));
            documents.insert(name.join(" "), document.to_owned());
        }
    }
    Ok(documents)
}

fn same(file: &Path, text: &str) -> anyhow::Result<()> {
    if env::var_os("PODROLE_BLESS").is_some() {
        return fs::write(file, text).with_context(|| format!("cannot write {}", file.display()));
    }
    let kept = fs::read_to_string(file).unwrap_or_default();
    let differs = kept.lines().zip(text.lines()).position(|(kept, now)| kept != now);
    ensure!(
        kept == text,
        "{} is not what the chart renders now, from line {}: PODROLE_BLESS=1 cargo test --test chart writes it anew",
        file.display(),
        differs.unwrap_or_else(|| kept.lines().count().min(text.lines().count())) + 1,
    );
    Ok(())
}
