//! The associations of all inputs, one for each ServiceAccount.

use std::collections::BTreeMap;

use podrole_identity::{Association, ServiceAccountRef};

use super::{
    annotated_pods::{AnnotatedPods, PodRole, ROLE},
    base_role_arn::BaseRoleArn,
    checked::Checked,
    entry::{Entry, Fields},
    node::Node,
    place::{InputError, Place},
};

/// Merged by the name of their object, and the errors of the inputs.
#[derive(Debug, Default)]
pub(super) struct Merged {
    all: BTreeMap<String, Checked>,
    errors: Vec<InputError>,
    /// What is not an error, and should be known.
    notes: Vec<String>,
    /// Pods of any input: what their ServiceAccount gets is known after the last one.
    pods: AnnotatedPods,
    /// What is before a role of kube2iam or kiam that is no ARN.
    base_role_arn: Option<BaseRoleArn>,
}

impl Merged {
    pub(super) fn with_base_role_arn(base_role_arn: Option<BaseRoleArn>) -> Self {
        Self { base_role_arn, ..Self::default() }
    }

    pub(super) fn fail(&mut self, error: InputError) {
        self.errors.push(error);
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The notes so far; those on pods come with [`Merged::add_pods`].
    pub(super) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Reads an entry of a form, and adds it. `complete` adds what is elsewhere in the document.
    pub(super) fn read(
        &mut self,
        node: &Node<'_>,
        fields: &Fields,
        complete: impl FnOnce(&mut Entry),
    ) {
        if let Some(mut entry) = Entry::read(node, fields, &mut self.errors) {
            complete(&mut entry);
            self.add(Checked::of(entry));
        }
    }

    /// Adds what one entry became. One that is there already is merged.
    pub(super) fn add(&mut self, checked: Result<Checked, Vec<InputError>>) {
        let checked = match checked {
            Ok(checked) => checked,
            Err(errors) => return self.errors.extend(errors),
        };
        let name = Association::object_name(&checked.association.service_account);
        match self.all.get_mut(&name) {
            None => {
                self.all.insert(name, checked);
            }
            Some(first) if first.association == checked.association => {
                let new = checked.comments.into_iter();
                let new: Vec<_> = new.filter(|it| !first.comments.contains(it)).collect();
                first.comments.extend(new);
                if first.annotations.is_empty() {
                    first.annotations = checked.annotations;
                }
            }
            Some(first) => {
                let error = different(&first.place, &first.association, &checked.association);
                self.errors.push(InputError::new(&checked.place, error));
            }
        }
    }

    /// Adds a pod with a role of kube2iam or kiam.
    pub(super) fn add_pod(&mut self, service_account: ServiceAccountRef, pod: PodRole) {
        self.pods.add(service_account, pod);
    }

    /// Adds a pod without one: kind and name.
    pub(super) fn add_pod_without_role(&mut self, service_account: ServiceAccountRef, pod: &str) {
        self.pods.add_without_role(service_account, pod);
    }

    /// Adds the associations of the pods, after the last input.
    pub(super) fn add_pods(&mut self) {
        let pods = std::mem::take(&mut self.pods);
        if pods.is_without_roles() && self.all.is_empty() && self.errors.is_empty() {
            self.note(format!("no pod has the annotation {ROLE}"));
        }
        let base = self.base_role_arn.clone();
        for imported in pods.import(base.as_ref()) {
            self.notes.extend(imported.note);
            self.add(imported.checked);
        }
    }

    /// All associations, sorted by name.
    ///
    /// # Errors
    /// All errors of the inputs, in their order.
    pub(super) fn finish(mut self) -> Result<Vec<Checked>, Vec<InputError>> {
        self.add_pods();
        if self.errors.is_empty() { Ok(self.all.into_values().collect()) } else { Err(self.errors) }
    }
}

/// Says which fields of two associations of one ServiceAccount differ.
fn different(place: &Place, first: &Association, second: &Association) -> String {
    let (of, first, second) = (&first.service_account, first.spec(), second.spec());
    let fields = [&first, &second].into_iter().filter_map(|spec| spec.as_object());
    let mut names: Vec<&str> = fields
        .flat_map(|fields| fields.keys())
        .filter(|name| first.get(*name) != second.get(*name))
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names.dedup();
    let names = names.join(", ");
    format!("{of}: it is also at {place}, with another {names}; remove one of them")
}
