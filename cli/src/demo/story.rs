//! The steps of the demo: all workloads, by each credential provider.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    process::ExitCode,
};

use podrole_identity::{INJECTION_ENABLED, INJECTION_LABEL};

use super::{
    DemoArgs, Failure, cloud,
    manifests::{Manifests, NOT_SEEN, SourceFile, Workload},
    plan::{Plan, chosen, names, own_provider, plan},
    pod_run::PodRun,
    report::Report,
    stage::Stage,
};

const EXAMPLES: [(&str, &str); 2] = [
    ("examples/demo/namespace.yaml", include_str!("../../../examples/demo/namespace.yaml")),
    ("examples/demo/deployment.yaml", include_str!("../../../examples/demo/deployment.yaml")),
];

/// Runs all steps. Returns the exit code of the user's command, if there is one.
///
/// # Errors
/// If nothing can be tried. A workload that fails does not stop the others.
pub(crate) async fn run(args: &DemoArgs, report: &mut Report) -> Result<ExitCode, Failure> {
    let manifests = read(args)?;
    report
        .heading("podrole demo: a pod gets the credentials of its IAM role, on this machine only");
    let tried = sorted_out(&manifests, args, report)?;
    // The sandbox and the agent are of one region, and a role belongs to one partition.
    let mut by_region: BTreeMap<&str, Vec<&Workload>> = BTreeMap::new();
    for workload in &tried {
        by_region.entry(cloud::region(workload, &manifests)).or_default().push(workload);
    }
    for (region, workloads) in by_region {
        let stage = Stage::start(&manifests, region).await?;
        stage.print_addresses(report);
        stage.create_roles(&workloads, report)?;
        for workload in workloads {
            for provider in args.providers(own_provider(workload, &manifests)) {
                let run = PodRun { stage: &stage, workload, provider };
                let code = run.run(args, report).await;
                if !args.command.is_empty() {
                    return Ok(code);
                }
            }
        }
    }
    if args.command.is_empty() {
        try_next(args, report);
    }
    Ok(if report.failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The workloads to try. The others are reported, each in one line.
fn sorted_out<'a>(
    manifests: &'a Manifests,
    args: &DemoArgs,
    report: &mut Report,
) -> Result<Vec<&'a Workload>, Failure> {
    let (mut tried, mut named) = (Vec::new(), false);
    let mut namespaces = BTreeSet::new();
    for object in manifests.makers.iter().filter(|_| args.workload.is_none()) {
        report.skipped(object, NOT_SEEN);
    }
    for workload in chosen(manifests, args)? {
        match plan(workload, manifests) {
            Plan::Try { assumed } => {
                tried.push(workload);
                if let Some(namespace) = assumed
                    && namespaces.insert(namespace.clone())
                {
                    report.note(&format!(
                        "the files do not contain Namespace {namespace}; assuming the label \
                         {INJECTION_LABEL}={INJECTION_ENABLED}"
                    ));
                }
            }
            Plan::Skip { reason, names_a_role } => {
                named |= names_a_role;
                report.skipped(workload, &reason);
            }
            Plan::Fail(failure) => {
                named = true;
                report.fail(failure);
            }
        }
    }
    if tried.is_empty() && !named {
        return Err(Failure::new(
            "finding a workload with a role",
            "no ServiceAccount of the workloads names a role",
            "kubectl annotate serviceaccount NAME \
             eks.amazonaws.com/role-arn=arn:aws:iam::<account>:role/<name>",
        ));
    }
    if tried.len() > 1 && !args.command.is_empty() {
        let why = format!(
            "a command runs as one pod, but these have a role: {}",
            names(tried.into_iter())
        );
        return Err(Failure::new("finding the workload", why, "choose one with --workload"));
    }
    Ok(tried)
}

fn read(args: &DemoArgs) -> Result<Manifests, Failure> {
    let failed = |why: &dyn fmt::Display, fix| Failure::new("reading the manifests", why, fix);
    let sources = if args.filename.is_empty() {
        let example = |(file, text): (&str, &str)| SourceFile {
            file: file.into(),
            text: text.into(),
            empty: None,
        };
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
    Err(failed(&errors.join("\n  "), "correct the input as named above"))
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
