//! A scripted STS. It answers each AssumeRole after 50 ms with credentials for an hour.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{Router, extract::State, routing::post};
use jiff::SignedDuration;
use podrole_runtime::serve::{Limits, Server};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const LATENCY: Duration = Duration::from_millis(50);

pub(crate) struct Sts {
    pub(crate) address: SocketAddr,
    calls: Arc<AtomicUsize>,
    end: CancellationToken,
}

impl Sts {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let server = Server::bind("127.0.0.1:0".parse()?, Limits::default()).await?;
        let (address, calls) = (server.address(), Arc::new(AtomicUsize::new(0)));
        let router = Router::new().route("/", post(assume_role)).with_state(Arc::clone(&calls));
        let end = CancellationToken::new();
        tokio::spawn(server.run(router, end.clone()));
        Ok(Self { address, calls, end })
    }

    /// The calls so far.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Relaxed)
    }
}

impl Drop for Sts {
    fn drop(&mut self) {
        self.end.cancel();
    }
}

async fn assume_role(State(calls): State<Arc<AtomicUsize>>) -> String {
    calls.fetch_add(1, Relaxed);
    sleep(LATENCY).await;
    let expires = podrole_runtime::clock::now() + SignedDuration::from_hours(1);
    format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
         <Credentials><AccessKeyId>ASIABENCHBENCHBENCH</AccessKeyId>\
         <SecretAccessKey>abcdefghijklmnopqrstuvwxyzabcdefghijklmn</SecretAccessKey>\
         <SessionToken>{}</SessionToken><Expiration>{expires:.0}</Expiration></Credentials>\
         </AssumeRoleResult></AssumeRoleResponse>",
        "x".repeat(1000)
    )
}
