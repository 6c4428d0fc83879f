//! The example as its reader runs it.

use std::process::Command;

use anyhow::{Context as _, ensure};
use podrole_tests::project;

/// The text with another number for each port.
fn without_ports(text: &str) -> String {
    let mut parts = text.split("127.0.0.1:");
    let first = parts.next().unwrap_or_default().to_owned();
    let rest = parts.map(|part| part.trim_start_matches(|c: char| c.is_ascii_digit()));
    rest.fold(first, |text, part| text + "127.0.0.1:" + part)
}

#[test]
fn python_example_prints_what_its_page_shows() -> anyhow::Result<()> {
    let binary = project::binary("podrole-sandbox")?;
    let run = Command::new(project::root().join("examples/local/run"))
        .env("PODROLE_BIN", binary.parent().context("no folder")?)
        .output()?;
    let said = String::from_utf8_lossy(&run.stdout);
    ensure!(run.status.success(), "{said}\n{}", String::from_utf8_lossy(&run.stderr));
    let page = std::fs::read_to_string(project::root().join("examples/local/README.md"))?;
    let shown = page.split("```text\n").nth(1).and_then(|rest| rest.split("```").next());
    let shown = shown.context("the page shows no output")?;
    assert_eq!(without_ports(said.trim()), without_ports(shown.trim()));
    Ok(())
}
