//! Reviews of ServiceAccounts that do not exist, far more than may be looked up.

use std::time::Duration;

use anyhow::ensure;
use podrole_tests::wait;
use tokio::time::{Instant, interval, sleep};

use crate::{
    client::{self, Kept},
    program::Program,
};

/// As an attacker sends them: each waits as long as it may.
async fn made_up(mut kept: Kept, first: usize) {
    let mut ticks = interval(Duration::from_millis(100));
    for number in 0.. {
        ticks.tick().await;
        let name = format!("made-up-{first}-{number}");
        if client::review(&mut kept, &name, &name).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_new_service_account_gets_its_role_beside_reviews_of_made_up_ones() {
    wait::one_of_three(a_new_one_gets_its_role).await.unwrap();
}

async fn a_new_one_gets_its_role() -> anyhow::Result<()> {
    let program = Program::start().await?;
    for first in 0..40 {
        tokio::spawn(made_up(client::open(&program).await?, first));
    }
    // What may be read at once is spent by now.
    sleep(Duration::from_secs(1)).await;
    let mut kept = client::open(&program).await?;
    for number in 0..5 {
        let begun = Instant::now();
        let name = format!("new-{number}");
        let answer = client::review(&mut kept, "shop", &name).await?;
        ensure!(answer["response"]["patch"].is_string(), "{name}: {answer}");
        println!("{name} after {:?}", begun.elapsed());
        sleep(Duration::from_millis(400)).await;
    }
    Ok(())
}
