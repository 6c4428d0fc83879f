//! `podrole why`: why a pod does not get its AWS role, and which command fixes it.
//!
//! ```text
//!   API server ─► read ─┐                  ┌► link 1 ... link 12 ─► chain: what follows from what ─► text, WhyReport
//!   manifests ──────────┴► World ─► Subject ┘   (pure)
//! ```

mod added;
mod args;
mod aws;
mod case;
mod chain;
mod decided;
mod files;
mod link;
mod object;
mod own;
mod read;
mod report;
mod resource;
mod settings;
mod shell;
mod subject;
mod target;
#[cfg(test)]
mod tests;
mod text;
mod trust;
mod world;

use std::process::ExitCode;

use podrole_runtime::clock;

use self::{
    aws::AwsFindings, case::Case, chain::Chain, report::WhyReport, settings::WhySettings,
    subject::Subject, target::Target, trust::Trust, world::World,
};
use crate::{
    manifests::ManifestError,
    output,
    report::{Finding, State, verdict},
    settings::ClusterSettings,
};
pub(crate) use args::WhyArgs;

/// What is printed, and the exit code.
struct Answer {
    text: String,
    report: WhyReport,
}

/// Runs the command.
pub(crate) async fn run(args: WhyArgs) -> ExitCode {
    args.output.choose_color();
    match answer(&args).await {
        Ok((text, code)) => {
            if let Err(error) = output::print(&text) {
                eprintln!("podrole: {error:#}");
                return ExitCode::FAILURE;
            }
            ExitCode::from(code)
        }
        Err(error) => output::usage_error(&error),
    }
}

async fn answer(args: &WhyArgs) -> anyhow::Result<(String, u8)> {
    let mut answer = Answer::new(args.output.strict);
    if args.filename.is_empty() {
        let target = args.target()?;
        let (reader, own) = args.cluster.reader().await?;
        let namespace = args.namespace.clone().unwrap_or(own);
        let settings = ClusterSettings::read(&reader, &args.settings).await?;
        let trust = Trust::read(&args.aws, Some(&reader), &settings).await?;
        let settings = WhySettings::new(settings, &args.settings);
        let world = read::world(&reader, &namespace, target).await;
        answer.examine(args, &world, (&settings, trust.as_ref()), &namespace, target).await;
    } else {
        let settings = ClusterSettings::offline(&args.settings)?;
        let trust = Trust::read(&args.aws, None, &settings).await?;
        let settings = WhySettings::new(settings, &args.settings);
        let files = files::read(args)?;
        for error in &files.errors {
            answer.broken(error);
        }
        for (namespace, target) in &files.targets {
            answer
                .examine(args, &files.world, (&settings, trust.as_ref()), namespace, target)
                .await;
        }
    }
    answer.finish(args)
}

impl Answer {
    fn new(strict: bool) -> Self {
        Self { text: String::new(), report: WhyReport::new(strict) }
    }

    /// Adds one subject.
    async fn examine(
        &mut self,
        args: &WhyArgs,
        world: &World,
        (settings, trust): (&WhySettings, Option<&Trust>),
        namespace: &str,
        target: &Target,
    ) {
        match Subject::find(world, namespace, target) {
            Ok(subject) => {
                let case = Case::new(world, &subject, settings, clock::now());
                let aws = match trust {
                    Some(trust) => trust.findings(&case).await,
                    None => AwsFindings::default(),
                };
                let chain = Chain::of(&case, &aws);
                // Most workloads of files want no role; one that is named on the command line does.
                if !args.filename.is_empty() && args.wanted().is_none() && chain.wants_no_role() {
                    let finding = Finding::skipped(format!("{target} has no role"));
                    self.text.push_str(&verdict(&finding));
                    self.report.unexamined(&target.to_string(), namespace, finding);
                    return;
                }
                self.text.push_str(&text::text(&case, &chain, args.output.verbose));
                self.report.add(&case, &chain);
            }
            Err(finding) => {
                self.text.push_str(&verdict(&finding));
                self.report.unexamined(&target.to_string(), namespace, *finding);
            }
        }
    }

    /// Adds a document that cannot be read.
    fn broken(&mut self, error: &ManifestError) {
        let finding = Finding::new(State::Error, error.to_string());
        self.text.push_str(&verdict(&finding));
        self.report.broken(finding);
    }

    fn finish(mut self, args: &WhyArgs) -> anyhow::Result<(String, u8)> {
        self.report.close(args.output.strict);
        let rendered = args.output.output.render(&self.report)?;
        Ok((rendered.unwrap_or(self.text), self.report.exit_code))
    }
}
