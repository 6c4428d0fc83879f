//! `podrole sandbox`: the same as the program `podrole-sandbox`.

use std::process::ExitCode;

use podrole_sandbox::SandboxArgs;

/// Runs a sandbox until it is asked to stop. Exit code 2: it could not start.
pub(crate) async fn run(args: SandboxArgs) -> ExitCode {
    match podrole_sandbox::run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podrole sandbox: {error:#}");
            ExitCode::from(2)
        }
    }
}
