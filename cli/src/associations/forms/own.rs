//! podrole's own objects, which `export` reads; `import` prints them in its own order.

use podrole_identity::{Association, EKS_ASSOCIATION_ANNOTATIONS};
use serde_json::Value;

use super::super::{checked::Checked, merged::Merged, node::Node, place::InputError};

/// Reads a PodIdentityAssociation. A field that is not known is an error, because it may narrow what
/// the object grants.
pub(super) fn read(node: &Node<'_>, merged: &mut Merged) {
    let name = node.at(&["metadata", "name"]);
    let name = name.as_ref().and_then(|name| name.value.as_str()).unwrap_or_default();
    let spec = node.child("spec");
    let place = spec.as_ref().unwrap_or(node).place();
    let spec = spec.map_or(&Value::Null, |spec| spec.value);
    let annotations = EKS_ASSOCIATION_ANNOTATIONS.into_iter().filter_map(|key| {
        let value = node.at(&["metadata", "annotations", key])?;
        Some((key, value.value.as_str()?.to_owned()))
    });
    let annotations = annotations.collect();
    let read = Association::read_object(name, spec);
    merged.add(match read {
        Ok(association) => Checked { place, association, annotations, comments: vec![] }.valid(),
        Err(error) => {
            let what = format!("PodIdentityAssociation {name}: {}", error.error);
            Err(vec![InputError::new(&place, what)])
        }
    });
}
