//! `podrole-webhook`: gives pods the AWS role of their ServiceAccount.
#![forbid(unsafe_code)]

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    podrole_runtime::crypto::install();
    podrole_webhook::main().await
}
