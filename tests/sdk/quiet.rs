//! With everything logged that can be, no line holds a secret, whatever an SDK does.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use clap::Parser as _;
use tokio::process::Command;
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::{
    client::{CALLER, Sdk},
    gate::Fault,
    stage::{APP, STRANGER, Stage, Way, mint},
    wire,
};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Set where this test has a process to itself.
const ALONE: &str = "PODROLE_ALONE";

/// Other tests' threads meet the same lines without a log, and tracing may remember that no
/// subscriber wants them. So what is read here is written in a process of its own.
#[tokio::test]
async fn a22_no_row_leaves_a_secret_in_the_log() {
    if std::env::var_os(ALONE).is_some() {
        return all_is_logged_but_secrets().await;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.args(["quiet::a22_no_row_leaves_a_secret_in_the_log", "--exact", "--nocapture"]);
    let output = alone.env(ALONE, "yes").output().await.unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

async fn all_is_logged_but_secrets() {
    let lines = Lines::default();
    let args = podrole_agent::Args::parse_from(["podrole-agent", "--log=trace"]);
    let logs = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(args.log_args().log))
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    tracing::subscriber::set_global_default(logs).unwrap();
    let stage = Stage::start().await.unwrap();
    let forged = stage.issuer.impostor().unwrap();
    let forged = mint(&forged, APP, "sts.amazonaws.com", podrole_runtime::clock::now()).unwrap();
    let tokens = [stage.token(APP).unwrap(), stage.token(STRANGER).unwrap(), forged];
    for sdk in Sdk::wanted() {
        for token in &tokens {
            for way in [Way::Container, Way::WebIdentity] {
                if way == Way::Container {
                    stage.agent.spoil(1, Fault::Reset);
                }
                let pod = stage.pod(way, token).unwrap();
                sdk.once(&CALLER, &pod.variables).await.unwrap();
            }
        }
    }
    let served = wire::get(stage.agent_address, &tokens[0]).await.unwrap().json();
    let secrets =
        ["SecretAccessKey", "Token"].map(|name| served[name].as_str().unwrap().to_owned());
    let mut hidden = secrets.to_vec();
    hidden.extend(tokens.iter().filter_map(|token| Some(token.rsplit_once('.')?.1.to_owned())));
    let text = lines.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("credentials fetched"), "nothing was logged");
    assert!(hidden.iter().all(|secret| secret.len() > 20));
    // Only the writer of the line, because its text has the secret.
    let leaky = |line: &&str| hidden.iter().any(|secret| line.contains(secret.as_str()));
    let writer = |line: &str| line.split(' ').take(4).collect::<Vec<_>>().join(" ");
    let leaks: std::collections::BTreeSet<_> = text.lines().filter(leaky).map(writer).collect();
    assert!(leaks.is_empty(), "a secret is in the log: {leaks:#?}");
}
