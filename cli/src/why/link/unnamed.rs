//! Why no source names the pod's ServiceAccount: a misspelt key, a wrong object, another ServiceAccount, a
//! misspelt association.

use podrole_identity::{Association, Kind, Place, near_misses};
use strsim::osa_distance;

use crate::{
    report::{Code, Finding},
    why::{
        case::Case,
        decided::Decided,
        object::{Object, texts},
        resource::Resource,
        shell::quoted,
        world::Missing,
    },
};

/// The first of the mistakes, in the order of how sure it is.
pub(super) fn check(case: &Case<'_>, decided: &Decided) -> Vec<Finding> {
    let found = missing(case, decided)
        .or_else(|| misspelled(case, decided))
        .or_else(|| elsewhere(case))
        .or_else(|| association(case))
        .unwrap_or_else(|| without_role(case));
    vec![found]
}

/// The ServiceAccount itself does not exist.
fn missing(case: &Case<'_>, decided: &Decided) -> Option<Finding> {
    let account = &case.subject.service_account;
    let offline = case.world.all(Resource::Pod).is_err_and(|it| it == Missing::NoCluster);
    (decided.service_account.is_none() && account.name() != "default").then(|| {
        if offline {
            return Finding::unknown(format!(
                "ServiceAccount {account} is in none of the files; add its file, or use --kubeconfig without -f"
            ));
        }
        let near = siblings(case, |it| near(it.name(), account.name()));
        let hint = near.first().map_or_else(String::new, |it| format!("; did you mean {}?", it.name()));
        Finding::error(Code(7), format!("ServiceAccount {account} does not exist{hint}"))
            .is(format!("serviceAccountName: {}", account.name()))
            .should_be("a ServiceAccount that exists and has a role")
            .fix(format!("kubectl -n {} get serviceaccounts", account.namespace()))
    })
}

/// A key on the ServiceAccount that looks like the role's.
fn misspelled(case: &Case<'_>, decided: &Decided) -> Option<Finding> {
    let object = decided.service_account.as_ref()?;
    let account = &case.subject.service_account;
    let key = case.settings.webhook.annotations.prefix.key("role-arn");
    let annotations = object.annotations();
    let wrong =
        role_keys(case, Place::ServiceAccount, object).into_iter().find(|wrong| *wrong != key)?;
    let value = annotations.get(&wrong).map(String::as_str).unwrap_or_default();
    let role = if value.starts_with("arn:") { value } else { "arn:aws:iam::ACCOUNT:role/NAME" };
    Some(
        Finding::error(Code(8), format!("{wrong} is not read; write {key}"))
            .is(format!("{wrong}={value}"))
            .should_be(format!("{key}={role}"))
            .fix(format!(
                "kubectl -n {} annotate serviceaccount {} {} {}",
                account.namespace(),
                account.name(),
                quoted(&format!("{key}={role}")),
                quoted(&format!("{wrong}-")),
            ))
            .fix(case.subject.restart()),
    )
}

/// The annotations of an object that look as if they named a role.
fn role_keys(case: &Case<'_>, place: Place<'_>, object: &Object) -> Vec<String> {
    let prefix = &case.settings.webhook.annotations.prefix;
    let annotations = object.annotations();
    let keys = annotations.keys().map(String::as_str);
    let misses = near_misses(place, keys, std::iter::empty(), prefix);
    let role = prefix.key("role-arn");
    let about = misses.into_iter().filter(|it| it.key == role || it.advice.contains(&role));
    about.map(|it| it.key).collect()
}

/// The role on the pod or on the workload.
fn elsewhere(case: &Case<'_>) -> Option<Finding> {
    let account = &case.subject.service_account;
    let key = case.settings.webhook.annotations.prefix.key("role-arn");
    let workload = case.subject.workload.as_ref().ok()?.as_ref();
    let on_workload = workload.filter(|it| it.annotations().contains_key(&key)).map(|it| {
        let (_, kind) = it.group_kind();
        (format!("{kind} {}/{}", case.namespace(), it.name()), it.annotations())
    });
    let template = case.subject.template.as_ref();
    let template = template.map(|it| texts(it.pointer("/metadata/annotations")));
    let on_template = template.filter(|it| it.contains_key(&key)).map(|it| {
        (format!("the pod template of {}", case.subject.workload_name().unwrap_or_default()), it)
    });
    let stored = case.subject.stored().filter(|it| it.annotations().contains_key(&key));
    let on_pod =
        stored.map(|it| (format!("pod {}/{}", case.namespace(), it.name()), it.annotations()));
    let (place, mut annotations) = on_workload.or(on_template).or(on_pod)?;
    let role = annotations.remove(&key).unwrap_or_default();
    Some(
        Finding::error(
            Code(6),
            format!("the role is on {place}; it belongs on ServiceAccount {account}"),
        )
        .is(format!("{key}={role} on {place}"))
        .should_be(format!("the same on ServiceAccount {account}"))
        .fix(format!(
            "kubectl -n {} annotate serviceaccount {} {}",
            account.namespace(),
            account.name(),
            quoted(&format!("{key}={role}"))
        ))
        .fix(case.subject.restart()),
    )
}

/// An association whose name is almost right and that matches no ServiceAccount.
fn association(case: &Case<'_>) -> Option<Finding> {
    let account = &case.subject.service_account;
    let right = Association::object_name(account);
    let names = case.world.seen(Resource::Association).iter().map(Object::name);
    let is_dead = |name: &str| {
        let named = Association::service_account_of(name);
        named.is_none_or(|it| {
            let found = case.world.find(Resource::ServiceAccount, it.namespace(), it.name());
            // ServiceAccounts of other namespaces were not read.
            it.namespace() != case.namespace() || found.is_ok_and(|it| it.is_none())
        })
    };
    let wrong = names.filter(|name| near(name, &right) && is_dead(name)).min()?;
    let kind = Kind::Association.plural();
    Some(
        Finding::error(
            Code(42),
            format!("association {wrong} matches no ServiceAccount; did you mean {right}?"),
        )
        .object(format!("{} {wrong}", Kind::Association.as_str()))
        .is(format!("the name {wrong}"))
        .should_be(format!("the name {right}"))
        .fix(format!(
            "kubectl get {kind} {wrong} -o yaml | sed 's/name: {wrong}$/name: {right}/' | kubectl create -f -"
        ))
        .fix(format!("kubectl delete {kind} {wrong}"))
        .fix(case.subject.restart()),
    )
}

/// The ServiceAccount has no role at all.
fn without_role(case: &Case<'_>) -> Finding {
    let account = &case.subject.service_account;
    let key = case.settings.webhook.annotations.prefix.key("role-arn");
    let with_role = siblings(case, |it| names_role(case, it));
    let shown = case.subject.shown();
    let closest = with_role.iter().find(|it| near(it.name(), account.name()));
    let message = match (account.name(), with_role.as_slice(), closest) {
        ("default", [.., _], _) => {
            let names: Vec<&str> = with_role.iter().take(3).map(|it| it.name()).collect();
            format!(
                "{shown} uses ServiceAccount default, which has no role; did you mean {}?",
                names.join(" or ")
            )
        }
        (_, _, Some(near)) => {
            return Finding::error(
                Code(6),
                format!(
                    "the role is on ServiceAccount {}/{}; it belongs on ServiceAccount {account}",
                    account.namespace(),
                    near.name()
                ),
            )
            .is(format!("{shown} uses ServiceAccount {account}, which has no role"))
            .should_be(format!("{key} on {account}, or serviceAccountName: {}", near.name()))
            .fix(copied(case, near, &key))
            .fix(case.subject.restart());
        }
        _ => format!("{shown} uses ServiceAccount {}, which has no role", account.name()),
    };
    let finding = Finding::error(Code(7), message)
        .is(format!("serviceAccountName: {}, which no source of roles names", account.name()))
        .should_be("a ServiceAccount with a role");
    let patch = case.subject.owner.as_ref().zip(with_role.first());
    match patch.filter(|_| account.name() == "default") {
        Some(((kind, name), sibling))
            if matches!(
                kind,
                Resource::Deployment | Resource::StatefulSet | Resource::DaemonSet
            ) =>
        {
            let kind = kind.kind().to_ascii_lowercase();
            finding.fix(format!(
                "kubectl -n {} set serviceaccount {kind}/{name} {}",
                account.namespace(),
                sibling.name()
            ))
        }
        _ => finding
            .fix(format!(
                "kubectl -n {} annotate serviceaccount {} {key}=arn:aws:iam::ACCOUNT:role/NAME",
                account.namespace(),
                account.name()
            ))
            .fix(case.subject.restart()),
    }
}

fn copied(case: &Case<'_>, from: &Object, key: &str) -> String {
    let account = &case.subject.service_account;
    let role = from.annotations().remove(key).unwrap_or_default();
    format!(
        "kubectl -n {} annotate serviceaccount {} {}",
        account.namespace(),
        account.name(),
        quoted(&format!("{key}={role}"))
    )
}

fn names_role(case: &Case<'_>, object: &Object) -> bool {
    case.settings.webhook.annotations.read(object.annotations()).names_role()
}

/// Other ServiceAccounts of the namespace, by name.
fn siblings<'a>(case: &Case<'a>, wanted: impl Fn(&Object) -> bool) -> Vec<&'a Object> {
    let own = &case.subject.service_account;
    let all = case.world.in_namespace(Resource::ServiceAccount, case.namespace());
    let all = all.into_iter().flatten().filter(|it| it.name() != own.name() && wanted(it));
    let mut all: Vec<&Object> = all.collect();
    all.sort_by_key(|it| it.name().to_owned());
    all
}

/// Whether a name was probably meant to be the other.
fn near(name: &str, other: &str) -> bool {
    name != other && osa_distance(name, other) <= 2 && name.len().min(other.len()) > 2
}
