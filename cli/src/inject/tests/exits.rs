//! The summary lines, the messages and the exit codes.

use serde_json::Value;

use super::*;

fn case(name: &str) -> String {
    let file = crate_root().join("tests/cases").join(name).with_extension("yaml");
    file.display().to_string()
}

#[tokio::test]
async fn nothing_is_printed_if_a_pod_that_names_a_role_gets_nothing() {
    for (name, line) in [
        ("required-refused", "Pod default/p: refused: the role of ServiceAccount default/app "),
        ("bad-role", "Pod default/p: denied: the role of ServiceAccount default/app cannot be "),
        ("not-opted-in", "Pod default/p: not opted in: Namespace default has no label "),
        ("env-number", ":19: Pod default/p: containers[c].env PORT: 8080 is a number; put it in"),
    ] {
        let file = case(name);
        for flags in [&[][..], &["--diff"], &["--why"], &["-o", "json"]] {
            let args: Vec<&str> = ["-f", &file].iter().chain(flags).copied().collect();
            let printed = run(&args).await.unwrap();
            assert!(printed.stderr.iter().any(|it| it.contains(line)), "{:?}", printed.stderr);
            assert_eq!(printed.report.exit_code, 1, "{name} {flags:?}");
            assert!(!printed.stderr.iter().any(|it| it.contains("column")), "{name}");
            assert_eq!(printed.stdout.is_empty(), flags.is_empty(), "{name}: {}", printed.stdout);
        }
        let printed = run(&["-f", &file, "--allow-missing"]).await.unwrap();
        assert_eq!(printed.report.exit_code, 0, "{name}");
        assert_eq!(printed.stdout, std::fs::read_to_string(&file).unwrap());
    }
}

#[tokio::test]
async fn the_summary_line_counts_containers_and_names_the_others() {
    let printed = printed(&[SERVICE_ACCOUNT, DEPLOYMENT], &[]).await;
    let expected = "Deployment shop/web: injected web-identity, \
                    arn:aws:iam::111122223333:role/app, 2 of 2 containers (own gets only the \
                    token: sets AWS_PROFILE) (Namespace shop is in none of the files, so it counts as enabled)";
    assert_eq!(printed.stderr[0], expected);
    let warning = &printed.stderr[1];
    assert!(warning.contains(":17: Deployment shop/web: warning: container own"), "{warning}");
    let again = self::printed(&[&printed.stdout], &[]).await;
    assert!(again.stderr[0].starts_with("Deployment shop/web: has already web-identity, arn:"));
    let none = self::printed(&[DEPLOYMENT], &[]).await;
    assert_eq!(none.stderr[0], "Deployment shop/web: no role");
    assert!(none.stderr[1].contains("warning: ServiceAccount shop/app is in none of the files"));
    assert_eq!(none.report.exit_code, 0);
}

#[tokio::test]
async fn an_explicit_choice_of_nothing_is_no_error_and_keys_everywhere_are_one() {
    let pod = |metadata: &str, env: &str| {
        format!(
            "kind: Pod\nmetadata:\n  name: p\n  namespace: shop\n  {metadata}\nspec:\n  \
             serviceAccountName: app\n  containers:\n  - name: c\n    env: [{env}]\n"
        )
    };
    let key = "{name: AWS_ACCESS_KEY_ID, value: AKIA}";
    let other = "{name: AWS_CONTAINER_CREDENTIALS_FULL_URI, value: x}, \
                 {name: AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, value: z}";
    for (metadata, env, code, line) in [
        ("labels: {podrole.io/injection: disabled}", "", 0, "a label of the pod opts it out"),
        ("labels: {eks.amazonaws.com/skip-pod-identity-webhook: ''}", "", 0, "a label of the pod"),
        ("annotations: {eks.amazonaws.com/skip-containers: c}", key, 0, "leave every container"),
        ("annotations: {}", key, 1, "no container gets the role: c gets only the token: sets AWS"),
        ("annotations: {}", other, 1, "no container gets the role: c left alone: has container"),
        ("annotations: {}", "{name: AWS_PROFILE, value: x}", 0, "c gets only the token"),
    ] {
        let printed = printed(&[SERVICE_ACCOUNT, &pod(metadata, env)], &[]).await;
        assert!(printed.stderr[0].contains(line), "{:?}", printed.stderr);
        assert_eq!(printed.report.exit_code, code, "{:?}", printed.stderr);
    }
}

#[tokio::test]
async fn a_broken_document_is_an_error_with_its_line_and_the_others_are_checked() {
    let bad = "kind: Pod\nmetadata: {name: a\nspec: ]\n";
    let no_kind = "metadata: {}\n";
    let label = "kind: Namespace\nmetadata:\n  name: a\n  labels:\n    x: true\n";
    let printed = printed(&[bad, no_kind, label, SERVICE_ACCOUNT, DEPLOYMENT], &[]).await;
    assert_eq!((printed.report.exit_code, printed.stdout.as_str()), (1, ""));
    let errors = &printed.report.errors;
    for (error, words) in errors.iter().zip([
        [":3: ", "expected"],
        [":5: ", "it has no `kind`"],
        [":11: Namespace a: ", "metadata.labels x: true is a boolean; put it in quotes"],
    ]) {
        assert!(words.iter().all(|word| error.contains(word)), "{error}");
    }
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(printed.stderr.iter().any(|it| it.contains("injected web-identity")));
    let without = self::printed(&["kind: Deployment\nmetadata: {name: a}\n"], &[]).await;
    assert_eq!(without.stdout, "kind: Deployment\nmetadata: {name: a}\n");
    assert_eq!(without.stderr, ["Deployment default/a: it has no pod spec, so nothing is added"]);
}

#[tokio::test]
async fn containers_of_a_pod_that_gets_nothing_are_not_served() {
    for name in ["bad-role", "required-refused", "not-opted-in", "env-number"] {
        let printed = run(&["-f", &case(name), "-o", "json"]).await.unwrap();
        let report: Value = serde_json::from_str(&printed.stdout).unwrap();
        assert_eq!(report["workloads"][0]["containers"], serde_json::json!([]), "{name}");
        assert_eq!((&report["ok"], &report["exitCode"]), (&false.into(), &1.into()));
    }
}

#[tokio::test]
async fn a_warning_has_the_line_of_the_annotation_that_it_names() {
    let unknown = format!("{SERVICE_ACCOUNT}    podrole.io/regoin: x\n");
    let printed = printed(&[&unknown, DEPLOYMENT], &[]).await;
    let named = |it: &String| it.contains(":7: ServiceAccount shop/app: podrole.io/regoin");
    assert!(printed.report.warnings.iter().any(named), "{:?}", printed.report.warnings);
}

#[tokio::test]
async fn a_pod_that_has_its_role_needs_no_label() {
    let injected = printed(&[SERVICE_ACCOUNT, DEPLOYMENT], &[]).await.stdout;
    let printed = printed(&[&namespace("other", ""), &injected], &[]).await;
    assert_eq!(printed.report.exit_code, 0, "{:?}", printed.stderr);
}

#[tokio::test]
async fn the_namespace_of_the_flag_is_that_of_objects_without_one() {
    let unnamed =
        |text: &str| text.replace("  namespace: shop\n", "").replace(", namespace: shop", "");
    let documents = [unnamed(SERVICE_ACCOUNT), unnamed(DEPLOYMENT)];
    let documents = [documents[0].as_str(), &documents[1], &namespace("enabled", "")];
    let printed = printed(&documents, &["-n", "shop"]).await;
    let start = "Deployment shop/web: injected web-identity, arn:";
    assert!(printed.stderr[0].starts_with(start), "{:?}", printed.stderr);
    assert!(!printed.stderr[0].contains("in none of"), "{:?}", printed.stderr);
    assert!(!printed.stdout.contains("namespace: shop"), "{}", printed.stdout);
}

#[tokio::test]
async fn the_report_has_what_the_lines_say() {
    let printed = printed(&[SERVICE_ACCOUNT, DEPLOYMENT], &["-o", "json"]).await;
    let report: Value = serde_json::from_str(&printed.stdout).unwrap();
    assert_eq!(report["apiVersion"], "cli.podrole.io/v1");
    assert_eq!(report["kind"], "InjectReport");
    assert_eq!((&report["ok"], &report["exitCode"]), (&true.into(), &0.into()));
    let workload = &report["workloads"][0];
    for (field, value) in [
        ("kind", "Deployment"),
        ("namespace", "shop"),
        ("name", "web"),
        ("state", "injected"),
        ("provider", "web-identity"),
        ("role", "arn:aws:iam::111122223333:role/app"),
        ("serviceAccount", "shop/app"),
    ] {
        assert_eq!(workload[field], value, "{field}");
    }
    assert_eq!(workload["line"], 8);
    assert_eq!(workload["containers"][0]["result"], "served");
    assert_eq!(workload["containers"][1]["result"], "token_only");
    assert!(!workload["warnings"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn input_without_manifests_is_an_error_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in ["empty", "parent", "parent/sub", "full"] {
        std::fs::create_dir(path(name)).unwrap();
    }
    std::fs::write(path("empty/notes.txt"), DEPLOYMENT).unwrap();
    std::fs::write(path("parent/sub/a.yaml"), DEPLOYMENT).unwrap();
    std::fs::write(path("full/a.yaml"), DEPLOYMENT).unwrap();
    std::fs::write(path("full/comments.yaml"), "# nothing\n---\n").unwrap();
    std::fs::write(path("none"), "").unwrap();
    let none = |name: &str, hint: &str| format!("no manifests in {}{hint}", path(name));
    let names = "; of a folder *.yaml, *.yml and *.json are read";
    for (names, flags, errors) in [
        (&["empty"][..], &[][..], vec![none("empty", names)]),
        (&["empty", "full"], &[], vec![none("empty", names)]),
        (&["parent"], &[], vec![none("parent", "; use -R for its subfolders")]),
        (&["parent"], &["-R"], vec![]),
        (&["empty"], &["-R"], vec![none("empty", names)]),
        (&["none"], &[], vec![none("none", "")]),
        (
            &["none", "full/comments.yaml"],
            &[],
            vec![none("none", ""), none("full/comments.yaml", "")],
        ),
        (&["full"], &[], vec![]),
    ] {
        let files = names.iter().flat_map(|name| ["-f".to_owned(), path(name)]);
        let args: Vec<String> = files.chain(flags.iter().map(|it| (*it).to_owned())).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let printed = run(&args).await.unwrap();
        assert_eq!(printed.report.errors, errors, "{args:?}");
        let code = u8::from(!errors.is_empty());
        assert_eq!((printed.report.exit_code, printed.stdout.is_empty()), (code, code == 1));
        assert!(errors.iter().all(|error| printed.stderr.contains(error)), "{:?}", printed.stderr);
    }
}
