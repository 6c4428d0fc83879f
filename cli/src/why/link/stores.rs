//! Stores of External Secrets Operator that use the ServiceAccount.

use crate::{
    report::{Code, Finding},
    why::{case::Case, decided::Decided, object::Object, resource::Resource},
};

/// Where a store names its ServiceAccount.
const REFERENCE: &str = "/spec/provider/aws/auth/jwt/serviceAccountRef";

pub(super) fn check(case: &Case<'_>, decided: &Decided) -> Vec<Finding> {
    let stores = [Resource::SecretStore, Resource::ClusterSecretStore];
    let stores =
        stores.into_iter().flat_map(|kind| case.world.seen(kind).iter().map(move |it| (kind, it)));
    stores.filter_map(|(kind, store)| one(case, decided, kind, store)).collect()
}

fn one(case: &Case<'_>, decided: &Decided, kind: Resource, store: &Object) -> Option<Finding> {
    let account = &case.subject.service_account;
    let text = |field: &str| store.text(&format!("{REFERENCE}/{field}"));
    let (name, namespace) = (text("name")?, text("namespace"));
    let is_cluster = kind == Resource::ClusterSecretStore;
    let own = if is_cluster { namespace? } else { store.namespace() };
    let shown = if is_cluster {
        format!("ClusterSecretStore {}", store.name())
    } else {
        format!("SecretStore {}/{}", store.namespace(), store.name())
    };
    if name != account.name() || own != account.namespace() {
        return None;
    }
    if !is_cluster && namespace.is_some_and(|namespace| namespace != store.namespace()) {
        let other = namespace.unwrap_or_default();
        return Some(
            Finding::error(
                Code(38),
                format!("{shown} ignores serviceAccountRef.namespace; use a ClusterSecretStore"),
            )
            .object(shown)
            .is(format!("serviceAccountRef.namespace: {other}"))
            .should_be(format!(
                "a ClusterSecretStore, or a ServiceAccount of namespace {}",
                store.namespace()
            ))
            .fix(format!(
                "write the store as kind: ClusterSecretStore with serviceAccountRef.namespace: {other}"
            )),
        );
    }
    let role = store.text("/spec/provider/aws/role")?;
    let granted = decided.binding.role().map(ToString::to_string);
    let annotated = decided.binding.annotations.role.as_ref().map(ToString::to_string);
    let same = [granted, annotated].into_iter().flatten().any(|it| it == role);
    same.then(|| {
        let (kind, place) = if is_cluster {
            ("clustersecretstore", String::new())
        } else {
            ("secretstore", format!(" -n {}", store.namespace()))
        };
        Finding::error(
            Code(37),
            format!("{shown} assumes its own role again; remove spec.provider.aws.role"),
        )
        .object(shown)
        .is(format!("spec.provider.aws.role: {role}, the role of ServiceAccount {account}"))
        .should_be("no spec.provider.aws.role")
        .fix(format!(
            "kubectl patch {kind} {}{place} --type json -p '[{{\"op\":\"remove\",\"path\":\"/spec/provider/aws/role\"}}]'",
            store.name()
        ))
    })
}
