//! Which pods and containers take part, by labels, annotations and variables of their own.

use serde_json::Value;

use super::*;

/// A Pod with an init container `i` and containers `a` and `b`, each with these variables.
fn pod(annotations: &str, variables: [&str; 3], restart: &str) -> String {
    let [i, a, b] = variables;
    format!(
        "kind: Pod\nmetadata: {{name: p, namespace: shop, annotations: {{{annotations}}}}}\nspec:\n  \
         serviceAccountName: app\n  initContainers: [{{name: i, env: [{i}]{restart}}}]\n  \
         containers: [{{name: a, env: [{a}]}}, {{name: b, env: [{b}]}}]\n"
    )
}

const KEY: &str = "{name: AWS_ACCESS_KEY_ID, value: AKIA}";
const PROFILE: &str = "{name: AWS_PROFILE, value: x}";

#[tokio::test]
async fn only_containers_that_use_the_role_count() {
    let skip = "eks.amazonaws.com/skip-containers";
    let sidecar = ", restartPolicy: Always";
    for (annotations, variables, restart, code, line) in [
        ("", ["", KEY, ""], "", 0, "2 of 3 containers (a gets only the token: sets AWS_ACCESS_KEY"),
        ("", ["", PROFILE, ""], "", 0, "3 of 3 containers (a gets only the token: sets AWS_PROF"),
        ("", ["", KEY, KEY], "", 1, "only init containers get the role: a gets only the token"),
        ("", ["", KEY, KEY], sidecar, 0, "1 of 3 containers (a gets only"),
        (&format!("{skip}: b"), ["", KEY, ""], "", 1, "only init containers get the role: a gets"),
        (&format!("{skip}: 'a,b'"), ["", "", ""], "", 0, "1 of 3 containers (a left out by an"),
        (&format!("{skip}: 'a,b'"), [KEY, "", ""], "", 1, "no container gets the role: i gets"),
    ] {
        let pod = pod(annotations, variables, restart);
        let printed = printed(&[SERVICE_ACCOUNT, &pod], &[]).await;
        assert!(printed.stderr[0].contains(line), "{line}: {:?}", printed.stderr);
        assert_eq!(printed.report.exit_code, code, "{:?}", printed.stderr);
    }
}

#[tokio::test]
async fn annotations_that_leave_every_container_out_need_no_label() {
    let list = |key: &str, names: &str| format!("{key}-containers: '{names}'");
    for (annotations, code, line) in [
        (
            list("eks.amazonaws.com/skip", "i,a,b"),
            0,
            "Pod shop/p: not injected: annotations leave every container",
        ),
        (
            list("podrole.io/include", "other"),
            0,
            "Pod shop/p: not injected: annotations leave every",
        ),
        (
            list("eks.amazonaws.com/skip", "i,a"),
            1,
            "Pod shop/p: not opted in: Namespace shop has no label",
        ),
    ] {
        let pod = pod(&annotations, ["", "", ""], "");
        let printed = printed(&[&namespace("other", ""), SERVICE_ACCOUNT, &pod], &[]).await;
        assert!(printed.stderr[0].starts_with(line), "{:?}", printed.stderr);
        assert_eq!((printed.report.exit_code, printed.stdout.is_empty()), (code, code == 1));
    }
}

#[tokio::test]
async fn a_cluster_that_injects_everywhere_needs_no_label_but_disabled() {
    let without = "kind: Namespace\nmetadata: {name: shop}\n".to_owned();
    let label = |value: &str| namespace(value, "");
    let hint = "; kubectl label namespace shop podrole.io/injection=enabled, or use \
                --injection-default=all if the chart's injection.default is all";
    for (namespace, flags, code, line) in [
        (without.clone(), &[][..], 1, hint),
        (without.clone(), &["--injection-default=labelled"], 1, hint),
        (without, &["--injection-default=all"], 0, ": injected web-identity"),
        (label("other"), &["--injection-default=all"], 0, ": injected web-identity"),
        (label("required"), &["--injection-default=all"], 0, ": injected web-identity"),
        (label("disabled"), &[], 1, ": not opted in: Namespace shop has no label"),
        (
            label("disabled"),
            &["--injection-default=all"],
            0,
            ": not injected: Namespace shop has the label podrole.io/injection=disabled",
        ),
    ] {
        let printed = printed(&[&namespace, SERVICE_ACCOUNT, DEPLOYMENT], flags).await;
        assert!(printed.stderr[0].contains(line), "{flags:?} {line}: {:?}", printed.stderr);
        assert_eq!(printed.report.exit_code, code, "{namespace}");
        let state = printed.report.workloads[0].state;
        assert_eq!(state == "opted_out", line.contains("not injected"), "{state}");
    }
    let denied = SERVICE_ACCOUNT.replace("role/app", "role/app:1");
    let documents = [&label("required"), &denied, DEPLOYMENT];
    let printed = self::printed(&documents, &["--injection-default=all"]).await;
    assert!(printed.stderr[0].contains(": refused: "), "{:?}", printed.stderr);
}

#[tokio::test]
async fn the_audience_and_the_session_name_are_those_of_the_cluster() {
    let flags = [
        "--token-audience=amazonaws.com",
        "--default-session-name={pod.namespace}.{serviceaccount.name}",
    ];
    let out = printed(&[SERVICE_ACCOUNT, DEPLOYMENT], &flags).await.stdout;
    assert!(out.contains("audience: amazonaws.com\n"), "{out}");
    assert!(out.contains("name: AWS_ROLE_SESSION_NAME"), "{out}");
    let out = printed(&[SERVICE_ACCOUNT, DEPLOYMENT], &[]).await.stdout;
    assert!(out.contains("audience: sts.amazonaws.com\n"), "{out}");
    assert!(!out.contains("name: AWS_ROLE_SESSION_NAME"), "{out}");
}

#[tokio::test]
async fn the_report_does_not_contradict_its_state() {
    let denied = SERVICE_ACCOUNT.replace("role/app", "role/app:1");
    let label = namespace("other", "");
    let plain = pod("", ["", "", ""], "");
    for (documents, flags, state) in [
        ([&label, SERVICE_ACCOUNT, &plain], "--credentials=web-identity", "not_opted_in"),
        ([&label, SERVICE_ACCOUNT, &plain], "--credentials=container", "not_opted_in"),
        (["", &denied, &plain], "--credentials=web-identity", "denied"),
        (["", &denied, &plain], "--credentials=container", "denied"),
    ] {
        for allow in [None, Some("--allow-missing")] {
            let flags: Vec<&str> = [flags, "-o", "json"].into_iter().chain(allow).collect();
            let printed = printed(&documents, &flags).await;
            let report: Value = serde_json::from_str(&printed.stdout).unwrap();
            let workload = &report["workloads"][0];
            assert_eq!(workload["state"], state, "{flags:?} {report:#}");
            assert_eq!(workload["containers"], serde_json::json!([]), "{flags:?} {state}");
            let code = i32::from(allow.is_none());
            assert_eq!((&report["ok"], &report["exitCode"]), (&false.into(), &code.into()));
        }
    }
}

#[tokio::test]
async fn namespaces_opt_in_require_and_guard() {
    let guard = "podrole.io/permitted-roles: 'arn:aws:iam::*:role/other'";
    for (label, guard, word, code) in [
        ("enabled", "", "web-identity as", 0),
        ("other", "", "not opted in: Namespace shop has no label", 1),
        ("enabled", guard, "denied: namespace shop does not permit", 1),
        ("required", guard, "refused: namespace shop does not permit", 1),
    ] {
        let documents = [&namespace(label, guard), SERVICE_ACCOUNT, DEPLOYMENT];
        let printed = printed(&documents, &["--why"]).await;
        assert!(printed.stdout.contains(word), "{word}: {}", printed.stdout);
        assert_eq!(printed.report.exit_code, code, "{word}");
    }
}
