//! `podrole explain`: what a code means.

use std::process::ExitCode;

use clap::Args;

use crate::{codes, output, report::Code};

/// Explain a code such as PR020: its cause, where it is seen, and its fix
///
/// Needs no cluster and no network. Without a code, lists all of them.
#[derive(Args, Debug)]
pub(crate) struct ExplainArgs {
    /// The codes, for example PR020
    #[arg(value_name = "CODE")]
    codes: Vec<Code>,
}

/// Runs the command. The exit code is 2 if a code does not exist.
pub(crate) fn run(args: &ExplainArgs) -> ExitCode {
    let text = match text(&args.codes) {
        Ok(text) => text,
        Err(error) => return output::usage_error(&error),
    };
    match output::print(&text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podrole: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn text(wanted: &[Code]) -> anyhow::Result<String> {
    let mistakes = codes::all()?;
    if wanted.is_empty() {
        let lines = mistakes.iter().map(|it| format!("{}  {}\n", it.code(), it.title()));
        return Ok(lines.collect());
    }
    let mut texts = Vec::new();
    for code in wanted {
        let found = mistakes.iter().find(|it| it.code() == *code);
        let missing = || anyhow::anyhow!("there is no {code}; podrole explain lists all codes");
        texts.push(found.ok_or_else(missing)?.to_string());
    }
    Ok(texts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_explained_with_cause_and_fix() {
        let text = text(&[Code(7), Code(20)]).unwrap();
        for part in [
            "PR007: The pod runs as a ServiceAccount without a role\n",
            "\n  example    spec:\n               template:\n",
            "\nPR020: ",
            "\n  fix        Change the condition to the pod's ServiceAccount.\n",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
    }

    #[test]
    fn without_a_code_all_are_listed() {
        assert_eq!(text(&[]).unwrap().lines().count(), 60);
        let missing = text(&[Code(999)]).unwrap_err().to_string();
        assert_eq!(missing, "there is no PR999; podrole explain lists all codes");
    }
}
