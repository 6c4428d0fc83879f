//! Each fixture gives its finding, each with its mistake undone gives exit 0, and each pair gives both.

use std::{collections::BTreeMap, fs, path::Path};

use serde::Deserialize;

use super::cluster::{Change, Cluster, Flags};
use crate::{
    report::{Finding, State},
    why::aws::AwsFindings,
};

/// A mistake.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Fixture {
    #[serde(default = "deployment")]
    target: String,
    #[serde(default)]
    flags: Flags,
    /// What differs from the healthy cluster without being a mistake.
    #[serde(default)]
    setup: Change,
    mistake: Change,
    expected: Expected,
    /// Codes of mistakes that hide this one, or that it hides, because both are about the same thing.
    #[serde(default)]
    not_with: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Expected {
    code: String,
    state: String,
    exit: u8,
    line: String,
    #[serde(default)]
    fix: Option<String>,
}

fn deployment() -> String {
    "deployment/web".to_owned()
}

fn fixtures() -> BTreeMap<String, Fixture> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/why/fixtures");
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let files = files.filter(|it| it.file_name().unwrap() != "cluster.yaml");
    files
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).unwrap();
            let fixture = serde_saphyr::from_str(&text);
            (name.clone(), fixture.unwrap_or_else(|error| panic!("{name}: {error}")))
        })
        .collect()
}

/// Findings with a code, as `ERROR PR001`.
fn coded(findings: &[Finding]) -> Vec<String> {
    let coded = findings.iter().filter(|it| it.state != State::Skipped);
    let coded = coded.filter_map(|it| Some(format!("{} {}", it.state.word(), it.code?)));
    coded.collect()
}

/// What differs from a fixture's expectation.
fn differences(name: &str, fixture: &Fixture) -> Vec<String> {
    let Fixture { target, flags, setup, mistake, expected, .. } = fixture;
    let cluster = Cluster::new(flags, setup, &[mistake]);
    let (text, exit, findings, _) = cluster.why(target, &AwsFindings::default());
    let mut wrong = Vec::new();
    let mut check = |what: &str, found: String, wanted: String| {
        if found != wanted {
            wrong.push(format!("{name}: {what}: {found}, not {wanted}\n{text}"));
        }
    };
    let only = format!("{} {}", expected.state, expected.code);
    check("codes", coded(&findings).join(", "), only);
    check("exit", exit.to_string(), expected.exit.to_string());
    check("name", name[..3].to_owned(), expected.code[2..].to_owned());
    let Some(found) = findings.iter().find(|it| it.code.is_some()) else { return wrong };
    check("line", found.message.clone(), expected.line.clone());
    if let Some(fix) = &expected.fix {
        check("fix", found.fix.first().cloned().unwrap_or_default(), fix.clone());
    }
    if expected.state == "ERROR" {
        let whole = found.is.is_some() && found.should_be.is_some() && !found.fix.is_empty();
        check("is, should be and fix", whole.to_string(), "true".to_owned());
        let verdict = format!("ERROR {}: {}", expected.code, expected.line);
        check("verdict", text.lines().next().unwrap_or_default().to_owned(), verdict);
    }
    wrong
}

#[test]
fn each_mistake_gives_its_one_finding() {
    let wrong = fixtures().into_iter().flat_map(|(name, it)| differences(&name, &it));
    let wrong: Vec<_> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_mistake_undone_gives_0() {
    for (name, Fixture { target, flags, setup, .. }) in fixtures() {
        let cluster = Cluster::new(&flags, &setup, &[]);
        let (text, exit, findings, _) = cluster.why(&target, &AwsFindings::default());
        let wrong = findings.iter().filter(|it| it.state != State::Note && it.code.is_some());
        assert_eq!((exit, wrong.count()), (0, 0), "{name}\n{text}");
        assert!(text.starts_with("ok: "), "{name}\n{text}");
    }
}

#[test]
fn each_pair_of_independent_mistakes_gives_both() {
    let all = fixtures();
    let (mut tried, mut wrong) = (0, Vec::new());
    for (first, one) in &all {
        for (second, other) in all.iter().filter(|(name, _)| *name > first) {
            if !independent(one, other) {
                continue;
            }
            tried += 1;
            let cluster = Cluster::new(&one.flags, &one.setup, &[&one.mistake, &other.mistake]);
            let (text, _, findings, _) = cluster.why(&one.target, &AwsFindings::default());
            let codes = coded(&findings);
            for expected in [&one.expected, &other.expected] {
                if !codes.iter().any(|it| it.ends_with(&expected.code)) {
                    wrong.push(format!("{first} and {second}: {codes:?}\n{text}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {tried}\n{}", wrong.len(), wrong.join("\n"));
    assert!(tried > 150, "only {tried} pairs");
}

/// Whether two mistakes can be made at once, and neither explains or hides the other.
fn independent(one: &Fixture, other: &Fixture) -> bool {
    let same = |it: &Fixture| (it.target.clone(), it.flags.clone(), format!("{:?}", it.setup));
    let objects = &one.mistake.objects;
    let apart = !other.mistake.objects.keys().any(|key| objects.contains_key(key));
    let pods = |it: &Change| it.plain_pods || it.newest_pod.is_some() || it.no_pods;
    let excluded = |it: &Fixture, of: &Fixture| it.not_with.contains(&of.expected.code);
    same(one) == same(other)
        && one.expected.code != other.expected.code
        && apart
        && !(one.mistake.newest_pod.is_some() && pods(&other.mistake))
        && !(other.mistake.newest_pod.is_some() && pods(&one.mistake))
        && !excluded(one, other)
        && !excluded(other, one)
}
