//! Associations as manifests.

use podrole_identity::{API_GROUP, API_VERSION, Association, Kind};
use serde_json::{Value, json};

use super::checked::Checked;
use crate::{printable::printable, yaml};

/// The PodIdentityAssociation of an association.
pub(super) fn object(checked: &Checked) -> Value {
    let name = Association::object_name(&checked.association.service_account);
    let mut metadata = json!({ "name": name });
    if !checked.annotations.is_empty() {
        metadata["annotations"] = json!(checked.annotations);
    }
    json!({
        "apiVersion": format!("{API_GROUP}/{API_VERSION}"),
        "kind": Kind::Association.as_str(),
        "metadata": metadata,
        "spec": checked.association.spec(),
    })
}

/// The manifests in order, with what they do not express above each.
pub(super) fn yaml(all: &[Checked]) -> String {
    let documents = all.iter().map(|checked| {
        let comments = checked.comments.iter();
        let comments: String = comments.map(|it| format!("# {}\n", printable(it))).collect();
        comments + &yaml::document(&object(checked))
    });
    documents.collect::<Vec<_>>().join("---\n")
}
