//! The output for manifests.

mod cases;
mod exits;
mod lookups;
mod opt_in;

use clap::Parser as _;

use super::*;

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    args: InjectArgs,
}

const SERVICE_ACCOUNT: &str = "kind: ServiceAccount
metadata:
  name: app
  namespace: shop
  annotations:
    eks.amazonaws.com/role-arn: arn:aws:iam::111122223333:role/app
";
const DEPLOYMENT: &str = "kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  template:
    spec:
      serviceAccountName: app
      containers:
        - name: web
          image: img
        - name: own
          env: [{name: AWS_PROFILE, value: x}]
          envFrom: [{secretRef: {name: more}}]
";

fn namespace(label: &str, guard: &str) -> String {
    format!(
        "kind: Namespace\nmetadata:\n  name: shop\n  labels: {{podrole.io/injection: {label}}}\n  \
         annotations: {{{guard}}}\n"
    )
}

fn crate_root() -> &'static std::path::Path {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `podrole inject ARGS` prints, without colours.
async fn run(args: &[&str]) -> anyhow::Result<Printed> {
    let args = ["inject"].iter().chain(args);
    let mut printed = inject(&Cli::parse_from(args).args).await?;
    printed.stdout = anstream::adapter::strip_str(&printed.stdout).to_string();
    Ok(printed)
}

/// The same for one file of these documents.
async fn printed(documents: &[&str], flags: &[&str]) -> Printed {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, documents.join("---\n")).unwrap();
    let file = file.path().display().to_string();
    let args: Vec<&str> = ["-f", &file].iter().chain(flags).copied().collect();
    run(&args).await.unwrap()
}

async fn injected(documents: &[&str], flags: &[&str]) -> String {
    printed(documents, flags).await.stdout
}

#[tokio::test]
async fn the_manifests_are_printed_with_the_changes_of_the_webhook() {
    let text = injected(&[SERVICE_ACCOUNT, DEPLOYMENT], &[]).await;
    assert!(text.starts_with(SERVICE_ACCOUNT), "{text}");
    assert!(text.contains("---\nkind: Deployment\n"), "{text}");
    assert!(text.contains("name: AWS_WEB_IDENTITY_TOKEN_FILE"), "{text}");
    assert!(!text.contains("generateName"), "{text}");
    let again = injected(&[&text], &[]).await;
    assert_eq!(again, text);
}

#[tokio::test]
async fn comments_stay_where_lines_are_added() {
    let file = crate_root().join("../examples/demo/deployment.yaml");
    let example = std::fs::read_to_string(file).unwrap();
    let text = injected(&[&example], &[]).await;
    let mut lines = text.lines();
    for line in example.lines() {
        assert!(lines.any(|after| after == line), "{line} is missing or moved:\n{text}");
    }
    assert!(text.contains("            - name: AWS_ROLE_ARN\n"), "{text}");
}

#[tokio::test]
async fn the_diff_shows_additions_in_place() {
    let flags = ["--diff", "--aws-default-region=eu-west-1"];
    let text = injected(&[SERVICE_ACCOUNT, DEPLOYMENT], &flags).await;
    assert!(text.starts_with("Deployment shop/web\n"), "{text}");
    assert!(
        text.lines().any(|line| line.starts_with('+') && line.contains("AWS_REGION")),
        "{text}"
    );
    let nothing = injected(&[DEPLOYMENT], &["--diff"]).await;
    assert_eq!(nothing, "Deployment shop/web\n  no changes\n");
    let both = injected(&[DEPLOYMENT], &["--diff", "--why"]).await;
    let lines: Vec<&str> = both.lines().collect();
    assert_eq!(lines[0], "Deployment shop/web: no role (shop/app)");
    assert_eq!(lines.last(), Some(&"  no changes"), "{both}");
}

#[tokio::test]
async fn why_has_a_line_for_each_container() {
    let text = injected(&[SERVICE_ACCOUNT, DEPLOYMENT], &["--why"]).await;
    let lines: Vec<&str> = text.lines().collect();
    let arn = "arn:aws:iam::111122223333:role/app";
    assert_eq!(lines[0], format!("Deployment shop/web: web-identity as {arn} (shop/app)"));
    assert!(lines[1].starts_with("  web: + AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, /var/run/"));
    let own = "  own: + /var/run/secrets/eks.amazonaws.com/serviceaccount (variables from its envFrom are not visible)";
    assert_eq!(lines[2], own);
    assert!(lines[3].contains("warning") && lines[3].contains("AWS_PROFILE"), "{text}");
}

#[tokio::test]
async fn what_a_service_account_may_not_ask_for_is_a_warning() {
    let asks = |key: &str, value: &str| format!("{SERVICE_ACCOUNT}    {key}: '{value}'\n");
    let namespace = "kind: Namespace\nmetadata:\n  name: shop\n  \
                     annotations: {podrole.io/permitted-secrets: db}\n  \
                     labels: {podrole.io/injection: enabled}\n";
    for (service_account, flags, word) in [
        (asks("podrole.io/endpoint-url", "https://good.example"), &["--why"][..], "not listed in"),
        (asks("secret.podrole.io/db", "/usr/bin"), &["--why"], "must not mount over /usr"),
        (asks("secret.podrole.io/mq", "/etc/mq"), &["--why"], "no pattern for mq"),
    ] {
        let text = injected(&[namespace, &service_account, DEPLOYMENT], flags).await;
        assert!(text.contains(word), "{word}: {text}");
    }
    let permitted = "--permitted-endpoint-url=https://good.example";
    let service_account = asks("podrole.io/endpoint-url", "https://good.example");
    let text = injected(&[&service_account, DEPLOYMENT], &["--why", permitted]).await;
    assert!(text.contains("+ AWS_ENDPOINT_URL, ") && !text.contains("not listed"), "{text}");
    let plaintext = ["-f", "-", "--permitted-endpoint-url=http://good.example"];
    let error = Cli::parse_from(["inject"].iter().chain(&plaintext)).args.settings().unwrap_err();
    assert!(error.to_string().contains("use https"), "{error}");
}

/// In admission warnings too, because both come from the one decision.
#[tokio::test]
async fn a_pod_on_the_nodes_network_that_cannot_resolve_the_sandbox_is_warned_of() {
    let sandbox = "--endpoint-url=http://podrole-sandbox.podrole.svc:4566";
    let on_node = DEPLOYMENT.replacen("    spec:\n", "    spec:\n      hostNetwork: true\n", 1);
    assert_ne!(on_node, DEPLOYMENT);
    let text = injected(&[SERVICE_ACCOUNT, &on_node], &["--why", sandbox]).await;
    assert!(text.contains("+ AWS_ENDPOINT_URL, "), "{text}");
    assert!(text.contains("podrole-sandbox.podrole.svc of AWS_ENDPOINT_URL; set"), "{text}");
    for (deployment, flags) in [(DEPLOYMENT, &["--why", sandbox][..]), (&on_node, &["--why"])] {
        let text = injected(&[SERVICE_ACCOUNT, deployment], flags).await;
        assert!(!text.contains("cannot resolve"), "{text}");
    }
}

#[tokio::test]
async fn lists_and_pods_without_metadata_are_injected() {
    let list = format!(
        "kind: List\nitems:\n  - {}\n  - {}",
        SERVICE_ACCOUNT.trim_end().replace('\n', "\n    "),
        DEPLOYMENT.trim_end().replace('\n', "\n    ")
    );
    let text = injected(&[&list], &["--credentials=container"]).await;
    assert!(text.contains("eks.amazonaws.com/pod-identity: enabled"), "{text}");
    assert!(text.contains("AWS_CONTAINER_CREDENTIALS_FULL_URI"), "{text}");
}

/// A List of the ServiceAccount and so many Deployments, in block style.
fn list(deployments: usize) -> String {
    let service_account = SERVICE_ACCOUNT.trim_end().replace('\n', "\n  ");
    let mut list = format!("kind: List\nitems:\n- {service_account}\n");
    for index in 0..deployments {
        let deployment = DEPLOYMENT.replace("name: web, ", &format!("name: web{index}, "));
        list.push_str(&format!("- {}\n", deployment.trim_end().replace('\n', "\n  ")));
    }
    list
}

#[tokio::test]
async fn the_diff_of_a_list_has_each_workload_once_with_its_own_lines() {
    let text = injected(&[&list(3)], &["--diff"]).await;
    for index in 0..3 {
        let heading = format!("Deployment shop/web{index}\n");
        let own = text.split(&heading).nth(1).unwrap();
        let own = own.split("Deployment shop/").next().unwrap();
        assert_eq!(own.matches("AWS_ROLE_ARN").count(), 1, "{text}");
        assert!(!own.contains("name: web,") && !own.contains("\n-"), "{own}");
    }
    let flow = list(0)
        + "- {kind: Pod, metadata: {name: p, namespace: shop}, spec: {serviceAccountName: \
         app, containers: [{name: c}]}}\n";
    let pods = flow.replace("kind: List\nitems:", "kind: List\nitems: # all");
    let text = injected(&[&pods], &["--diff"]).await;
    assert_eq!(text.matches("Pod shop/p\n").count(), 1, "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with('+')).count(), 1, "{text}");
    let line = "{kind: Pod, metadata: {name: p, namespace: shop}, spec: {serviceAccountName: app, \
                containers: [{name: c}]}}";
    let line = format!("kind: List\nitems: [{line}, {}]\n", line.replace("name: p", "name: q"));
    let text = injected(&[SERVICE_ACCOUNT, &line], &["--diff"]).await;
    assert_eq!(text.matches("AWS_ROLE_ARN").count(), 2, "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with('+')).count(), 2, "{text}");
}

#[tokio::test]
async fn a_list_is_read_as_often_for_many_workloads_as_for_one() {
    let mut reads = Vec::new();
    for count in [1, 20] {
        let before = crate::yaml::READS.get();
        let printed = printed(&[&list(count)], &["--diff"]).await;
        assert_eq!(printed.stdout.matches("AWS_ROLE_ARN").count(), count);
        reads.push(crate::yaml::READS.get() - before);
    }
    assert_eq!(reads[0], reads[1]);
}
