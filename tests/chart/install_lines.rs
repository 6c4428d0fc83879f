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
            let words = words.take_while(|word| *word != "#").filter(|word| *word != "--wait");
            let words = words.map(|word| if word == "manifests/chart" { chart } else { word });
            let arguments: Vec<&str> = ["template"].into_iter().chain(words).collect();
            helm::helm(&arguments, None).with_context(|| format!("{page}: {line}"))?;
        }
    }
    Ok(())
}
