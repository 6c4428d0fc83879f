//! `podrole whoami`: an AWS SDK, the environment that it finds, and one question to STS.
//!
//! Inside a pod it answers "which role am I?". The demo runs it with the injected variables and
//! nothing else.

use std::{error::Error, fmt::Write as _};

use aws_config::BehaviorVersion;
use aws_sdk_sts::operation::{
    assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
    get_caller_identity::GetCallerIdentityError,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use clap::Args;
use serde::{Deserialize, Serialize};

/// The flags of `whoami`.
#[derive(Args, Debug)]
pub(crate) struct WhoamiArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What STS says of the environment's credentials, or why it says nothing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Answer {
    /// The identity.
    #[serde(rename_all = "camelCase")]
    Identity { arn: String, account: String, user_id: String },
    /// The error as the application would see it.
    #[serde(rename_all = "camelCase")]
    Refused {
        /// AWS's code, where the failure came from AWS.
        code: Option<String>,
        /// AWS's words after its code, or the SDK's.
        message: String,
    },
}

/// Asks STS with whatever credentials the SDK's own chain finds.
pub(crate) async fn ask() -> Answer {
    let tls = Provider::Rustls(CryptoMode::AwsLc);
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(Builder::new().tls_provider(tls).build_https())
        .load()
        .await;
    match aws_sdk_sts::Client::new(&config).get_caller_identity().send().await {
        Ok(identity) => Answer::Identity {
            arn: identity.arn().unwrap_or_default().to_owned(),
            account: identity.account().unwrap_or_default().to_owned(),
            user_id: identity.user_id().unwrap_or_default().to_owned(),
        },
        Err(error) => refused(&error),
    }
}

/// AWS's own error where there is one in the chain of causes; else the whole chain, since the SDK
/// says the useful thing last.
fn refused(error: &(dyn Error + 'static)) -> Answer {
    let mut chain = std::iter::successors(Some(error), cause);
    if let Some((code, message)) = chain.clone().find_map(aws_error) {
        return Answer::Refused { message: format!("{code}: {message}"), code: Some(code) };
    }
    let first = chain.next().map(ToString::to_string).unwrap_or_default();
    let message = chain.fold(first, |mut told, cause| {
        let _ = write!(told, ": {cause}");
        told
    });
    Answer::Refused { code: None, message }
}

fn cause<'a>(error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    (*error).source()
}

/// AWS's code and message, where this link of the chain is AWS's answer.
fn aws_error(error: &(dyn Error + 'static)) -> Option<(String, String)> {
    let web_identity = error.downcast_ref::<AssumeRoleWithWebIdentityError>();
    let identity = error.downcast_ref::<GetCallerIdentityError>();
    let meta = web_identity.map(AssumeRoleWithWebIdentityError::meta);
    let meta = meta.or(identity.map(GetCallerIdentityError::meta))?;
    let (code, message) = (meta.code()?, meta.message().unwrap_or_default());
    Some((code.to_owned(), message.to_owned()))
}

/// Runs the command: the ARN on standard output, or the error on standard error and code 1.
pub(crate) async fn run(args: &WhoamiArgs) -> std::process::ExitCode {
    let answer = ask().await;
    if args.json {
        println!("{}", serde_json::to_string(&answer).unwrap_or_default());
    }
    match answer {
        Answer::Identity { arn, .. } => {
            if !args.json {
                println!("{arn}");
            }
            std::process::ExitCode::SUCCESS
        }
        Answer::Refused { message, .. } => {
            if !args.json {
                eprintln!("{message}");
            }
            std::process::ExitCode::FAILURE
        }
    }
}
