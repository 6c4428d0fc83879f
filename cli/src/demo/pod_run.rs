//! One pod with one credential provider.

use std::process::ExitCode;

use podrole_identity::{CredentialProvider, variable};
use podrole_webhook::mutate::ContainerResult;

use super::{
    DemoArgs, Failure, client, diff, kubelet,
    manifests::Workload,
    refusals,
    report::{PodReport, Report},
    stage::Stage,
};
use crate::whoami::Answer;

/// One pod with one credential provider.
pub(crate) struct PodRun<'a> {
    pub(crate) stage: &'a Stage,
    pub(crate) workload: &'a Workload,
    pub(crate) provider: CredentialProvider,
}

impl PodRun<'_> {
    /// Runs the steps, and reports a failed one. Returns the exit code of the user's command.
    pub(crate) async fn run(&self, args: &DemoArgs, report: &mut Report) -> ExitCode {
        let Self { workload, provider, .. } = *self;
        report.heading(&format!("{workload} with {}", describe(provider)));
        let mut pod = PodReport::new(
            &workload.to_string(),
            &workload.service_account.to_string(),
            provider.as_str(),
        );
        let result = self.steps(&mut pod, args, report).await;
        let code = match result {
            Ok(code) => code,
            Err(failure) => {
                pod.failure = Some(failure.clone());
                report.fail(failure);
                ExitCode::FAILURE
            }
        };
        pod.ok = pod.failure.is_none();
        report.result.pods.push(pod);
        code
    }

    async fn steps(
        &self,
        pod: &mut PodReport,
        args: &DemoArgs,
        report: &Report,
    ) -> Result<ExitCode, Failure> {
        let Self { stage, workload, provider } = *self;
        stage.choose_provider(&workload.service_account, provider, report);
        let container = self.first_container().await?;
        let namespace = workload.service_account.namespace();
        let admitted = stage.api_server.create(namespace, &workload.pod).await?;
        report.step("webhook patched the pod", "the pod as it would be stored:");
        admitted.warnings.iter().for_each(|warning| report.warning(warning));
        report.block(&diff::pods(&workload.pod, &admitted.pod));
        pod.patch = admitted.patch;
        pod.warnings = admitted.warnings;
        if pod.patch.as_array().is_none_or(Vec::is_empty) {
            return Err(not_injected(workload, &pod.warnings));
        }
        let requested = kubelet::requested_tokens(&workload.pod, &admitted.pod);
        let requested =
            requested.map_err(|error| Failure::bug("reading the token volumes", &error))?;
        for requested in requested {
            stage.write_token(workload, &requested)?;
            let (audience, seconds) = (&requested.audience, requested.expiration_seconds);
            let file = requested.file.display();
            report.step("wrote a token", &format!("for {audience}, valid {seconds} s: {file}"));
        }
        let mut variables = client::variables(&workload.pod, &admitted.pod, &container);
        stage.complete(&mut variables);
        pod.container = Some(container);
        pod.variables = variables;
        if !args.command.is_empty() {
            return self.own_command(args, &pod.variables).await;
        }
        pod.arn = Some(self.caller_identity(&pod.variables, report).await?);
        pod.refusals = refusals::show(stage, workload, provider, &pod.variables, report).await?;
        Ok(ExitCode::SUCCESS)
    }

    /// The first container that no annotation leaves out: it must get the role.
    async fn first_container(&self) -> Result<String, Failure> {
        let workload = self.workload;
        let reports = self.stage.containers(workload).await;
        let initial = workload.pod["spec"]["initContainers"].as_array().map_or(0, Vec::len);
        let (initial, others) = reports.split_at(initial.min(reports.len()));
        let mut included =
            others.iter().chain(initial).filter(|it| it.result != ContainerResult::Excluded);
        let step = format!("injecting {workload}");
        let Some(first) = included.next() else {
            let fix = "correct skip-containers and include-containers";
            return Err(Failure::new(step, "annotations leave every container out", fix));
        };
        let name = &first.name;
        let why = match &first.result {
            ContainerResult::Served | ContainerResult::Excluded => return Ok(name.clone()),
            ContainerResult::TokenOnly { sets } => format!("sets {sets}"),
            ContainerResult::HasOther(provider) => format!("has {provider} credentials"),
            ContainerResult::LeftAlone { because } => because.clone(),
        };
        let why = format!("container {name} does not get the role, because it {why}");
        Err(Failure::new(step, why, "remove that, or leave the container out by an annotation"))
    }

    async fn caller_identity(
        &self,
        variables: &client::Variables,
        report: &Report,
    ) -> Result<String, Failure> {
        let (message, request_id) = match client::whoami(variables).await? {
            Answer::Identity { arn, .. } => {
                report.step("GetCallerIdentity", &arn);
                return Ok(arn);
            }
            Answer::Refused { message, request_id, .. } => (message, request_id),
        };
        let reason = match self.provider {
            CredentialProvider::WebIdentity => {
                let reason = self.stage.reason(request_id.as_deref());
                reason.map(|reason| format!("reason in the sandbox's log: {reason}"))
            }
            // Most SDKs show only the status of the agent's answer.
            CredentialProvider::Container => {
                refusals::message_of_agent(
                    self.stage,
                    variables.get(variable::CONTAINER_TOKEN_FILE),
                )
                .await
            }
        };
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        Err(Failure::new(
            format!("GetCallerIdentity with {}", describe(self.provider)),
            format!("{message}{reason}"),
            "check the annotations of the ServiceAccount and the patched pod above",
        ))
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
        None => "the pod has everything already".to_owned(),
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
