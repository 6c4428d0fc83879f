//! Each operation of the sandbox and each of its denials, by each SDK: what it raises is the class
//! that its own model names, or its service's own with AWS's code.

mod world;

use futures::{StreamExt as _, stream};

use jiff::SignedDuration;
use podrole_runtime::clock::now;

use self::world::{CLUSTER, Keys, World, user};
use crate::{
    client::{CALLER, Raised, Sdk, Use},
    stage::{ACCOUNT, APP, STRANGER, lost_role, next_role, role},
    table::{Cell, Outcome, judge},
};

/// AWS's code and status.
type Refused = (&'static str, u16);

/// A question and the expected answer: an ARN, or an error.
struct Row {
    name: &'static str,
    command: Vec<String>,
    due: Result<String, Refused>,
    /// What is to go wrong with it.
    fault: Option<String>,
}

fn row(name: &'static str, command: &[&str], due: Result<&str, Refused>) -> Row {
    let command = command.iter().map(|&word| word.to_owned()).collect();
    Row { name, command, due: due.map(str::to_owned), fault: None }
}

/// A question that meets a fault on demand, which has the form of the real thing.
fn spoiled(name: &'static str, command: &[&str], (code, status): Refused) -> Row {
    let fault = Some(format!("code={code},status={status}"));
    Row { fault, ..row(name, command, Err((code, status))) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_operation_answers_and_denies_as_aws_does() {
    let cells = stream::iter(Sdk::wanted()).map(of_one);
    let cells: Vec<_> = cells.buffered(5).collect().await;
    let cells: Vec<_> = cells.into_iter().flat_map(Result::unwrap).collect();
    judge("an operation", &cells);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_signing_error_is_the_one_of_aws() {
    let world = World::start().await.unwrap();
    let mut all = Vec::new();
    for signer in signers(&world).await.unwrap() {
        all.extend(Sdk::wanted().into_iter().map(|sdk| (sdk, signer.clone())));
    }
    let cells = stream::iter(all).map(async |(sdk, (name, keys, due))| {
        let command = if due.0 == "AccessDenied" { ["session-token"] } else { CALLER };
        let used = sdk.once(&command, &world.variables(&keys)).await;
        cell(sdk, &row(name, &command, Err(due)), used)
    });
    let cells: Vec<_> = cells.buffered(8).collect().await;
    judge("who signs", &cells);
}

/// Whose signatures are not good enough.
async fn signers(world: &World) -> anyhow::Result<Vec<(&'static str, Keys, Refused)>> {
    let user = World::user();
    let role = world.role_keys(SignedDuration::ZERO).await?;
    let unknown = Keys { id: "AKIAUNKNOWNUNKNOWN00".to_owned(), ..user.clone() };
    let wrong = Keys { secret: "wrong".to_owned(), ..user };
    let other = Keys { token: Some("wrong".to_owned()), ..role.clone() };
    let ended = world.role_keys(SignedDuration::from_mins(90)).await?;
    Ok(vec![
        ("unknown key", unknown, ("InvalidClientTokenId", 403)),
        ("wrong secret", wrong, ("SignatureDoesNotMatch", 403)),
        ("wrong session token", other, ("InvalidClientTokenId", 403)),
        ("credentials that ended", ended, ("ExpiredToken", 403)),
        ("GetSessionToken by a role", role, ("AccessDenied", 403)),
    ])
}

/// All questions of one SDK, asked by one client, one after the other.
async fn of_one(sdk: Sdk) -> anyhow::Result<Vec<Cell>> {
    let world = World::start().await?;
    let rows = rows(&world)?;
    // It asks at once.
    let mut running = sdk.start(&CALLER, &world.variables(&World::user()))?;
    running.answer().await?;
    let mut cells = Vec::new();
    for row in rows {
        if row.command[0] == "pod-identity" && !matches!(sdk, Sdk::Python | Sdk::Rust) {
            let outcome = Outcome::Unsupported(NO_EKS_AUTH);
            cells.push(Cell { row: row.name.to_owned(), column: sdk.to_string(), outcome });
            continue;
        }
        if let Some(fault) = &row.fault {
            world.sandbox.faults().add(fault.parse()?, now())?;
        }
        let words: Vec<_> = row.command.iter().map(String::as_str).collect();
        cells.push(cell(sdk, &row, running.ask(&words).await));
        world.sandbox.faults().clear();
    }
    Ok(cells)
}

const NO_EKS_AUTH: &str =
    "EKS Auth by JavaScript, Go and Java: their packages for it could not be had here";

fn rows(world: &World) -> anyhow::Result<Vec<Row>> {
    let mut rows = sts_rows();
    rows.extend(eks_rows(world)?);
    Ok(rows)
}

fn sts_rows() -> Vec<Row> {
    let (trusted, malformed) = (next_role(), r#"{"Statement": "none"}"#);
    let statement = r#"{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}"#;
    let much = vec![statement; 40].join(",");
    let much = format!(r#"{{"Version": "2012-10-17", "Statement": [{much}]}}"#);
    let assumed = format!("arn:aws:sts::{ACCOUNT}:assumed-role/shop-deploy/whoami");
    let denied = ("AccessDenied", 403);
    let no_arn = format!("arn:aws:iam::{ACCOUNT}:user/shop-deploy");
    vec![
        row("GetCallerIdentity", &CALLER, Ok(&user())),
        row("GetSessionToken", &["session-token"], Ok("ASIA")),
        row("AssumeRole", &["assume-role", &trusted], Ok(&assumed)),
        row("AssumeRole, not trusted", &["assume-role", &role()], Err(denied)),
        row("AssumeRole, unknown role", &["assume-role", &lost_role()], Err(denied)),
        row("AssumeRole, no role", &["assume-role", &no_arn], Err(("ValidationError", 400))),
        row(
            "AssumeRole, malformed policy",
            &["assume-role", &trusted, malformed],
            Err(("MalformedPolicyDocument", 400)),
        ),
        row(
            "AssumeRole, policy too long",
            &["assume-role", &trusted, &much],
            Err(("ValidationError", 400)),
        ),
        spoiled(
            "AssumeRole, policy too large",
            &["assume-role", &trusted],
            ("PackedPolicyTooLarge", 400),
        ),
        spoiled(
            "AssumeRole, region disabled",
            &["assume-role", &trusted],
            ("RegionDisabledException", 403),
        ),
    ]
}

fn eks_rows(world: &World) -> anyhow::Result<Vec<Row>> {
    let token = |account| world.token_file(account, None, now());
    let (good, stranger, unwilling) = (token(APP)?, token(STRANGER)?, token("shop/unwilling")?);
    let audience = world.token_file(APP, Some("sts.amazonaws.com"), now())?;
    let expired = world.token_file(APP, None, now() - SignedDuration::from_hours(2))?;
    let arn = format!("arn:aws:sts::{ACCOUNT}:assumed-role/pod/eks-shop-app-1-");
    let ask = |cluster, token| ["pod-identity", cluster, token];
    let (asked, unknown) = (ask(CLUSTER, &good), ("ResourceNotFoundException", 404));
    let refused = |name, token, due| row(name, &ask(CLUSTER, token), Err(due));
    Ok(vec![
        row("EKS Auth", &asked, Ok(&arn)),
        row("EKS Auth, no cluster", &ask("none", &good), Err(unknown)),
        refused("EKS Auth, no association", &stranger, unknown),
        refused("EKS Auth, wrong audience", &audience, ("InvalidTokenException", 400)),
        refused("EKS Auth, expired", &expired, ("ExpiredTokenException", 400)),
        refused("EKS Auth, unwilling role", &unwilling, ("AccessDeniedException", 400)),
        spoiled("EKS Auth, bad parameter", &asked, ("InvalidParameterException", 400)),
        spoiled("EKS Auth, bad request", &asked, ("InvalidRequestException", 400)),
        spoiled("EKS Auth, failure", &asked, ("InternalServerException", 500)),
        spoiled("EKS Auth, away", &asked, ("ServiceUnavailableException", 503)),
        spoiled("EKS Auth, throttled", &asked, ("ThrottlingException", 429)),
    ])
}

fn cell(sdk: Sdk, row: &Row, used: anyhow::Result<Use>) -> Cell {
    let outcome = match used {
        Err(error) => Outcome::Fail(format!("{error:#}")),
        Ok(used) => Outcome::of(is_due(sdk, row, &used), || format!("{used:?}")),
    };
    Cell { row: row.name.to_owned(), column: sdk.to_string(), outcome }
}

fn is_due(sdk: Sdk, row: &Row, used: &Use) -> bool {
    match (&row.due, &used.arn, &used.error) {
        // A pod's session ends with a UUID.
        (Ok(due), Some(arn), None) if due.ends_with('-') => arn.starts_with(due),
        (Ok(due), Some(arn), None) => arn == due,
        (Err((code, status)), None, Some(raised)) => is_class(sdk, code, *status, raised),
        _ => false,
    }
}

fn is_class(sdk: Sdk, code: &str, status: u16, raised: &Raised) -> bool {
    raised.class == class(sdk, code)
        && raised.code.as_deref() == Some(code)
        && raised.status == Some(status)
}

/// The class of the service's model; where it has none for the code, the service's own.
fn class(sdk: Sdk, code: &str) -> String {
    let modelled = match code {
        "MalformedPolicyDocument" | "PackedPolicyTooLarge" => format!("{code}Exception"),
        _ if code.ends_with("Exception") => code.to_owned(),
        _ => String::new(),
    };
    match (sdk, modelled.as_str()) {
        (Sdk::Python, "") => "ClientError".to_owned(),
        (Sdk::JavaScript, "") => "STSServiceException".to_owned(),
        (Sdk::Go, "") => "*smithy.GenericAPIError".to_owned(),
        (Sdk::Java, "") => "StsException".to_owned(),
        (Sdk::Rust, "") => "Unhandled".to_owned(),
        (Sdk::Go, _) => format!("*types.{modelled}"),
        (Sdk::Go1, _) => "*awserr.requestError".to_owned(),
        _ => modelled,
    }
}
