//! The story: each pod, each way, step by step.

use std::{io::Read as _, path::Path, process::ExitCode};

use podrole_identity::{AnnotationPrefix, CredentialProvider, ServiceAccountAnnotations};

use super::{
    DemoArgs, Failure, client, diff, kubelet,
    manifests::{Manifests, SourceFile, Workload},
    refusals,
    report::{Pod, Report},
    stage::Stage,
};
use crate::whoami::Answer;

const EXAMPLES: [(&str, &str); 2] = [
    ("examples/demo/namespace.yaml", include_str!("../../../examples/demo/namespace.yaml")),
    ("examples/demo/deployment.yaml", include_str!("../../../examples/demo/deployment.yaml")),
];

/// Tells it. The exit code is that of the person's own command, where there is one.
pub(crate) async fn tell(args: &DemoArgs, report: &mut Report) -> Result<ExitCode, Failure> {
    let manifests = read(args)?;
    let workloads = choose(&manifests, args)?;
    workloads.iter().try_for_each(|workload| opted_in(workload, &manifests, report))?;
    let stage = Stage::start(&manifests).await?;
    report.heading("podrole demo: a pod becomes an IAM role, on this machine alone");
    stage.introduce(report);
    stage.create_roles(&workloads, report)?;
    for workload in &workloads {
        let own = own_path(workload, &manifests);
        for path in args.paths(own) {
            let code = Scene { stage: &stage, workload, path }.play(args, report).await?;
            if code != ExitCode::SUCCESS {
                return Ok(code);
            }
        }
    }
    if args.command.is_empty() {
        try_next(args, report);
    }
    Ok(ExitCode::SUCCESS)
}

fn read(args: &DemoArgs) -> Result<Manifests, Failure> {
    let source = |path: &Path| {
        let text = if path == Path::new("-") {
            let mut text = String::new();
            std::io::stdin().read_to_string(&mut text).map(|_| text)
        } else {
            std::fs::read_to_string(path)
        };
        let file = path.display().to_string();
        text.map(|text| SourceFile { file: file.clone(), text }).map_err(|error| {
            let mend = "name a file of YAML or JSON that can be read";
            Failure::new("reading the manifests", format!("{file}: {error}"), mend)
        })
    };
    let sources = if args.filename.is_empty() {
        let example = |(file, text): (&str, &str)| SourceFile { file: file.into(), text: text.into() };
        EXAMPLES.map(example).into()
    } else {
        args.filename.iter().map(|path| source(path)).collect::<Result<Vec<_>, _>>()?
    };
    Manifests::read(&sources).map_err(|error| {
        Failure::new("reading the manifests", error, "correct the file at that place")
    })
}

fn choose(manifests: &Manifests, args: &DemoArgs) -> Result<Vec<Workload>, Failure> {
    let fits = |workload: &&Workload| match &args.workload {
        None => true,
        Some(wanted) => {
            let kind_and_name = format!("{}/{}", workload.kind, workload.name);
            *wanted == workload.name || wanted.eq_ignore_ascii_case(&kind_and_name)
        }
    };
    let chosen: Vec<Workload> = manifests.workloads.iter().filter(fits).cloned().collect();
    let known: Vec<String> = manifests.workloads.iter().map(ToString::to_string).collect();
    let known = known.join(", ");
    match chosen.len() {
        0 if manifests.workloads.is_empty() => Err(Failure::new(
            "finding a workload",
            "the files have nothing that makes pods",
            "add a Pod, Deployment, StatefulSet, DaemonSet, Job or CronJob",
        )),
        0 => {
            let why = format!("no workload has that name; there are {known}");
            Err(Failure::new("finding the workload", why, "name one of these with --workload"))
        }
        2.. if !args.command.is_empty() => {
            let why = format!("a command runs as one pod, and there are {known}");
            Err(Failure::new("finding the workload", why, "choose one with --workload"))
        }
        _ => Ok(chosen),
    }
}

/// The API server calls the webhook for namespaces that opted in, and for no others.
fn opted_in(workload: &Workload, manifests: &Manifests, report: &Report) -> Result<(), Failure> {
    let namespace = workload.service_account.namespace();
    let Some(labels) = manifests.namespaces.get(namespace) else {
        report.note(&format!(
            "the files have no Namespace {namespace}: as if it were labelled \
             podrole.io/injection=enabled"
        ));
        return Ok(());
    };
    match labels.get("podrole.io/injection").map(String::as_str) {
        Some("enabled" | "required") => Ok(()),
        _ => Err(Failure::new(
            format!("the namespace of {workload}"),
            format!("{namespace} did not opt in, so the API server would not ask the webhook"),
            &format!("label it: kubectl label namespace {namespace} podrole.io/injection=enabled"),
        )),
    }
}

fn own_path(workload: &Workload, manifests: &Manifests) -> CredentialProvider {
    let annotations = manifests.service_accounts.get(&workload.service_account);
    let read = |annotations| {
        ServiceAccountAnnotations::read(annotations, &AnnotationPrefix::default()).credentials
    };
    annotations.and_then(read).unwrap_or_default()
}

/// One pod on one way.
struct Scene<'a> {
    stage: &'a Stage,
    workload: &'a Workload,
    path: CredentialProvider,
}

impl Scene<'_> {
    async fn play(&self, args: &DemoArgs, report: &mut Report) -> Result<ExitCode, Failure> {
        let Self { stage, workload, path } = *self;
        report.heading(&format!("{workload} by {}", in_words(path)));
        stage.choose_path(&workload.service_account, path, report);
        let namespace = workload.service_account.namespace();
        let reviewed = stage.api_server.create(namespace, &workload.pod).await?;
        report.step("the webhook's answer", "the pod as it will be stored:");
        reviewed.warnings.iter().for_each(|warning| report.warning(warning));
        report.block(&diff::pods(&workload.pod, &reviewed.pod));
        let variables = client::injected(&workload.pod, &reviewed.pod)
            .ok_or_else(|| not_injected(workload, &reviewed.warnings))?;
        for wanted in kubelet::wanted_tokens(&workload.pod, &reviewed.pod)
            .map_err(|error| Failure::ours("the kubelet's tokens", &error))?
        {
            stage.write_token(workload, &wanted)?;
            let (audience, life) = (&wanted.audience, wanted.expiration_seconds);
            let file = wanted.file.display();
            report.step("a token is written", &format!("for {audience}, {life} s: {file}"));
        }
        let mut pod = Pod {
            workload: workload.to_string(),
            service_account: workload.service_account.to_string(),
            path: path.to_string(),
            patch: reviewed.patch,
            warnings: reviewed.warnings,
            variables,
            arn: None,
            refusals: Vec::new(),
        };
        let code = if args.command.is_empty() {
            pod.arn = Some(self.caller_identity(&pod.variables, report).await?);
            pod.refusals = refusals::show(stage, workload, path, &pod.variables, report).await?;
            ExitCode::SUCCESS
        } else {
            self.own_command(args, &pod.variables).await?
        };
        report.happened.pods.push(pod);
        Ok(code)
    }

    async fn caller_identity(
        &self,
        variables: &client::Variables,
        report: &Report,
    ) -> Result<String, Failure> {
        match client::whoami(variables).await? {
            Answer::Identity { arn, .. } => {
                report.step("GetCallerIdentity", &arn);
                Ok(arn)
            }
            Answer::Refused { message, .. } => {
                let reason = self.stage.decisions().pop().unwrap_or_default();
                Err(Failure::new(
                    format!("GetCallerIdentity by {}", in_words(self.path)),
                    format!("{message} (the sandbox's log says: {reason})"),
                    "look at the ServiceAccount's annotations and at the pod above",
                ))
            }
        }
    }

    async fn own_command(
        &self,
        args: &DemoArgs,
        variables: &client::Variables,
    ) -> Result<ExitCode, Failure> {
        let status = client::own_command(&args.command, variables, self.stage.folder()).await?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }
}

fn in_words(path: CredentialProvider) -> &'static str {
    match path {
        CredentialProvider::WebIdentity => "web identity: SDK -> STS",
        CredentialProvider::Container => "container credentials: SDK -> agent -> STS",
    }
}

fn not_injected(workload: &Workload, warnings: &[String]) -> Failure {
    let account = &workload.service_account;
    let why = match warnings.first() {
        Some(warning) => warning.clone(),
        None => format!("the ServiceAccount {account} names no role"),
    };
    Failure::new(
        format!("injecting {workload}"),
        why,
        &format!(
            "kubectl annotate serviceaccount -n {} {} \
             eks.amazonaws.com/role-arn=arn:aws:iam::<account>:role/<name>",
            account.namespace(),
            account.name()
        ),
    )
}

fn try_next(args: &DemoArgs, report: &Report) {
    report.heading("What to try next");
    if args.filename.is_empty() {
        report.note("podrole demo -f my-app.yaml                   your own manifests");
    }
    report.note("podrole demo -- aws sts get-caller-identity   your own command, as the pod");
    report.note("podrole demo --path container -- bash         a shell as the pod, by the agent");
    report.note("(from this checkout: cargo run -- demo ...)");
}
