//! Three tokens that must not work, and what the application sees of each.

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
    stage::{Forgery, Stage},
};
use crate::whoami::Answer;

/// The three, with what each way must answer.
const EXPECTED: [(Forgery, &str, &str); 3] = [
    (Forgery::Key, "InvalidIdentityToken", "400"),
    (Forgery::Audience, "InvalidIdentityToken", "400"),
    (Forgery::ServiceAccount, "AccessDenied", "403"),
];

/// Shows the three. Fails where one is let in, or refused with another error.
pub(crate) async fn show(
    stage: &Stage,
    workload: &Workload,
    path: CredentialProvider,
    variables: &Variables,
    report: &Report,
) -> Result<Vec<Refusal>, Failure> {
    report.note("refused, as it must be, a token");
    let mut refusals = Vec::new();
    for (forgery, by_sts, by_agent) in EXPECTED {
        let before = stage.decisions().len();
        let token = stage.forge(workload, forgery)?;
        let (expected, mut refusal) = match path {
            CredentialProvider::WebIdentity => {
                (by_sts, through_the_sdk(stage, variables, forgery, &token).await?)
            }
            CredentialProvider::Container => {
                (by_agent, through_the_agent(stage, forgery, &token).await?)
            }
        };
        if refusal.error != expected {
            let why = format!("{expected} was due, {} came: {}", refusal.error, refusal.message);
            return Err(Failure::ours(&format!("the refusal of a token {forgery}"), &why));
        }
        refusal.reason = stage.decisions().get(before).cloned();
        report.refused(&refusal);
        refusals.push(refusal);
    }
    Ok(refusals)
}

/// The SDK with the injected variables, but with the forged token in the file.
async fn through_the_sdk(
    stage: &Stage,
    variables: &Variables,
    forgery: Forgery,
    token: &str,
) -> Result<Refusal, Failure> {
    let file = stage.write_forgery(token)?;
    let mut variables = variables.clone();
    variables.insert(variable::WEB_IDENTITY_TOKEN_FILE.into(), file);
    let (error, message) = match client::whoami(&variables).await? {
        Answer::Identity { arn, .. } => ("let in".to_owned(), arn),
        Answer::Refused { code, message } => (code.unwrap_or_else(|| "no code".into()), message),
    };
    Ok(Refusal { token: forgery.to_string(), error, message, reason: None })
}

/// What an SDK sends to the agent, by hand: most SDKs show no more of the answer than its status.
async fn through_the_agent(
    stage: &Stage,
    forgery: Forgery,
    token: &str,
) -> Result<Refusal, Failure> {
    let answer = ask_agent(stage, token).await;
    let (status, body) = answer.map_err(|error| Failure::ours("asking the agent", &error))?;
    let message = body.get("message").and_then(Value::as_str).unwrap_or("no message").to_owned();
    Ok(Refusal { token: forgery.to_string(), error: status.to_string(), message, reason: None })
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
