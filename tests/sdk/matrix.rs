//! Each SDK by each way, with a good token and with each bad one: it becomes the role, or it
//! raises what it raises against AWS.

use std::fmt;

use futures::{StreamExt as _, stream};
use jiff::SignedDuration;
use podrole_runtime::clock::now;
use podrole_sandbox::Issuer;

use crate::{
    client::{CALLER, Raised, Sdk},
    rows::row,
    stage::{ACCOUNT, APP, LOST, Pod, STRANGER, Stage, Way, lost_role, mint, next_role, role},
    table::{Cell, Outcome, judge},
};

/// Processes at once: most of them wait most of the time.
const AT_ONCE: usize = 8;
const WAYS: [Way; 3] = [Way::Call, Way::WebIdentity, Way::Container];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Good,
    BadSignature,
    WrongAudience,
    Expired,
    ForeignServiceAccount,
    UnknownRole,
    UnknownProvider,
}

const CASES: [Case; 7] = [
    Case::Good,
    Case::BadSignature,
    Case::WrongAudience,
    Case::Expired,
    Case::ForeignServiceAccount,
    Case::UnknownRole,
    Case::UnknownProvider,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sdk_raises_what_it_raises_against_aws() {
    let stage = Stage::start().await.unwrap();
    let mut all = Vec::new();
    for case in CASES {
        for way in WAYS {
            all.extend(Sdk::wanted().into_iter().map(|sdk| (case, way, sdk)));
        }
    }
    let cells = stream::iter(all).map(|(case, way, sdk)| cell(&stage, case, way, sdk));
    let cells: Vec<_> = cells.buffered(AT_ONCE).collect().await;
    judge("a token, by a way", &cells);
    for answer in stage.agent.answered() {
        assert_ne!(answer.status, 429, "429 is not retried by every SDK");
        assert_eq!(answer.headers["content-type"], "application/json");
        assert!(!answer.headers.contains_key("retry-after"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sdk_goes_from_its_role_to_the_next() {
    row("AssumeRole, trusted", async |sdk, stage| {
        let pod = stage.pod(Way::WebIdentity, &stage.token(APP)?)?;
        let used = sdk.once(&["assume-role", &next_role()], &pod.variables).await?;
        let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/shop-deploy/whoami");
        Ok(Outcome::of(used.arn == Some(arn), || format!("{used:?}")))
    })
    .await;
    row("AssumeRole, not trusted", async |sdk, stage| {
        let pod = stage.pod(Way::WebIdentity, &stage.token(APP)?)?;
        let used = sdk.once(&["assume-role", &role()], &pod.variables).await?;
        let denied = ("AccessDenied", 403);
        let right = used.error.as_ref().is_some_and(|it| is_right(sdk, Way::Call, denied, it));
        Ok(Outcome::of(right, || format!("{used:?}")))
    })
    .await;
}

async fn cell(stage: &Stage, case: Case, way: Way, sdk: Sdk) -> Cell {
    let outcome = run(stage, case, way, sdk).await;
    let outcome = outcome.unwrap_or_else(|error| Outcome::Fail(format!("{error:#}")));
    Cell { row: format!("{case}, {way}"), column: sdk.to_string(), outcome }
}

async fn run(stage: &Stage, case: Case, way: Way, sdk: Sdk) -> anyhow::Result<Outcome> {
    let pod = pod(stage, case, way)?;
    let role = if case == Case::UnknownRole { lost_role() } else { role() };
    let file = pod.token_file.display().to_string();
    let call = ["web-identity", &role, &file];
    let command = if way == Way::Call { &call[..] } else { &CALLER };
    let used = sdk.once(command, &pod.variables).await?;
    let right = match (code(case), &used.error) {
        (None, _) => used.arn == Some(way.arn()),
        (Some(code), Some(raised)) => is_right(sdk, way, code, raised),
        (Some(_), None) => false,
    };
    Ok(Outcome::of(right, || format!("{used:?}")))
}

fn pod(stage: &Stage, case: Case, way: Way) -> anyhow::Result<Pod> {
    let audience = "sts.amazonaws.com";
    let token = match case {
        Case::Good => stage.token(APP)?,
        Case::BadSignature => mint(&stage.issuer.impostor()?, APP, audience, now())?,
        Case::WrongAudience => mint(&stage.issuer, APP, "vault.example.org", now())?,
        Case::Expired => stage.expired()?,
        Case::ForeignServiceAccount => stage.token(STRANGER)?,
        Case::UnknownRole if way == Way::Container => stage.token(LOST)?,
        Case::UnknownRole => stage.token(APP)?,
        Case::UnknownProvider => {
            let other = Issuer::generate("https://oidc.example.org/id/other")?;
            // Young enough, its key might be one that the agent has not read yet.
            mint(&other, APP, audience, now() - SignedDuration::from_mins(10))?
        }
    };
    let mut pod = stage.pod(way, &token)?;
    if case == Case::UnknownRole && way == Way::WebIdentity {
        pod.set("AWS_ROLE_ARN", &lost_role());
    }
    Ok(pod)
}

/// AWS's code and status for a token that is refused.
fn code(case: Case) -> Option<(&'static str, u16)> {
    match case {
        Case::Good => None,
        Case::BadSignature | Case::WrongAudience | Case::UnknownProvider => {
            Some(("InvalidIdentityToken", 400))
        }
        Case::Expired => Some(("ExpiredTokenException", 400)),
        Case::ForeignServiceAccount | Case::UnknownRole => Some(("AccessDenied", 403)),
    }
}

fn is_right(sdk: Sdk, way: Way, (code, status): (&str, u16), raised: &Raised) -> bool {
    let seen = |words: &str| raised.message.contains(words);
    match way {
        Way::Container => container(sdk, status, raised),
        // Its chain goes on to the next provider, and tells of all of them at the end.
        Way::WebIdentity if sdk == Sdk::Java => {
            raised.class == "SdkClientException" && seen(&format!("Status Code: {status},"))
        }
        _ => {
            raised.class == class(sdk, code)
                && raised.code.as_deref() == Some(code)
                // Where a provider's error is wrapped, the status goes astray.
                && raised.status.is_none_or(|seen| seen == status)
        }
    }
}

/// What each SDK makes of a code of STS's: its model names two of the three.
fn class(sdk: Sdk, code: &str) -> &'static str {
    match (sdk, code) {
        (Sdk::Go, "InvalidIdentityToken") => "*types.InvalidIdentityTokenException",
        (Sdk::Go, "ExpiredTokenException") => "*types.ExpiredTokenException",
        (Sdk::Go1, _) => "*awserr.requestError",
        (_, "InvalidIdentityToken") => "InvalidIdentityTokenException",
        (_, "ExpiredTokenException") => "ExpiredTokenException",
        (Sdk::Python, _) => "ClientError",
        (Sdk::JavaScript, _) => "STSServiceException",
        (Sdk::Go, _) => "*smithy.GenericAPIError",
        (Sdk::Java, _) => "StsException",
        (Sdk::Rust, _) => "Unhandled",
    }
}

/// What each SDK shows of the agent's refusal, as it would of EKS's own agent.
fn container(sdk: Sdk, status: u16, raised: &Raised) -> bool {
    let said = |words: &str| raised.message.contains(words);
    let code = if status == 403 { "AccessDenied" } else { "InvalidToken" };
    let (class, shown) = match sdk {
        Sdk::Python => ("CredentialRetrievalError", said(&format!("{status}")) && said(code)),
        // Nothing of it, and not even that the agent was asked.
        Sdk::JavaScript => ("CredentialsProviderError", true),
        Sdk::Go => ("*client.EndpointError", raised.code.as_deref() == Some(code) && said(code)),
        // Nothing of it, unless the application asks for all of the chain's errors.
        Sdk::Go1 => ("*awserr.baseError", raised.code.as_deref() == Some("NoCredentialProviders")),
        Sdk::Java => ("SdkClientException", said("ContainerCredentialsProvider(): ")),
        Sdk::Rust => ("DispatchFailure", said(&format!("StatusCode({status})"))),
    };
    raised.class == class && shown
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Good => "good",
            Self::BadSignature => "bad signature",
            Self::WrongAudience => "wrong audience",
            Self::Expired => "expired",
            Self::ForeignServiceAccount => "foreign account",
            Self::UnknownRole => "unknown role",
            Self::UnknownProvider => "unknown provider",
        })
    }
}
