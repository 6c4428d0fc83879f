//! What a watch of one name costs an API server, opened as agents open it: metadata only, several on a connection.

use anyhow::Context as _;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use http::Request;
use kube::client::Body;
use serde_json::Value;

use crate::{api_server::ApiServer, objects::Objects, table::Table};

const KINDS: &str = "/apis/podrole.io/v1alpha1/podidentityassociations";
/// As of a node with two busy ServiceAccounts in two namespaces: six by name, patterns and guard-rails.
const ON_A_CONNECTION: usize = 8;
const AT_ONCE: usize = 32;
const METADATA: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

pub(crate) async fn run(
    server: &ApiServer,
    objects: &Objects,
    count: usize,
    table: &mut Table,
) -> anyhow::Result<()> {
    let list: Value = serde_json::from_str(&server.get(&format!("{KINDS}?limit=1")).await?)?;
    let version = list["metadata"]["resourceVersion"].as_str().context("no resourceVersion")?;
    server.settle().await?;
    let before = server.memory().await?;
    let connection = async |number: usize| {
        let (client, mut watches) = (server.client().await?, Vec::new());
        for number in (number * ON_A_CONNECTION..count).take(ON_A_CONNECTION) {
            let name = objects.association(number)?;
            let path = format!(
                "{KINDS}?watch=1&fieldSelector=metadata.name%3D{name}&resourceVersion={version}\
                 &allowWatchBookmarks=true&timeoutSeconds=1800"
            );
            let request = Request::get(path).header("accept", METADATA).body(Body::empty())?;
            let answer = client.send(request).await?;
            anyhow::ensure!(answer.status().is_success(), "a watch: {}", answer.status());
            watches.push(answer);
        }
        anyhow::Ok((client, watches))
    };
    let connections = stream::iter(0..count.div_ceil(ON_A_CONNECTION)).map(connection);
    let open: Vec<_> = connections.buffer_unordered(AT_ONCE).try_collect().await?;
    server.settle().await?;
    let after = server.memory().await?;
    let what = format!("{count} watches by name, {ON_A_CONNECTION} on each connection");
    table.row(what, format!("{after}; {}", after.since(&before, count)));
    drop(open);
    Ok(())
}
