//! `podrole whoami`: calls GetCallerIdentity with the credentials that an AWS SDK finds in the
//! environment.
//!
//! Inside a pod it answers "which role am I?". The demo runs it with only the injected variables.

mod doubt;

use std::{env, error::Error, fmt::Write as _};

use aws_config::BehaviorVersion;
use aws_sdk_sts::error::ErrorMetadata;
use aws_sdk_sts::operation::{
    RequestId as _, assume_role_with_web_identity::AssumeRoleWithWebIdentityError,
    get_caller_identity::GetCallerIdentityError,
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::{
    api_version::API_VERSION,
    report::{Finding, verdict},
};

#[derive(Args, Debug)]
pub(crate) struct WhoamiArgs {
    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// What `--json` prints. Fields are only ever added.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WhoamiReport<'a> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    answer: &'a Answer,
    /// Why the identity may not be the one that the environment announces.
    findings: &'a [Finding],
}

/// The identity of the environment's credentials, or the SDK's error.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Answer {
    #[serde(rename_all = "camelCase")]
    Identity { arn: String, account: String, user_id: String },
    /// The error as an application would get it.
    #[serde(rename_all = "camelCase")]
    Refused {
        /// AWS's error code; `None` if the error is not from AWS.
        code: Option<String>,
        /// AWS's code and message, or the SDK's error.
        message: String,
        /// The id of the refused request; `None` if the error is not from AWS.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        request_id: Option<String>,
    },
}

/// Reads what `--json` printed.
pub(crate) fn read(json: &[u8]) -> serde_json::Result<Answer> {
    #[derive(Deserialize)]
    struct Report {
        #[serde(flatten)]
        answer: Answer,
    }
    serde_json::from_slice::<Report>(json).map(|report| report.answer)
}

/// Calls GetCallerIdentity with the SDK's default credential chain.
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

/// Returns AWS's own error if it is in the chain of sources; otherwise the whole chain, because the
/// SDK has the actual cause last.
fn refused(error: &(dyn Error + 'static)) -> Answer {
    let mut chain = std::iter::successors(Some(error), cause);
    if let Some(meta) = chain.clone().find_map(aws_error)
        && let Some(code) = meta.code()
    {
        let message = format!("{code}: {}", meta.message().unwrap_or_default());
        let request_id = meta.request_id().map(str::to_owned);
        return Answer::Refused { message, code: Some(code.to_owned()), request_id };
    }
    let first = chain.next().map(ToString::to_string).unwrap_or_default();
    let message = chain.fold(first, |mut text, cause| {
        let _ = write!(text, ": {cause}");
        text
    });
    Answer::Refused { code: None, message, request_id: None }
}

fn cause<'a>(error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    (*error).source()
}

/// What a response from AWS says, if `error` is one.
fn aws_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a ErrorMetadata> {
    let web_identity = error.downcast_ref::<AssumeRoleWithWebIdentityError>();
    let identity = error.downcast_ref::<GetCallerIdentityError>();
    let meta = web_identity.map(AssumeRoleWithWebIdentityError::meta);
    meta.or(identity.map(GetCallerIdentityError::meta))
}

/// Prints the ARN on standard output, or the error on standard error with exit code 1. If the identity is not the one
/// that the environment announces, a warning on standard error says so.
pub(crate) async fn run(args: &WhoamiArgs) -> std::process::ExitCode {
    let answer = ask().await;
    let findings = match &answer {
        Answer::Identity { arn, .. } => doubt::doubts(arn, |name| env::var(name).ok()),
        Answer::Refused { .. } => Vec::new(),
    };
    if args.json {
        let (api_version, kind) = (API_VERSION, "WhoamiReport");
        let report = WhoamiReport { api_version, kind, answer: &answer, findings: &findings };
        println!("{}", serde_json::to_string(&report).unwrap_or_default());
    } else {
        for finding in &findings {
            anstream::eprint!("{}", verdict(finding));
        }
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_report_names_its_version_and_is_read_again() {
        let answer = Answer::Identity {
            arn: "arn:aws:sts::111122223333:assumed-role/app/web".to_owned(),
            account: "111122223333".to_owned(),
            user_id: "AROA:web".to_owned(),
        };
        let (api_version, kind) = (API_VERSION, "WhoamiReport");
        let report = WhoamiReport { api_version, kind, answer: &answer, findings: &[] };
        let json = serde_json::to_string(&report).unwrap();
        let expected = json!({"apiVersion": "cli.podrole.io/v1", "kind": "WhoamiReport",
            "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/app/web",
                "account": "111122223333", "userId": "AROA:web"},
            "findings": []});
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected);
        let Answer::Identity { account, .. } = read(json.as_bytes()).unwrap() else {
            panic!("{json}");
        };
        assert_eq!(account, "111122223333");
    }
}
