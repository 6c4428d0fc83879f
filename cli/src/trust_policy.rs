//! `podrole trust-policy`: the trust policy that a role needs, and what is wrong with one.
//!
//! ```text
//!   flags, cluster ─► question ─► required ─► document ─► JSON, Terraform, CloudFormation
//!                        └──────► judge (with a policy) ─► findings
//! ```

mod args;
mod document;
mod error;
mod fix;
mod forms;
mod from_cluster;
mod judge;
mod live;
mod policy_file;
mod provider;
mod question;
mod required;

use std::process::ExitCode;

use podrole_runtime::clock;
use podrole_sandbox::policy::Policy;
use serde_json::Value;

pub(crate) use args::TrustPolicyArgs;
pub(crate) use fix::FixCommands;
pub(crate) use from_cluster::issuer_of;
pub(crate) use judge::{PolicySource, judge};
pub(crate) use live::examine;
pub(crate) use policy_file::PolicyFile;
pub(crate) use question::{AskingCaller, SourcePrincipal, TrustQuestion};

use crate::{
    aws_iam::Iam,
    output,
    report::{Finding, FindingsReport, ReportExit, State, verdict},
};
use error::TrustPolicyError;

/// Runs the command. The exit code is 1 if the policy is not right, 2 if a flag or file cannot be used
/// and 3 if something is not known.
pub(crate) async fn run(args: TrustPolicyArgs) -> ExitCode {
    args.output.choose_color();
    let done = match run_inner(&args).await {
        Err(TrustPolicyError::Found(findings)) => report(&args, &findings),
        Err(TrustPolicyError::Usage(error)) => Err(error),
        Ok(code) => Ok(code),
    };
    done.unwrap_or_else(|error| output::usage_error(&error))
}

async fn run_inner(args: &TrustPolicyArgs) -> Result<ExitCode, TrustPolicyError> {
    let of_aws = args.role_of_aws()?;
    let questions = from_cluster::questions(args).await?;
    let iam = if of_aws.is_some() { Some(Iam::from_environment().await?) } else { None };
    if let Some(name) = &args.check {
        let findings = match &iam {
            Some(iam) => examined(args, iam, &questions).await,
            None => checked(&PolicyFile::read(name)?, &questions),
        };
        return Ok(report(args, &findings)?);
    }
    let file = match (&args.into, &iam, questions.first()) {
        (Some(name), Some(iam), Some(question)) => {
            let role = live::role(iam, question).await;
            let role = role.map_err(|finding| TrustPolicyError::Found(vec![finding]))?;
            Some(PolicyFile { name: name.clone(), text: role.trust_policy })
        }
        (Some(name), ..) => Some(PolicyFile::read(name)?),
        (None, ..) => None,
    };
    let policy = written(args, &questions, file.as_ref())?;
    output::print(&forms::text(args.format, &policy))?;
    let length = document::length(&policy);
    if length > document::QUOTA {
        eprintln!(
            "warning: the policy has {length} characters without blanks; IAM accepts {} until the quota is raised",
            document::QUOTA
        );
        return Ok(if args.output.strict { ExitCode::FAILURE } else { ExitCode::SUCCESS });
    }
    Ok(ExitCode::SUCCESS)
}

/// The findings about the role in AWS for each ServiceAccount.
async fn examined(args: &TrustPolicyArgs, iam: &Iam, questions: &[TrustQuestion]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for question in questions {
        let fix = FixCommands::live(question.role.as_str());
        let fix = if args.issuer.is_some() { fix.naming_issuer() } else { fix };
        let found = examine(iam, question, &fix, clock::now()).await;
        findings.extend(found.into_iter().filter(|it| !findings.contains(it)).collect::<Vec<_>>());
    }
    findings
}

/// The findings about a policy for each ServiceAccount.
fn checked(file: &PolicyFile, questions: &[TrustQuestion]) -> Vec<Finding> {
    let fix = FixCommands::offline(file.argument());
    let source = PolicySource::File(&file.name);
    let now = clock::now();
    let all = questions.iter().flat_map(|it| judge(&file.text, source, it, &fix, now));
    let mut findings: Vec<Finding> = Vec::new();
    for finding in all {
        // A file that is no policy is said once.
        if !findings.contains(&finding) {
            findings.push(finding);
        }
    }
    findings
}

/// The policy with all that the questions need.
fn written(
    args: &TrustPolicyArgs,
    questions: &[TrustQuestion],
    file: Option<&PolicyFile>,
) -> Result<Value, TrustPolicyError> {
    let unreadable = |name: &str, error: &dyn std::fmt::Display| {
        TrustPolicyError::Found(vec![Finding::new(State::Error, format!("{name}: {error}"))])
    };
    let mut policy = match file {
        Some(file) => {
            Policy::read(&file.text).map_err(|error| unreadable(&file.name, &error))?;
            serde_json::from_str(&file.text).map_err(|error| unreadable(&file.name, &error))?
        }
        None => document::empty(),
    };
    for statement in required::statements(questions, args.wildcard) {
        document::add(&mut policy, &statement);
    }
    // A Deny of the file wins over what was added.
    let name = file.map_or("the policy", |file| &file.name);
    let whole = PolicyFile { name: name.to_owned(), text: policy.to_string() };
    let errors: Vec<Finding> =
        checked(&whole, questions).into_iter().filter(|it| it.state == State::Error).collect();
    if errors.is_empty() { Ok(policy) } else { Err(TrustPolicyError::Found(errors)) }
}

/// Prints findings.
fn report(args: &TrustPolicyArgs, findings: &[Finding]) -> anyhow::Result<ExitCode> {
    let exit = ReportExit::of(findings, args.output.strict);
    let report = FindingsReport::new("TrustPolicyReport", findings, exit.code());
    let text = match args.output.output.render(&report)? {
        Some(text) => text,
        None => findings.iter().map(verdict).collect(),
    };
    if args.check.is_some() {
        output::print(&text)?;
    } else {
        anstream::eprint!("{text}");
    }
    Ok(ExitCode::from(exit.code()))
}
