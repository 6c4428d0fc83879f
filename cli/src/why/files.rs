//! `podrole why -f`: the workloads of manifests, and what the same files say about them.

use serde_json::Value;

use super::{args::WhyArgs, object::Object, resource::Resource, target::Target, world::World};
use crate::manifests::{ManifestError, Manifests, SourceArgs};

/// What files hold.
pub(super) struct Files {
    pub(super) world: World,
    /// The workloads, each with its namespace.
    pub(super) targets: Vec<(String, Target)>,
    pub(super) errors: Vec<ManifestError>,
}

/// The namespace of objects that name none.
const DEFAULT_NAMESPACE: &str = "default";

/// Reads the files that the flags name.
///
/// # Errors
/// If one of them cannot be read.
pub(super) fn read(args: &WhyArgs) -> anyhow::Result<Files> {
    let namespace = args.namespace.clone().unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
    let sources = SourceArgs { recursive: args.recursive, namespace };
    let manifests = Manifests::read(sources.read(&args.filename)?, &sources.namespace);
    Ok(of(manifests, &sources.namespace, args.wanted()))
}

fn of(manifests: Manifests, namespace: &str, wanted: Option<&Target>) -> Files {
    let values = manifests.documents.iter().flat_map(|(_, document)| objects(&document.value));
    let objects: Vec<Object> = values.filter_map(|value| placed(value, namespace)).collect();
    let targets = objects.iter().filter_map(|object| {
        let (group, kind) = object.group_kind();
        let target = match Resource::of(group, kind)? {
            Resource::Pod => Target::Pod(object.name().to_owned()),
            resource => {
                Target::Workload(Resource::workload(resource.kind())?, object.name().to_owned())
            }
        };
        Some((object.namespace().to_owned(), target))
    });
    let targets = targets.filter(|(_, it)| wanted.is_none_or(|wanted| it == wanted)).collect();
    Files { world: World::of_files(objects), targets, errors: manifests.errors }
}

/// An object, or those of a list.
fn objects(value: &Value) -> Vec<Value> {
    let is_list = value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    match value.get("items").and_then(Value::as_array).filter(|_| is_list) {
        Some(items) => items.iter().flat_map(objects).collect(),
        None => vec![value.clone()],
    }
}

/// The object with the namespace that it gets.
fn placed(mut value: Value, namespace: &str) -> Option<Object> {
    let object = Object::new(value.clone());
    let (group, kind) = object.group_kind();
    let has_namespace = Resource::of(group, kind)?.is_namespaced();
    if has_namespace && object.namespace().is_empty() {
        let metadata = value.as_object_mut()?.entry("metadata").or_insert_with(Value::default);
        if metadata.is_null() {
            *metadata = serde_json::json!({});
        }
        metadata.as_object_mut()?.insert("namespace".to_owned(), namespace.into());
    }
    Some(Object::new(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        manifests::SourceFile,
        report::State,
        why::{
            aws::AwsFindings, case::Case, chain::Chain, settings::WhySettings, subject::Subject,
        },
    };

    /// The codes and the links that are unknown, of each workload.
    fn found(text: &str) -> Vec<(String, Vec<String>)> {
        let source = SourceFile { file: "a.yaml".into(), text: text.into(), empty: None };
        let files = of(Manifests::read(vec![source], "shop"), "shop", None);
        let settings = WhySettings::default();
        let each = files.targets.iter().map(|(namespace, target)| {
            let subject = Subject::find(&files.world, namespace, target).unwrap();
            let case = Case::new(&files.world, &subject, &settings, jiff::Timestamp::UNIX_EPOCH);
            let chain = Chain::of(&case, &AwsFindings::default());
            let wrong = chain.findings().filter_map(|it| match it.state {
                State::Unknown => it.link.map(str::to_owned),
                State::Error => Some(it.code.map(|code| code.to_string()).unwrap_or_default()),
                _ => None,
            });
            (target.to_string(), wrong.collect())
        });
        each.collect()
    }

    const WORKLOADS: &str = "
kind: List
apiVersion: v1
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {podrole.io/injection: enabled}}}
- apiVersion: v1
  kind: ServiceAccount
  metadata: {name: app, annotations: {eks.amazonaws.com/role-arn: 'arn:aws:iam::111122223333:role/app'}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec: {template: {spec: {serviceAccountName: app, containers: [{name: app, envFrom: [{configMapRef: {name: vars}}]}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {jobTemplate: {spec: {template: {spec: {serviceAccountName: application, containers: [{name: app}]}}}}}
---
apiVersion: example.com/v1
kind: Deployment
metadata: {name: other}
";

    #[test]
    fn workloads_are_decided_by_the_files_alone() {
        let expected = [
            ("deployment/web".to_owned(), Vec::new()),
            ("cronjob/nightly".to_owned(), vec!["role".to_owned()]),
        ];
        assert_eq!(found(WORKLOADS), expected);
    }

    #[test]
    fn a_config_map_of_the_files_shows_what_env_from_brings() {
        let vars = "\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: vars}\ndata: {AWS_PROFILE: dev}\n";
        let (_, wrong) = found(&format!("{WORKLOADS}{vars}")).remove(0);
        assert_eq!(wrong, ["PR011"]);
    }
}
