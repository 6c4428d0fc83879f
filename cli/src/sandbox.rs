//! `podrole sandbox`: the same as the binary `podrole-sandbox`.

use std::process::ExitCode;

use podrole_sandbox::SandboxArgs;

/// Runs a sandbox until a signal stops it. Exits with code 2 if it could not start.
pub(crate) async fn run(args: SandboxArgs) -> ExitCode {
    match podrole_sandbox::run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("podrole sandbox: {error:#}");
            ExitCode::from(2)
        }
    }
}
