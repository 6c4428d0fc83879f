//! Files that other charts and repositories have, each with what its author must get.

use serde_json::{Value, json};

use super::*;
use crate::yaml;

const SERVICE_ACCOUNT_FLOW: &str = "{kind: ServiceAccount, metadata: {name: app, namespace: shop, \
     annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::111122223333:role/app'}}}";

/// A file of `tests/cases`.
fn case(name: &str) -> (String, String) {
    let ending = if name.starts_with("json-") { "json" } else { "yaml" };
    let file = crate_root().join("tests/cases").join(name).with_extension(ending);
    let text = std::fs::read_to_string(&file).unwrap();
    (file.display().to_string(), text)
}

fn values(text: &str) -> Vec<Value> {
    let documents = yaml::documents(text).into_iter();
    documents.map(|document| document.unwrap().value).collect()
}

/// Checks that the file is injected, that no line of it is lost but these, and that a second pass
/// changes nothing; returns the output.
async fn gets_its_role(name: &str, changed: &[&str]) -> Printed {
    let (file, text) = case(name);
    let printed = run(&["-f", &file]).await.unwrap();
    assert_eq!(printed.report.exit_code, 0, "{name}: {:?}", printed.stderr);
    let out = &printed.stdout;
    assert!(printed.stderr.iter().any(|it| it.contains("injected web-identity, arn:")), "{name}");
    assert!(out.contains("AWS_WEB_IDENTITY_TOKEN_FILE"), "{name}: {out}");
    let mut lines = out.lines();
    for line in text.lines().filter(|line| !changed.contains(line)) {
        assert!(lines.any(|after| after == line), "{name}: {line} is lost:\n{out}");
    }
    let again = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&again, out).unwrap();
    let again = run(&["-f", &again.path().display().to_string()]).await.unwrap();
    assert_eq!(&again.stdout, out, "{name}");
    printed
}

#[tokio::test]
async fn each_file_that_a_cluster_injects_is_injected() {
    for name in [
        "optional-secret",
        "empty-keys",
        "mode-0400",
        "mode-0755",
        "generate-name-job",
        "bom-second",
        "volcano-job",
        "dup-label",
        "null-annotation",
        "alias-serviceaccount",
        "comments-flow-last",
        "comments-env-null",
        "comments-folded",
        "comments-empty-map",
        "list",
    ] {
        let printed = gets_its_role(name, &[]).await;
        let rewritten = printed.report.warnings.iter().any(|it| it.contains("rewritten"));
        assert!(!rewritten, "{name}: {:?}", printed.report.warnings);
    }
    let printed = gets_its_role("empty-role", &["      value: \"\""]).await;
    assert!(printed.stdout.contains("value: arn:aws:iam::111122223333:role/app"));
    // These lines change themselves.
    let lists = ["    env: []", "    volumeMounts: []", "  volumes: []"];
    gets_its_role("comments-empty-list", &lists).await;
    let json = ["  \"metadata\": {\"name\": \"p\"},", "        \"image\": \"img\"", "    ]"];
    let printed = gets_its_role("json-objects", &json).await;
    assert!(
        serde_json::Deserializer::from_str(&printed.stdout)
            .into_iter::<Value>()
            .all(|it| it.is_ok())
    );
}

#[tokio::test]
async fn a_role_without_a_value_is_no_role() {
    let (file, text) = case("null-role");
    let printed = run(&["-f", &file]).await.unwrap();
    assert_eq!((printed.report.exit_code, printed.stdout), (0, text), "{:?}", printed.stderr);
    assert_eq!(printed.stderr[0], "Pod default/p: no role");
}

#[tokio::test]
async fn file_modes_keep_their_value_and_their_spelling() {
    for (name, source, mode) in [("mode-0400", "secret", 256), ("mode-0755", "configMap", 493)] {
        let out = gets_its_role(name, &[]).await.stdout;
        let pod = &values(&out)[1];
        assert_eq!(pod["spec"]["volumes"][0][source]["defaultMode"], json!(mode), "{out}");
        let spelled = name.trim_start_matches("mode-");
        assert!(out.contains(&format!("      defaultMode: {spelled}\n")), "{out}");
    }
}

#[tokio::test]
async fn a_key_that_is_in_a_map_twice_is_a_warning_with_both_lines() {
    let printed = gets_its_role("dup-label", &[]).await;
    let warning = "14: the key app.kubernetes.io/name is also in line 13; only this one counts";
    assert!(printed.report.warnings[0].ends_with(warning), "{:?}", printed.report.warnings);
}

#[tokio::test]
async fn kinds_of_other_groups_are_named_and_stay() {
    for (name, line) in [
        ("rollout", "Rollout default/r: podrole sees its pods only when they are created"),
        ("volcano-job", "Job default/train: podrole sees its pods only when they are created"),
    ] {
        let (file, text) = case(name);
        let printed = run(&["-f", &file]).await.unwrap();
        assert!(printed.stderr.contains(&line.to_owned()), "{:?}", printed.stderr);
        let last = text.rsplit("---\n").next().unwrap();
        assert!(printed.stdout.ends_with(last), "{}", printed.stdout);
    }
}

#[tokio::test]
async fn a_document_that_must_be_rewritten_keeps_spellings_and_is_named() {
    // Two containers share their variables, and only one gets more of them.
    let pod = "kind: Pod
metadata:
  name: p
  namespace: shop
  annotations: {eks.amazonaws.com/skip-containers: b}
spec:
  serviceAccountName: app
  containers:
  - name: a
    env: &shared
    - {name: MODE, value: 'x'}
  - name: b
    env: *shared
  volumes:
  - name: k
    secret: {secretName: k, defaultMode: 0400}
";
    let printed = printed(&[SERVICE_ACCOUNT, pod], &[]).await;
    let out = &printed.stdout;
    assert!(out.contains("defaultMode: 0400\n") && out.contains("value: 'x'\n"), "{out}");
    let pod = &values(out)[1];
    assert_eq!(pod["spec"]["containers"][1]["env"], json!([{"name": "MODE", "value": "x"}]));
    let warning = &printed.report.warnings[0];
    assert!(warning.ends_with(": Pod shop/p: its document is rewritten without comments"));
}

#[tokio::test]
async fn line_ends_a_missing_last_one_and_json_stay() {
    let crlf = format!("{SERVICE_ACCOUNT}---\n{DEPLOYMENT}").trim_end().replace('\n', "\r\n");
    let out = injected(&[&crlf], &[]).await;
    assert!(!out.replace("\r\n", "").contains(['\r', '\n']) && !out.ends_with('\n'), "{out:?}");
    let json: Vec<String> = values(&crlf).iter().map(|it| format!("{it:#}")).collect();
    let out = injected(&[&json.concat()], &[]).await;
    let objects: Result<Vec<Value>, _> =
        serde_json::Deserializer::from_str(&out).into_iter().collect();
    assert_eq!(objects.unwrap(), values(&injected(&[&crlf], &[]).await));
    // Beside YAML, objects of JSON become documents of YAML.
    let mixed = format!("{}\n---\nkind: Service\n", json.concat());
    let out = injected(&[&mixed], &[]).await;
    assert_eq!(out.matches("---\n").count(), 2, "{out}");
    assert_eq!(values(&out).len(), 3);
}

#[tokio::test]
async fn what_has_no_effect_or_another_one_is_a_warning_with_its_line() {
    let region = "--aws-default-region=eu-central-1";
    for (name, flags, line, word) in [
        ("role-on-template", &[][..], 13, "belongs on ServiceAccount default/app"),
        ("kiam-annotation", &[], 6, "is not read; use eks.amazonaws.com/role-arn"),
        ("regional-endpoint", &[], 7, "use eks.amazonaws.com/sts-regional-endpoints"),
        ("region-envfrom", &[region], 15, "podrole's AWS_REGION replaces any of envFrom"),
        ("shared-credentials-file", &[], 8, "keys in AWS_SHARED_CREDENTIALS_FILE"),
        ("shared-credentials-file", &["--credentials=container"], 8, "before the role"),
        ("arn-newline", &[], 6, "a line break around it is ignored"),
    ] {
        let (file, _) = case(name);
        let args: Vec<&str> = ["-f", &file].iter().chain(flags).copied().collect();
        let printed = run(&args).await.unwrap();
        assert_eq!(printed.report.exit_code, 0, "{name}: {:?}", printed.stderr);
        let place = format!("{name}.yaml:{line}:");
        let warned = |it: &&String| it.contains(&place) && it.contains(word);
        assert!(printed.stderr.iter().any(|it| warned(&it)), "{name}: {:?}", printed.stderr);
    }
    // These two are injected as if there were nothing odd.
    for name in ["vars-without-mount", "arn-newline"] {
        let printed = gets_its_role(name, &[]).await;
        assert!(printed.stdout.contains("mountPath: /var/run/secrets/eks.amazonaws.com"), "{name}");
    }
    let printed = gets_its_role("arn-newline", &[]).await;
    assert!(printed.stdout.contains("value: arn:aws:iam::111122223333:role/app\n"));
}

#[tokio::test]
async fn anchors_and_binary_texts_are_rewritten_as_their_values() {
    let (file, text) = case("anchor-binary");
    let printed = run(&["-f", &file]).await.unwrap();
    assert_eq!(printed.report.exit_code, 0, "{:?}", printed.stderr);
    let (before, out) = (values(&text), values(&printed.stdout));
    let env = |index: usize| &out[1]["spec"]["containers"][index]["env"];
    assert_eq!(env(0)[0], json!({"name": "A", "value": "hello"}));
    assert_eq!(
        (env(0).as_array().unwrap().len(), env(1)),
        (4, &before[1]["spec"]["containers"][1]["env"])
    );
    assert_eq!(out[2]["metadata"], before[2]["metadata"]);
    assert!(printed.stdout.contains("--- # two containers share"), "{}", printed.stdout);
    assert_eq!(printed.report.warnings.len(), 2, "{:?}", printed.report.warnings);
}

#[tokio::test]
async fn a_document_in_the_line_of_its_dashes_is_rewritten_below_them() {
    let pod = "kind: Pod, metadata: {name: p, namespace: shop, annotations: \
               {eks.amazonaws.com/skip-containers: b}}, spec: {serviceAccountName: app, containers: \
               [{name: a, env: &e [{name: A, value: !!binary aGVsbG8=}]}, {name: b, env: *e}]}";
    let text = format!("--- {SERVICE_ACCOUNT_FLOW}\n--- {{{pod}}}\n");
    let printed = printed(&[&text], &[]).await;
    assert_eq!(printed.report.exit_code, 0, "{:?}", printed.stderr);
    let out = values(&printed.stdout);
    let [a, b] = [0, 1].map(|index| out[1]["spec"]["containers"][index]["env"].clone());
    assert_eq!(b, json!([{"name": "A", "value": "hello"}]));
    assert_eq!((&a[0], a.as_array().unwrap().len()), (&b[0], 3), "{a}");
}
