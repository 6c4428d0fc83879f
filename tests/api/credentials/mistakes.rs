//! Each mistake of `docs/mistakes.md`, made: what kubectl, the Events, the answers and the SDKs say is what the page says.

mod answers;
mod applied;
mod events;
mod outages;
mod page;
mod stand_in;

use podrole_tests::{cluster::Cluster, namespace::TestNamespace};

use super::{NODE, Stage, make_node};
use crate::admission::warnings;

/// How a mistake is reported to a person.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reported {
    pub(super) mistake: String,
    /// Where.
    pub(super) place: String,
    pub(super) sentence: String,
}

pub(super) fn reported(mistake: &str, place: &str, sentence: &str) -> Reported {
    let [mistake, place, sentence] = [mistake, place, sentence].map(str::to_owned);
    Reported { mistake, place, sentence }
}

#[tokio::test]
async fn the_page_of_mistakes_says_what_is_reported() {
    let stage = Stage::start("m").await.unwrap();
    warnings::register(&stage.namespace, &stage._webhook).await;
    let cluster = Cluster::shared().await.unwrap();
    make_node(cluster, NODE).await.unwrap();
    // No webhook is registered for it.
    let missed = cluster.namespace("m", &[("podrole.io/injection", "enabled")]).await.unwrap();
    let unlabelled = cluster.namespace("m", &[]).await.unwrap();
    let late = cluster.namespace("m", &[]).await.unwrap();
    // The Events of what lasts a minute take a minute.
    let (applied, answers, outages, events) = tokio::join!(
        applied::all(&stage),
        answers::all(&stage),
        outages::all(&stage),
        events::all(&stage, &missed, &unlabelled, &late),
    );
    let mut all: Vec<Reported> =
        applied.into_iter().chain(answers).chain(outages).chain(events).collect();
    // The longest first: one name may begin another.
    let mut names = [&stage.namespace, &missed, &unlabelled, &late].map(TestNamespace::name);
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    for reported in &mut all {
        for name in names {
            reported.sentence = reported.sentence.replace(name, "shop");
        }
        reported.sentence = page::without_chance(&reported.sentence);
    }
    page::compare(&all);
}
