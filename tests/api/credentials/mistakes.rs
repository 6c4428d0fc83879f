//! Each mistake of `docs/mistakes.md`, made: what kubectl, the Events, the answers and the SDKs say is what the page says.

mod answers;
mod applied;
mod events;
mod outages;
mod page;
mod stand_in;

use podrole_tests::cluster::Cluster;

use super::{NODE, Stage, make_node};
use crate::admission::warnings;

/// What a person is told of a mistake.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) mistake: String,
    /// Where.
    pub(super) place: String,
    pub(super) sentence: String,
}

pub(super) fn told(mistake: &str, place: &str, sentence: &str) -> Told {
    let [mistake, place, sentence] = [mistake, place, sentence].map(str::to_owned);
    Told { mistake, place, sentence }
}

#[tokio::test]
async fn the_page_of_mistakes_says_what_people_are_told() {
    let stage = Stage::start("m").await.unwrap();
    warnings::register(&stage.namespace, &stage._webhook).await;
    let cluster = Cluster::shared().await.unwrap();
    make_node(cluster, NODE).await.unwrap();
    // No webhook is registered for it.
    let missed = cluster.namespace("m", &[("podrole.io/injection", "enabled")]).await.unwrap();
    let unlabelled = cluster.namespace("m", &[]).await.unwrap();
    // The Events of what lasts a minute take a minute.
    let (applied, answers, outages, events) = tokio::join!(
        applied::all(&stage),
        answers::all(&stage),
        outages::all(&stage),
        events::all(&stage, &missed, &unlabelled),
    );
    let mut all: Vec<Told> =
        applied.into_iter().chain(answers).chain(outages).chain(events).collect();
    for told in &mut all {
        for namespace in [&stage.namespace, &missed, &unlabelled] {
            told.sentence = told.sentence.replace(namespace.name(), "shop");
        }
        told.sentence = page::without_chance(&told.sentence);
    }
    page::compare(&all);
}
