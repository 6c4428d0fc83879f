//! Bodies of 6 MiB that are sent all but their last byte.

use std::time::Duration;

use podrole_bench_flood::bodies;
use podrole_webhook::MAX_BODY_BYTES;
use tokio::{task::JoinSet, time::sleep};

use crate::{client, program::Program};

/// The limit that the chart sets.
const CHART_LIMIT: u64 = 256 * 1024 * 1024;

/// Honest reviews are answered until the attack is over, and then the memory is looked at.
async fn survives(program: &Program, mut attack: JoinSet<()>) {
    let mut answered = 0;
    while !attack.is_empty() {
        client::on_new_connections(program, 5).await.unwrap();
        answered += 5;
        while attack.try_join_next().is_some() {}
        sleep(Duration::from_millis(20)).await;
    }
    client::on_new_connections(program, 5).await.unwrap();
    assert!(!program.process.has_ended(), "{}", program.process.log());
    let peak = program.process.peak_memory().unwrap();
    println!("{answered} reviews meanwhile, {} MiB at most", peak / 1024 / 1024);
    assert!(peak < CHART_LIMIT, "{} MiB", peak / 1024 / 1024);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_on_many_connections_need_less_memory_than_the_chart_allows() {
    let program = Program::start().await.unwrap();
    let mut attack = JoinSet::new();
    for _ in 0..45 {
        let (address, tls) = (program.reviews, program.tls("http/1.1"));
        attack.spawn(async move {
            let Ok(stream) = client::connect(address, tls).await else { return };
            bodies::http1(stream, MAX_BODY_BYTES).await;
        });
    }
    survives(&program, attack).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_on_one_http2_connection_need_less_memory_than_the_chart_allows() {
    let program = Program::start().await.unwrap();
    let stream = client::connect(program.reviews, program.tls("h2")).await.unwrap();
    let attack = bodies::http2(stream, 80, MAX_BODY_BYTES).await.unwrap();
    survives(&program, attack).await;
}
