//! ServiceAccounts and Namespaces that cannot be read, or are there twice.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use podrole_identity::{NamespaceFacts, ServiceAccountRef};
use podrole_webhook::{FoundAssociation, LookupError, ServiceAccount};

use super::*;

/// Answers this many look-ups, and then no more.
struct Failing {
    files: InMemory,
    left: AtomicUsize,
    then: Result<Option<ServiceAccount>, LookupError>,
}

impl ServiceAccounts for Failing {
    async fn find(
        &self,
        service_account: &ServiceAccountRef,
        patience: Duration,
    ) -> Result<Option<ServiceAccount>, LookupError> {
        let one_less = |left: usize| left.checked_sub(1);
        match self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) {
            Ok(_) => self.files.find(service_account, patience).await,
            Err(_) => self.then.clone(),
        }
    }

    async fn association(
        &self,
        _service_account: &ServiceAccountRef,
        _confirm: bool,
        _patience: Duration,
    ) -> Result<FoundAssociation, LookupError> {
        Ok(None)
    }

    async fn namespace_facts(
        &self,
        name: &str,
        wait: Duration,
    ) -> Result<std::sync::Arc<NamespaceFacts>, LookupError> {
        self.files.namespace_facts(name, wait).await
    }
}

#[tokio::test]
async fn a_look_up_that_fails_later_leaves_the_pod_undecided() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, [SERVICE_ACCOUNT, DEPLOYMENT].join("---\n")).unwrap();
    let args = Cli::parse_from(["inject", "-f", &file.path().display().to_string()]).args;
    let manifests = Manifests::read(args.sources.read(&args.filename).unwrap(), "default");
    let settings = args.settings().unwrap();
    for (left, then, line) in [
        (0, Err(LookupError::Failed), "not decided: no credentials added: could not read the Ser"),
        (1, Err(LookupError::TooSlow), "not decided: the API server took too long"),
        (1, Ok(None), "not decided: its role changed while it was read; try again"),
        (2, Ok(None), "injected web-identity, arn:"),
    ] {
        let files = from_files(&manifests, &settings);
        let service_accounts = Failing { files, left: left.into(), then };
        let webhook = webhook(service_accounts, settings.clone());
        let printed = output(&args, &manifests, &webhook).await.unwrap();
        let line = format!("Deployment shop/web: {line}");
        assert!(printed.stderr[0].starts_with(&line), "{line}: {:?}", printed.stderr);
        assert_eq!(printed.report.exit_code, u8::from(left < 2), "{line}");
        assert_eq!(printed.stdout.is_empty(), left < 2, "{line}: {}", printed.stdout);
    }
}

#[tokio::test]
async fn a_pod_without_containers_is_not_one_that_annotations_leave_out() {
    let pod = "kind: Pod\nmetadata: {name: p, namespace: shop}\nspec: {serviceAccountName: app, \
               containers: []}\n";
    let printed = printed(&[SERVICE_ACCOUNT, pod], &[]).await;
    let line = "Pod shop/p: no container gets the role: the pod has none";
    assert!(printed.stderr[0].starts_with(line), "{:?}", printed.stderr);
    assert_eq!(printed.report.exit_code, 1);
}

#[tokio::test]
async fn pods_are_undecided_if_what_decides_them_cannot_be_read() {
    let label = namespace("true", "");
    let annotation = SERVICE_ACCOUNT.replace("arn:aws:iam::111122223333:role/app", "0x10");
    let plain = "kind: ServiceAccount\nmetadata: {name: app, namespace: shop}\n";
    for (documents, errors, line) in [
        ([&label, SERVICE_ACCOUNT], 1, "not decided: Namespace shop cannot be read; fix "),
        ([&label, plain], 1, "no role"),
        ([&annotation, ""], 1, "not decided: ServiceAccount shop/app cannot be read; fix "),
    ] {
        let printed = printed(&[documents[0], documents[1], DEPLOYMENT], &[]).await;
        let lines: Vec<&String> = printed.stderr.iter().filter(|it| it.contains("/web:")).collect();
        assert!(lines[0].contains(line), "{:?}", printed.stderr);
        assert!(!lines.iter().any(|it| it.contains("in none of")), "{:?}", printed.stderr);
        let report = &printed.report;
        assert_eq!((report.exit_code, report.errors.len()), (1, errors), "{:?}", report.errors);
        // The place is that of the error.
        let place = report.errors[0].split_once(": ").unwrap().0;
        assert!(line == "no role" || lines[0].contains(&format!("fix {place} first")), "{lines:?}");
    }
}

#[tokio::test]
async fn the_last_of_two_of_one_name_counts_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let other = SERVICE_ACCOUNT.replace("role/app", "role/other");
    let second = format!("{}---\n{other}---\n{DEPLOYMENT}", namespace("enabled", ""));
    let first = format!("{SERVICE_ACCOUNT}---\n{}", namespace("other", ""));
    for (name, text) in [("a.yaml", first), ("b.yaml", second)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let path = folder.path().display().to_string();
    let printed = run(&["-f", &path]).await.unwrap();
    assert_eq!(printed.report.exit_code, 0, "{:?}", printed.stderr);
    let expected = [
        format!(
            "{path}/b.yaml:1: Namespace shop: it is also at {path}/a.yaml:8; only this one counts"
        ),
        format!(
            "{path}/b.yaml:7: ServiceAccount shop/app: it is also at {path}/a.yaml:1; only this one counts"
        ),
    ];
    assert_eq!(printed.report.warnings[..2], expected);
    assert!(printed.stdout.contains("value: arn:aws:iam::111122223333:role/other\n"));
}
