//! The steps of the demo, for each workload and credential provider.

use std::{fmt, process::ExitCode};

use podrole_identity::{
    AnnotationPrefix, CredentialProvider, INJECTION_ENABLED, INJECTION_LABEL, Injection,
    ServiceAccountAnnotations,
};

use super::{
    DemoArgs, Failure, client, diff, kubelet,
    manifests::{Manifests, SourceFile, Workload},
    refusals,
    report::{PodReport, Report},
    stage::Stage,
};
use crate::whoami::Answer;

const EXAMPLES: [(&str, &str); 2] = [
    ("examples/demo/namespace.yaml", include_str!("../../../examples/demo/namespace.yaml")),
    ("examples/demo/deployment.yaml", include_str!("../../../examples/demo/deployment.yaml")),
];

/// Runs all steps. Returns the exit code of the user's command, if there is one.
pub(crate) async fn run(args: &DemoArgs, report: &mut Report) -> Result<ExitCode, Failure> {
    let manifests = read(args)?;
    let workloads = choose(&manifests, args)?;
    workloads.iter().try_for_each(|workload| opted_in(workload, &manifests, report))?;
    let stage = Stage::start(&manifests).await?;
    report
        .heading("podrole demo: a pod gets the credentials of its IAM role, on this machine only");
    stage.print_addresses(report);
    stage.create_roles(&workloads, report)?;
    for workload in &workloads {
        let own = chosen_provider(workload, &manifests);
        for provider in args.providers(own) {
            let code = PodRun { stage: &stage, workload, provider }.run(args, report).await?;
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
    let failed = |why: &dyn fmt::Display, fix| Failure::new("reading the manifests", why, fix);
    let sources = if args.filename.is_empty() {
        let example =
            |(file, text): (&str, &str)| SourceFile { file: file.into(), text: text.into() };
        EXAMPLES.map(example).into()
    } else {
        let read = args.sources.read(&args.filename);
        read.map_err(|error| failed(&error, "give a readable file of YAML or JSON"))?
    };
    let manifests = Manifests::read(sources, &args.sources.namespace);
    if manifests.errors.is_empty() {
        return Ok(manifests);
    }
    let errors: Vec<String> = manifests.errors.iter().map(ToString::to_string).collect();
    Err(failed(&errors.join("\n  "), "correct the file at this position"))
}

fn choose(manifests: &Manifests, args: &DemoArgs) -> Result<Vec<Workload>, Failure> {
    let fits = |workload: &&Workload| match &args.workload {
        None => true,
        Some(name) => workload.is_called(name),
    };
    let chosen: Vec<Workload> = manifests.workloads.iter().filter(fits).cloned().collect();
    let known: Vec<String> = manifests.workloads.iter().map(ToString::to_string).collect();
    let known = known.join(", ");
    match chosen.len() {
        0 if manifests.workloads.is_empty() => Err(Failure::new(
            "finding a workload",
            "the files contain no workload",
            "add a Pod, Deployment, StatefulSet, DaemonSet, Job or CronJob",
        )),
        0 => {
            let why = format!("no workload has this name; the files contain {known}");
            Err(Failure::new("finding the workload", why, "choose one of these with --workload"))
        }
        2.. if !args.command.is_empty() => {
            let why = format!("a command runs as one pod, but the files contain {known}");
            Err(Failure::new("finding the workload", why, "choose one with --workload"))
        }
        _ => Ok(chosen),
    }
}

/// Fails if the workload's namespace has not opted in, because then an API server would not call
/// the webhook.
fn opted_in(workload: &Workload, manifests: &Manifests, report: &Report) -> Result<(), Failure> {
    let namespace = workload.service_account.namespace();
    let Some(labels) = manifests.namespaces.get(namespace) else {
        report.note(&format!(
            "the files do not contain Namespace {namespace}; assuming the label \
             {INJECTION_LABEL}={INJECTION_ENABLED}"
        ));
        return Ok(());
    };
    match Injection::of_namespace(labels.get(INJECTION_LABEL).map(String::as_str)) {
        Some(_) => Ok(()),
        None => Err(Failure::new(
            format!("checking the namespace of {workload}"),
            format!("{namespace} has not opted in, so the API server would not call the webhook"),
            &format!("kubectl label namespace {namespace} {INJECTION_LABEL}={INJECTION_ENABLED}"),
        )),
    }
}

fn chosen_provider(workload: &Workload, manifests: &Manifests) -> CredentialProvider {
    let annotations = manifests.service_accounts.get(&workload.service_account);
    let read = |annotations| {
        ServiceAccountAnnotations::read(annotations, &AnnotationPrefix::default()).credentials
    };
    annotations.and_then(read).unwrap_or_default()
}

/// One pod with one credential provider.
struct PodRun<'a> {
    stage: &'a Stage,
    workload: &'a Workload,
    provider: CredentialProvider,
}

impl PodRun<'_> {
    async fn run(&self, args: &DemoArgs, report: &mut Report) -> Result<ExitCode, Failure> {
        let Self { stage, workload, provider } = *self;
        report.heading(&format!("{workload} with {}", describe(provider)));
        stage.choose_provider(&workload.service_account, provider, report);
        let namespace = workload.service_account.namespace();
        let admitted = stage.api_server.create(namespace, &workload.pod).await?;
        report.step("webhook patched the pod", "the pod as it would be stored:");
        admitted.warnings.iter().for_each(|warning| report.warning(warning));
        report.block(&diff::pods(&workload.pod, &admitted.pod));
        let variables = client::injected(&workload.pod, &admitted.pod)
            .ok_or_else(|| not_injected(workload, &admitted.warnings))?;
        for requested in kubelet::requested_tokens(&workload.pod, &admitted.pod)
            .map_err(|error| Failure::bug("reading the token volumes", &error))?
        {
            stage.write_token(workload, &requested)?;
            let (audience, seconds) = (&requested.audience, requested.expiration_seconds);
            let file = requested.file.display();
            report.step("wrote a token", &format!("for {audience}, valid {seconds} s: {file}"));
        }
        let mut pod = PodReport {
            workload: workload.to_string(),
            service_account: workload.service_account.to_string(),
            provider: provider.to_string(),
            patch: admitted.patch,
            warnings: admitted.warnings,
            variables,
            arn: None,
            refusals: Vec::new(),
        };
        let code = if args.command.is_empty() {
            pod.arn = Some(self.caller_identity(&pod.variables, report).await?);
            pod.refusals =
                refusals::show(stage, workload, provider, &pod.variables, report).await?;
            ExitCode::SUCCESS
        } else {
            self.own_command(args, &pod.variables).await?
        };
        report.result.pods.push(pod);
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
                    format!("GetCallerIdentity with {}", describe(self.provider)),
                    format!("{message} (reason in the sandbox's log: {reason})"),
                    "check the annotations of the ServiceAccount and the patched pod above",
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

fn describe(provider: CredentialProvider) -> &'static str {
    match provider {
        CredentialProvider::WebIdentity => "web-identity: SDK -> STS",
        CredentialProvider::Container => "container: SDK -> agent -> STS",
    }
}

fn not_injected(workload: &Workload, warnings: &[String]) -> Failure {
    let service_account = &workload.service_account;
    let why = match warnings.first() {
        Some(warning) => warning.clone(),
        None => format!("ServiceAccount {service_account} does not name a role"),
    };
    Failure::new(
        format!("injecting {workload}"),
        why,
        &format!(
            "kubectl annotate serviceaccount -n {} {} \
             eks.amazonaws.com/role-arn=arn:aws:iam::<account>:role/<name>",
            service_account.namespace(),
            service_account.name()
        ),
    )
}

fn try_next(args: &DemoArgs, report: &Report) {
    report.heading("Next steps");
    if args.filename.is_empty() {
        report.note("podrole demo -f my-app.yaml                   your manifests");
    }
    report.note("podrole demo -- aws sts get-caller-identity   your command, as the pod");
    report.note(
        "podrole demo --provider container -- bash     a shell as the pod, through the agent",
    );
    report.note("(from this checkout: cargo run -- demo ...)");
}
