//! The associations of all inputs, one for each ServiceAccount.

use std::collections::BTreeMap;

use podrole_identity::Association;

use super::{
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
}

impl Merged {
    pub(super) fn fail(&mut self, error: InputError) {
        self.errors.push(error);
    }

    pub(super) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

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

    /// All associations, sorted by name.
    ///
    /// # Errors
    /// All errors of the inputs, in their order.
    pub(super) fn finish(self) -> Result<Vec<Checked>, Vec<InputError>> {
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
