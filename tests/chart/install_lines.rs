//! The install lines of the pages for users, as they are written there.

use std::fs;

use anyhow::{Context as _, ensure};
use podrole_tests::project;

use crate::helm;

const PAGES: [&str; 2] = ["README.md", "manifests/README.md"];

/// The commands of a page that install the chart, each on one line.
fn lines(page: &'static str) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(project::root().join(page)).context(page)?;
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter(|line| line.starts_with("helm install "));
    Ok(lines.map(str::to_owned).collect())
}

#[test]
fn each_line_that_installs_the_chart_renders() -> anyhow::Result<()> {
    let chart = helm::chart();
    let chart = chart.to_str().context("the chart's path is not UTF-8")?;
    for page in PAGES {
        let lines = lines(page)?;
        ensure!(lines.len() >= 4, "{page} has only {lines:?}");
        for line in lines {
            let words = line.split_whitespace().skip(2);
            let waits = ["--wait", "--timeout", "90s"];
            let words = words.take_while(|word| *word != "#").filter(|word| !waits.contains(word));
            let words = words.map(|word| if word == "manifests/chart" { chart } else { word });
            let arguments: Vec<&str> = ["template"].into_iter().chain(words).collect();
            helm::helm(&arguments, None).with_context(|| format!("{page}: {line}"))?;
        }
    }
    Ok(())
}

/// A stranger copies the block and runs it: no registry has the image, so it is built and loaded first, and a missing one is
/// reported in time, with the word that `kubectl get pods` shows.
#[test]
fn the_block_for_kind_needs_nothing_else() -> anyhow::Result<()> {
    for page in PAGES {
        let text = fs::read_to_string(project::root().join(page)).context(page)?;
        let (_, after) = text.split_once("**kind**").context("no part for kind")?;
        let (_, after) = after.split_once("```sh\n").context("no block")?;
        let (block, after) = after.split_once("```").context("the block does not end")?;
        let parts = [
            "manifests/image/build podrole.tar ghcr.io/podrole/podrole:0.1.0\n",
            "kind create cluster",
            "kind load image-archive podrole.tar\n",
            "helm install podrole manifests/chart ",
            "--wait --timeout 90s\n",
            "kubectl apply -f examples/",
        ];
        let mut rest = block;
        for part in parts {
            let found = rest.split_once(part);
            rest = found.with_context(|| format!("{page}: no {part:?} in {rest}"))?.1;
        }
        let text = after.split("\n\n").find(|text| !text.trim().is_empty()).unwrap_or_default();
        for word in ["ImagePullBackOff", "kubectl -n podrole get pods", "kind load"] {
            ensure!(text.contains(word), "{page} does not say what {word} is about: {text}");
        }
    }
    Ok(())
}
