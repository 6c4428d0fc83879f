//! One question to STS with whatever credentials the AWS SDK for Rust finds.
//!
//! ```text
//! usage: whoami caller-identity | session-token | assume-role ROLE [POLICY]
//!        | web-identity ROLE TOKEN_FILE | pod-identity CLUSTER TOKEN_FILE
//! ```
//!
//! Prints one line of JSON, and one more, asked by the same client, for each line on standard
//! input: an empty one asks the same again, another has the next question's words with tabs between.
#![forbid(unsafe_code)]

use std::{
    env,
    error::Error,
    fmt::{Debug, Write as _},
    io::BufRead as _,
};

use anyhow::bail;
use aws_config::BehaviorVersion;
use aws_sdk_eksauth::operation::assume_role_for_pod_identity::AssumeRoleForPodIdentityError as PodIdentityError;
use aws_sdk_sts::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        assume_role::AssumeRoleError,
        assume_role_with_web_identity::AssumeRoleWithWebIdentityError as WebIdentityError,
        get_caller_identity::GetCallerIdentityError, get_session_token::GetSessionTokenError,
    },
};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde_json::{Value, json};
use tokio::time::Instant;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments: Vec<String> = env::args().skip(1).collect();
    let tls = Provider::Rustls(CryptoMode::AwsLc);
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(Builder::new().tls_provider(tls).build_https())
        .load()
        .await;
    let sts = Client::new(&config);
    let eks = aws_sdk_eksauth::Client::new(&config);
    ask(&sts, &eks, &arguments).await?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if !line.is_empty() {
            arguments = line.split('\t').map(str::to_owned).collect();
        }
        ask(&sts, &eks, &arguments).await?;
    }
    Ok(())
}

async fn ask(
    sts: &Client,
    eks: &aws_sdk_eksauth::Client,
    arguments: &[String],
) -> anyhow::Result<()> {
    let started = Instant::now();
    let session = "whoami";
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let mut line = match words[..] {
        ["caller-identity"] => {
            let answer = sts.get_caller_identity().send().await;
            describe(answer.map(|answer| answer.arn))
        }
        ["session-token"] => {
            let answer = sts.get_session_token().send().await;
            let key = answer.map(|answer| answer.credentials.map(|key| key.access_key_id));
            describe(key.map(|key| key.and_then(|key| key.get(..4).map(str::to_owned))))
        }
        ["pod-identity", cluster, file] => {
            let token = std::fs::read_to_string(file)?;
            let call = eks.assume_role_for_pod_identity().cluster_name(cluster).token(token);
            let answer = call.send().await;
            describe(answer.map(|answer| answer.assumed_role_user.map(|user| user.arn)))
        }
        ["assume-role", role, ref policy @ ..] => {
            let call = sts.assume_role().role_arn(role).role_session_name(session);
            let call = call.set_policy(policy.first().map(ToString::to_string));
            let answer = call.send().await;
            describe(answer.map(|answer| answer.assumed_role_user.map(|user| user.arn)))
        }
        ["web-identity", role, file] => {
            let call = sts.assume_role_with_web_identity().role_session_name(session);
            let call = call.web_identity_token(std::fs::read_to_string(file)?);
            let answer = call.role_arn(role).send().await;
            describe(answer.map(|answer| answer.assumed_role_user.map(|user| user.arn)))
        }
        _ => {
            bail!("the usage is in tests/sdk/rust/main.rs")
        }
    };
    line["ms"] = json!(u64::try_from(started.elapsed().as_millis())?);
    println!("{line}");
    Ok(())
}

fn describe<E>(answer: Result<Option<String>, SdkError<E, HttpResponse>>) -> Value
where
    E: Error + 'static,
{
    match answer {
        Ok(arn) => json!({"arn": arn}),
        Err(cause) => {
            let status = cause.raw_response().map(|raw| raw.status().as_u16());
            let mut error = json!({"status": status, "message": chain(&cause)});
            let mut causes = std::iter::successors(Some(&cause as &dyn Error), |it| (*it).source());
            let (class, code) =
                causes.find_map(aws_error).unwrap_or_else(|| (variant(&cause), None));
            (error["class"], error["code"]) = (json!(class), json!(code));
            json!({"error": error})
        }
    }
}

/// The variant and AWS's code, where this link of the chain is AWS's answer.
fn aws_error(error: &(dyn Error + 'static)) -> Option<(String, Option<String>)> {
    fn read<E: Debug + ProvideErrorMetadata>(error: &E) -> (String, Option<String>) {
        (variant(error), error.code().map(str::to_owned))
    }
    let web_identity = error.downcast_ref::<WebIdentityError>().map(read);
    let assume_role = || error.downcast_ref::<AssumeRoleError>().map(read);
    let identity = || error.downcast_ref::<GetCallerIdentityError>().map(read);
    let session = || error.downcast_ref::<GetSessionTokenError>().map(read);
    let pod = || error.downcast_ref::<PodIdentityError>().map(read);
    web_identity.or_else(assume_role).or_else(identity).or_else(session).or_else(pod)
}

/// The name of an enum's variant, which is as near as Rust comes to an exception's class.
fn variant(value: &impl Debug) -> String {
    let debug = format!("{value:?}");
    debug.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_owned()
}

fn chain(error: &dyn Error) -> String {
    let (mut message, mut cause) = (error.to_string(), error.source());
    while let Some(error) = cause {
        let _ = write!(message, ": {error}");
        cause = error.source();
    }
    message
}
