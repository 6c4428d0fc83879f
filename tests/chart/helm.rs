//! helm as people run it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use podrole_tests::project;

/// The release's name, and its namespace.
pub(crate) const RELEASE: &str = "podrole";

/// The chart's folder.
pub(crate) fn chart() -> PathBuf {
    project::root().join("manifests/chart")
}

/// Runs helm; what it prints, or what it complains of.
pub(crate) fn helm(arguments: &[&str], kubeconfig: Option<&Path>) -> anyhow::Result<String> {
    let program = match std::env::var_os("PODROLE_HELM") {
        Some(path) => path.into(),
        None => project::folder_from("tests/helm/build")?,
    };
    let mut command = Command::new(program);
    // Neither the person's cluster nor their plugins.
    command.args(arguments).env_remove("HELM_NAMESPACE");
    command.env("KUBECONFIG", kubeconfig.unwrap_or_else(|| Path::new("none")));
    let run = command.output().context("helm cannot be run")?;
    if !run.status.success() {
        bail!("{}", String::from_utf8_lossy(&run.stderr));
    }
    Ok(String::from_utf8(run.stdout)?)
}

/// `helm template` of a release `podrole` in the namespace `podrole`, for a new Kubernetes.
pub(crate) fn template(set: &[&str]) -> anyhow::Result<String> {
    render("1.36.0", RELEASE, set)
}

/// The same for this version of Kubernetes.
pub(crate) fn template_for(version: &str, set: &[&str]) -> anyhow::Result<String> {
    render(version, RELEASE, set)
}

/// The same in this namespace.
pub(crate) fn template_in(namespace: &str, set: &[&str]) -> anyhow::Result<String> {
    render("1.36.0", namespace, set)
}

fn render(version: &str, namespace: &str, set: &[&str]) -> anyhow::Result<String> {
    let chart = chart();
    let chart = chart.to_str().context("the chart's path is not UTF-8")?;
    let mut arguments =
        vec!["template", RELEASE, chart, "--namespace", namespace, "--kube-version", version];
    for value in set {
        arguments.extend(["--set", value]);
    }
    helm(&arguments, None)
}
