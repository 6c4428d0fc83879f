//! The decision about the examined pod, by the webhook's own code.

use std::sync::Arc;

use podrole_identity::{
    Association, Explanation, Guardrails, NamespaceFacts, Patterns, RawObject, explain,
};
use podrole_runtime::managed_fields::label_times;
use podrole_webhook::{ServiceAccount, binding::Binding, sources::Snapshot};
use serde_json::Value;

use super::{
    object::Object,
    resource::Resource,
    settings::WhySettings,
    subject::Subject,
    world::{Known, World},
};

/// What is decided, and why.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    pub(crate) binding: Binding,
    pub(crate) explanation: Explanation,
    /// The ServiceAccount, if it exists.
    pub(crate) service_account: Option<Object>,
}

/// What a namespace permits and asks for; the default if it does not exist.
pub(crate) fn namespace_facts(
    world: &World,
    namespace: &str,
    settings: &WhySettings,
) -> Known<NamespaceFacts> {
    let object = world.find(Resource::Namespace, "", namespace)?;
    let read = |object: &Object| NamespaceFacts {
        labelled: label_times(&object.metadata()),
        ..NamespaceFacts::read(object.labels(), &object.annotations(), settings.injection_default)
    };
    Ok(object.map(read).unwrap_or_default())
}

fn raw(objects: &[Object]) -> impl Iterator<Item = RawObject<'_>> {
    objects.iter().map(|object| RawObject {
        name: object.name(),
        created: object.created(),
        spec: object.json().get("spec").unwrap_or(&Value::Null),
    })
}

/// The cluster's guard-rails.
pub(crate) fn guardrails(world: &World) -> Known<Guardrails> {
    Ok(Guardrails::read(raw(world.all(Resource::Guardrail)?)))
}

/// Decides about the subject's ServiceAccount.
///
/// # Errors
/// If a source that could decide is not known.
pub(crate) fn decide(world: &World, subject: &Subject, settings: &WhySettings) -> Known<Decided> {
    let name = &subject.service_account;
    let service_account = world.find(Resource::ServiceAccount, name.namespace(), name.name())?;
    let read = |object: &Object| ServiceAccount {
        annotations: settings.webhook.annotations.read(object.annotations()),
        labels: object.labels(),
    };
    let found = service_account.map(read).unwrap_or_default();
    let objects =
        |resource| if settings.ignores_objects { Ok(&[][..]) } else { world.all(resource) };
    let own = Association::object_name(name);
    let association = objects(Resource::Association)?.iter().find(|it| it.name() == own);
    let spec = |object: &Object| object.json().get("spec").cloned().unwrap_or_default();
    let snapshot = Snapshot {
        list: settings.list.clone(),
        map: settings.role_map.clone(),
        association: association.map(|it| Association::read_object(it.name(), &spec(it))),
        patterns: Arc::new(Patterns::read(raw(objects(Resource::Pattern)?))),
        guardrails: Arc::new(Guardrails::read(raw(objects(Resource::Guardrail)?))),
    };
    let namespace = namespace_facts(world, name.namespace(), settings)?;
    let facts = snapshot.facts(name, &found, &namespace);
    let explanation = explain(&facts, &settings.webhook.rules);
    let binding = Binding::new(name, found.clone(), &snapshot, &namespace, &settings.webhook);
    Ok(Decided { binding, explanation, service_account: service_account.cloned() })
}
