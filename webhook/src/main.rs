//! `podrole-webhook`: gives pods their AWS identity.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    podrole_runtime::crypto::install();
    podrole_webhook::main().await
}
