//! `podrole revoke`: has agents drop the sessions of a ServiceAccount, and says how to end the credentials that its
//! processes already have.

mod advice;
mod denial;

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject, GroupVersionKind, ListParams, Patch, PatchParams},
};
use podrole_identity::{
    API_GROUP, API_VERSION, Association, Kind, Labels, Patterns, RoleArn, ServiceAccountRef,
};
use podrole_runtime::{clock, objects};
use podrole_webhook::cluster;
use serde_json::json;

use crate::{aws_iam::Iam, output, printable::printable};
use advice::{Advice, Denied};

/// The owner of the field that is set.
const FIELD_MANAGER: &str = "podrole-revoke";
/// Objects per page of a list.
const PAGE: u32 = 500;

/// End the sessions of a ServiceAccount's pods
///
/// Sets `spec.notBefore` of its PodIdentityAssociation to now: within 5 s agents drop the sessions that
/// were requested before, and pods get new ones. Prints the IAM policy that also ends the credentials
/// that processes already have, and the other ServiceAccounts with the same role. Sends nothing to AWS
/// without --aws --apply.
#[derive(Args, Debug)]
pub(crate) struct RevokeArgs {
    /// The ServiceAccount
    #[arg(value_name = "NAMESPACE/SERVICEACCOUNT")]
    service_account: ServiceAccountRef,

    /// Ask the API server whether it would accept the change, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// End also the credentials that processes already have, by the IAM policy: with --apply it is put
    /// on the role with the credentials of the AWS CLI, which needs sts:GetCallerIdentity and
    /// iam:PutRolePolicy; without --apply it is printed only
    #[arg(long)]
    aws: bool,

    /// Put the IAM policy on the role
    #[arg(long, requires = "aws", conflicts_with = "dry_run")]
    apply: bool,

    /// The kubeconfig of the cluster, in place of kubectl's
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,

    /// The prefix of EKS's annotations, by which other ServiceAccounts with the role are found
    #[arg(long, default_value = "eks.amazonaws.com", value_name = "PREFIX")]
    annotation_prefix: String,
}

/// Runs the command. The exit code is 1 if another object decides about the role or IAM refuses the
/// policy, and 2 if the cluster or the credentials for AWS cannot be used.
pub(crate) async fn run(args: RevokeArgs) -> ExitCode {
    match revoke(&args).await {
        Ok(code) => code,
        Err(error) => output::usage_error(&error),
    }
}

async fn revoke(args: &RevokeArgs) -> anyhow::Result<ExitCode> {
    // Before anything changes: half of what was asked for would look like all of it.
    let iam = if args.apply { Some(Iam::from_environment().await?) } else { None };
    let client = cluster::connect(args.kubeconfig.as_deref(), None).await?;
    // Times in IAM policies and in objects have seconds.
    let now = Timestamp::from_second(clock::now().as_second())?;
    let name = Association::object_name(&args.service_account);
    let api = objects::api(client.clone(), Kind::Association);
    let found = api.get_opt(&name).await.context("could not read the association")?;
    let Some(mut object) = found else {
        eprintln!("podrole: {}", elsewhere(&client, &args.service_account, now).await?);
        return Ok(ExitCode::FAILURE);
    };
    let association = Association::read_object(&name, &objects::take_spec(&mut object))?;
    let role = association.last_role().context("the association names no role")?;
    if let Some(iam) = &iam {
        denial::check_account(iam.account(), role)?;
    }
    let patch = json!({"apiVersion": format!("{API_GROUP}/{API_VERSION}"),
        "kind": Kind::Association.as_str(), "metadata": {"name": name},
        "spec": {"notBefore": now.to_string()}});
    let params = PatchParams { dry_run: args.dry_run, ..PatchParams::apply(FIELD_MANAGER).force() };
    let applied = api.patch(&name, &params, &Patch::Apply(&patch)).await;
    applied.with_context(|| format!("could not set spec.notBefore of {name}"))?;
    // Afterwards: the sessions must end soon, and who may write associations may not list ServiceAccounts.
    let others = others(&client, &args.service_account, role, &args.annotation_prefix).await;
    let others = others.map_err(|error| printable(&format!("{error:#}")));
    let others = others.as_ref().map_err(String::as_str);
    let put = match &iam {
        Some(iam) => Some(denial::put(iam, role, now).await),
        None => None,
    };
    let denied = match &put {
        None => Denied::No,
        Some(Ok(())) => Denied::Yes,
        Some(Err(error)) => Denied::Refused(error),
    };
    let advice = Advice { name: &name, role, now, others, dry_run: args.dry_run, denied };
    output::print(&advice.to_string())?;
    Ok(if matches!(denied, Denied::Refused(_)) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What to do if there is no association: the sentence has the command for the object that decides.
async fn elsewhere(
    client: &Client,
    service_account: &ServiceAccountRef,
    now: Timestamp,
) -> anyhow::Result<String> {
    let (namespace, name) = (service_account.namespace(), service_account.name());
    let namespaces = Api::<DynamicObject>::all_with(client.clone(), &core("Namespace"));
    let found = namespaces.get_metadata_opt(namespace).await;
    let found = found.context("could not read the namespace")?;
    let found = found.with_context(|| format!("there is no namespace {namespace}"))?;
    let of_namespace: Labels = found.metadata.labels.unwrap_or_default();
    let resource = core("ServiceAccount");
    let accounts = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
    let account = accounts.get_metadata_opt(name).await;
    let account = account.context("could not read the ServiceAccount")?;
    let own: Labels = account.and_then(|it| it.metadata.labels).unwrap_or_default();
    let all = objects::list(client.clone(), Kind::Pattern).await;
    let all = all.context("could not list patterns")?;
    let patterns = Patterns::read(objects::raw(&all));
    let pattern = patterns.deciding(service_account, &own, &of_namespace);
    Ok(advice::without_association(service_account, pattern, now))
}

/// The other ServiceAccounts whose pods get the role, each with what says so.
async fn others(
    client: &Client,
    service_account: &ServiceAccountRef,
    role: &RoleArn,
    prefix: &str,
) -> anyhow::Result<BTreeSet<String>> {
    let mut others = BTreeSet::new();
    let api = objects::api(client.clone(), Kind::Association);
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = api.list(&params).await.context("could not list associations")?;
        let next = objects::next_page(params, &page.metadata);
        for mut object in page.items {
            let name = object.metadata.name.clone().unwrap_or_default();
            // One that cannot be read serves no pod.
            let spec = objects::take_spec(&mut object);
            let Ok(other) = Association::read_object(&name, &spec) else { continue };
            if other.last_role() == Some(role) && other.service_account != *service_account {
                others.insert(format!("{} (PodIdentityAssociation)", other.service_account));
            }
        }
        let Some(next) = next else { break };
        params = next;
    }
    let key = format!("{prefix}/role-arn");
    let accounts = Api::<DynamicObject>::all_with(client.clone(), &core("ServiceAccount"));
    let mut params = ListParams::default().limit(PAGE);
    loop {
        let page = accounts.list_metadata(&params).await;
        let page = page.context("could not list ServiceAccounts")?;
        let next = objects::next_page(params, &page.metadata);
        for account in page.items {
            let metadata = account.metadata;
            let (Some(namespace), Some(name)) = (&metadata.namespace, &metadata.name) else {
                continue;
            };
            let named = metadata.annotations.as_ref().and_then(|all| all.get(&key));
            let is_other = (namespace.as_str(), name.as_str())
                != (service_account.namespace(), service_account.name());
            if is_other && named.is_some_and(|named| named.trim() == role.as_str()) {
                others.insert(format!("{namespace}/{name} (annotation {key})"));
            }
        }
        let Some(next) = next else { return Ok(others) };
        params = next;
    }
}

/// A kind of Kubernetes's core.
fn core(kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", kind))
}
