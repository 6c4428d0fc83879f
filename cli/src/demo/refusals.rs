//! Three tokens that must be refused, and the error that the application gets for each.

use http_body_util::{BodyExt as _, Empty};
use hyper::{Request, body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use podrole_identity::{CREDENTIALS_PATH, CredentialProvider, variable};
use serde_json::Value;
use tokio::net::TcpStream;

use super::{
    Failure,
    client::{self, Variables},
    manifests::Workload,
    report::{Refusal, Report},
    stage::{InvalidToken, Stage},
};
use crate::whoami::Answer;

/// Each invalid token with STS's error code and the agent's HTTP status.
const EXPECTED: [(InvalidToken, &str, &str); 3] = [
    (InvalidToken::Key, "InvalidIdentityToken", "400"),
    (InvalidToken::Audience, "InvalidIdentityToken", "400"),
    (InvalidToken::ServiceAccount, "AccessDenied", "403"),
];

/// Shows the three refusals. Fails if a token is accepted, or refused with another error.
pub(crate) async fn show(
    stage: &Stage,
    workload: &Workload,
    provider: CredentialProvider,
    variables: &Variables,
    report: &Report,
) -> Result<Vec<Refusal>, Failure> {
    report.note("invalid tokens are refused:");
    let mut refusals = Vec::new();
    for (invalid, by_sts, by_agent) in EXPECTED {
        let token = stage.mint_invalid(workload, invalid)?;
        let (expected, refusal) = match provider {
            CredentialProvider::WebIdentity => {
                (by_sts, through_sdk(stage, variables, invalid, &token).await?)
            }
            CredentialProvider::Container => {
                (by_agent, through_agent(stage, invalid, &token).await?)
            }
        };
        if refusal.error != expected {
            let why = format!("expected {expected}, got {}: {}", refusal.error, refusal.message);
            return Err(Failure::bug(&format!("refusing a token {invalid}"), &why));
        }
        report.refused(&refusal);
        refusals.push(refusal);
    }
    Ok(refusals)
}

/// Runs the SDK with the injected variables, except that the file has the invalid token.
async fn through_sdk(
    stage: &Stage,
    variables: &Variables,
    invalid: InvalidToken,
    token: &str,
) -> Result<Refusal, Failure> {
    let file = stage.write_invalid_token(token)?;
    let mut variables = variables.clone();
    variables.insert(variable::WEB_IDENTITY_TOKEN_FILE.into(), file);
    let (error, message, request_id) = match client::whoami(&variables).await? {
        Answer::Identity { arn, .. } => ("accepted".to_owned(), arn, None),
        Answer::Refused { code, message, request_id } => {
            (code.unwrap_or_else(|| "no error code".into()), message, request_id)
        }
    };
    let reason = stage.reason(request_id.as_deref());
    Ok(Refusal { token: invalid.to_string(), error, message, reason })
}

/// Sends an SDK's request to the agent. No SDK is used, because most show only the status of the
/// response.
async fn through_agent(
    stage: &Stage,
    invalid: InvalidToken,
    token: &str,
) -> Result<Refusal, Failure> {
    let answer = ask_agent(stage, token).await;
    let (status, body) = answer.map_err(|error| Failure::bug("asking the agent", &error))?;
    let message = body.get("message").and_then(Value::as_str).unwrap_or("no message").to_owned();
    let reason = match invalid {
        InvalidToken::ServiceAccount => stage.reason_untrusted(),
        // The agent refuses these itself.
        InvalidToken::Key | InvalidToken::Audience => None,
    };
    Ok(Refusal { token: invalid.to_string(), error: status.to_string(), message, reason })
}

/// What the agent answers to the token in a file; `None` if it cannot be asked.
pub(crate) async fn message_of_agent(stage: &Stage, token_file: Option<&String>) -> Option<String> {
    let token = std::fs::read_to_string(token_file?).ok()?;
    let (status, body) = ask_agent(stage, &token).await.ok()?;
    let message = body.get("message").and_then(Value::as_str)?;
    Some(format!("the agent answers {status}: {message}"))
}

async fn ask_agent(stage: &Stage, token: &str) -> anyhow::Result<(u16, Value)> {
    let stream = TcpStream::connect(stage.agent).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let request = Request::get(CREDENTIALS_PATH)
        .header("host", stage.agent.to_string())
        .header("authorization", token)
        .body(Empty::<Bytes>::new())?;
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok((parts.status.as_u16(), serde_json::from_slice(&body.collect().await?.to_bytes())?))
}
