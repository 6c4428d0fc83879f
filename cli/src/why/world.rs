//! What was read of the cluster, and what was not.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{object::Object, resource::Resource};
use crate::{cluster::Unread, report::Finding};

/// Why something is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It could not be read.
    Unread(Unread),
    /// There is no cluster to ask, only files.
    NoCluster,
}

/// Something that may not be known.
pub(crate) type Known<T> = Result<T, Missing>;

impl Missing {
    /// The same for a result.
    pub(crate) fn boxed(&self) -> Box<Finding> {
        Box::new(self.finding())
    }

    /// The finding of a part that needs it.
    pub(crate) fn finding(&self) -> Finding {
        match self {
            Self::Unread(unread) => Finding::unknown(unread.to_string()),
            Self::NoCluster => Finding::skipped("no cluster"),
        }
    }
}

/// All objects that were read, by kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    objects: BTreeMap<Resource, Known<Vec<Object>>>,
    /// The API server's time, if it was asked.
    pub(crate) server_time: Option<Timestamp>,
}

impl World {
    /// Objects of files, which hold workloads and what decides about them. What is only in a cluster is not known.
    pub(crate) fn of_files(objects: Vec<Object>) -> Self {
        let of_files = [
            Resource::Namespace,
            Resource::ServiceAccount,
            Resource::ConfigMap,
            Resource::Association,
            Resource::Pattern,
            Resource::Guardrail,
            Resource::SecretStore,
            Resource::ClusterSecretStore,
        ];
        let mut world = Self::default();
        for resource in Resource::ALL {
            if !of_files.contains(&resource) {
                world.objects.insert(resource, Err(Missing::NoCluster));
            }
        }
        world.extend(objects);
        world
    }

    /// Adds objects. A kind of which some are there counts as known.
    pub(crate) fn extend(&mut self, objects: impl IntoIterator<Item = Object>) {
        for object in objects {
            let (group, kind) = object.group_kind();
            let Some(resource) = Resource::of(group, kind) else { continue };
            let known = self.objects.entry(resource).or_insert_with(|| Ok(Vec::new()));
            match known {
                Ok(all) => all.push(object),
                Err(_) => *known = Ok(vec![object]),
            }
        }
    }

    /// Records that a kind could not be read, unless some of it was.
    pub(crate) fn missing(&mut self, resource: Resource, missing: Missing) {
        self.objects.entry(resource).or_insert(Err(missing));
    }

    /// All objects of a kind that were read. A kind that was read and has none is empty.
    pub(crate) fn all(&self, resource: Resource) -> Known<&[Object]> {
        match self.objects.get(&resource) {
            None => Ok(&[]),
            Some(Ok(all)) => Ok(all),
            Some(Err(missing)) => Err(missing.clone()),
        }
    }

    /// The objects of a kind in a namespace; all of them for kinds without namespaces.
    pub(crate) fn in_namespace<'a>(
        &'a self,
        resource: Resource,
        namespace: &'a str,
    ) -> Known<impl Iterator<Item = &'a Object> + Clone> {
        Ok(self.all(resource)?.iter().filter(move |it| it.namespace() == namespace))
    }

    pub(crate) fn find(
        &self,
        resource: Resource,
        namespace: &str,
        name: &str,
    ) -> Known<Option<&Object>> {
        let mut all = self.all(resource)?.iter();
        Ok(all.find(|it| it.name() == name && it.namespace() == namespace))
    }

    /// The objects that were read, even if others of the kind could not be.
    pub(crate) fn seen(&self, resource: Resource) -> &[Object] {
        self.all(resource).unwrap_or_default()
    }
}
