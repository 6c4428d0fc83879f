//! The command line: it serves, or runs a subcommand.

use std::process::ExitCode;

use clap::{ArgMatches, CommandFactory as _, Parser, Subcommand};
use podrole_identity::CredentialProvider;
use podrole_runtime::config::{self, PrintConfigArgs};

use crate::{
    Args,
    controller::{self, ControllerArgs},
    run::run,
};

/// Injects AWS credentials into pods, for the roles of their ServiceAccounts
#[derive(Debug, Parser)]
#[command(name = "podrole-webhook", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(flatten)]
    serve: Args,

    #[command(flatten)]
    print: PrintConfigArgs,

    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Keep the webhook registered, and its certificate valid: the only process of podrole that writes to
    /// the cluster's configuration
    Controller(ControllerArgs),
}

/// The parser of the command line, with every flag and subcommand; documentation is generated from
/// it.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Runs the process's command line. An error is printed as one line to standard error.
pub async fn main() -> ExitCode {
    let (cli, matches) = config::parse::<Cli>();
    let done = match cli.task {
        Some(Task::Controller(args)) => Box::pin(controller::run(args)).await,
        None if cli.print.print_config => {
            configuration(&cli.serve, &matches).map(|text| print!("{text}"))
        }
        // Boxed, because it holds all flags for as long as the process runs.
        None => Box::pin(run(cli.serve)).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line for people: anyhow's own form would add a backtrace.
            eprintln!("podrole-webhook: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The flags, and what follows from them.
fn configuration(args: &Args, matches: &ArgMatches) -> anyhow::Result<String> {
    let settings = args.settings()?;
    let audience = settings.audience_of(CredentialProvider::Container, None);
    let effective = [
        ("exchange", args.exchange().to_string()),
        ("token-expiration", settings.token_expiration.seconds().to_string()),
        ("sts-regional-endpoint", settings.sts_regional_endpoints.to_string()),
        ("container-credentials-audience", audience.to_string()),
    ];
    Ok(config::yaml(&Cli::command(), matches, &effective))
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    fn printed(flags: &[&str]) -> String {
        let name = ["podrole-webhook"].iter();
        let matches = Cli::command().get_matches_from(name.chain(flags));
        configuration(&Cli::from_arg_matches(&matches).unwrap().serve, &matches).unwrap()
    }

    #[test]
    fn the_configuration_in_effect_is_printed() {
        Cli::command().debug_assert();
        let text = printed(&[
            "--print-config",
            "--token-expiration=5",
            "--aws-default-region=eu-west-1",
            "--exchange=eks-auth",
        ]);
        for line in [
            "port: 443  # default",
            "token-expiration: 600  # flag, \"5\" as written",
            "sts-regional-endpoint: true  # default, null as written",
            "container-credentials-audience: \"pods.eks.amazonaws.com\"  # default, null as written",
            "certificates: \"files\"  # default",
            "log: \"info\"  # default",
        ] {
            let line = line.replace("\"5\"", "5");
            assert!(text.contains(&line), "{line} in\n{text}");
        }
        let read: serde_json::Map<_, _> = text
            .lines()
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, rest)| (name.to_owned(), rest.into()))
            .collect();
        assert!(read.len() > 30, "{text}");
    }

    #[test]
    fn a_subcommand_accepts_its_own_flags_only() {
        let parse = |words: &[&str]| Cli::try_parse_from(["podrole-webhook"].iter().chain(words));
        let task = parse(&["controller", "--name=other"]).unwrap().task;
        assert!(matches!(task, Some(Task::Controller(it)) if it.name == "other"));
        assert!(parse(&["--port=1", "controller"]).is_err());
        assert!(parse(&["controller", "--port=1"]).is_err());
    }
}
