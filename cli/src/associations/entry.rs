//! One association as its input has it, in any form: the forms differ in the names of the fields.

use podrole_identity::{RoleArn, ServiceAccountRef};
use serde_json::{Value, json};

use super::{
    node::Node,
    place::{InputError, Place},
};
use crate::yaml;

/// The longest value of another field that a comment shows.
const SHOWN: usize = 200;

/// How a form names the fields. An empty name is a field that it does not have.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) namespace: &'static str,
    pub(super) service_account: &'static str,
    pub(super) role: &'static str,
    pub(super) target: &'static str,
    pub(super) external_id: &'static str,
    pub(super) disable_session_tags: &'static str,
    pub(super) policy: &'static str,
    pub(super) duration: &'static str,
    pub(super) session_name: &'static str,
    /// Names of the association in EKS.
    pub(super) arn: &'static str,
    pub(super) id: &'static str,
    /// Fields that name a role of the tool instead of an ARN, each with the field that would have it.
    pub(super) references: &'static [(&'static str, &'static str)],
    /// What to do if the role has no ARN.
    pub(super) no_role: &'static str,
    /// Fields that say nothing about what pods get.
    pub(super) ignored: &'static [&'static str],
}

/// An association of an input. Namespace, name and roles are valid; the rest is not checked yet.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) place: Place,
    pub(super) service_account: ServiceAccountRef,
    /// The fields of a PodIdentityAssociation's spec.
    pub(super) spec: Value,
    /// The ARN and the ID of EKS.
    pub(super) eks_names: [Option<String>; 2],
    /// What the object cannot express.
    pub(super) comments: Vec<String>,
}

impl Entry {
    /// Reads an entry, or adds all of its errors.
    pub(super) fn read(
        node: &Node<'_>,
        fields: &Fields,
        errors: &mut Vec<InputError>,
    ) -> Option<Self> {
        let before = errors.len();
        if !node.value.is_object() {
            errors.push(node.error("it is not a map with the fields of an association"));
            return None;
        }
        let mut reader = Reader { node, errors };
        let service_account = reader.service_account(fields);
        let of = service_account.as_ref().map(ToString::to_string).unwrap_or_default();
        let role = reader.role(fields.role, fields, &of);
        if role.is_none() && reader.errors.len() == before {
            reader.errors.push(node.error(format!("{of}: {}", fields.no_role)));
        }
        let target = reader.role(fields.target, fields, &of);
        let spec = json!({
            "roleARN": role.map(|role| role.to_string()),
            "targetRoleARN": target.map(|role| role.to_string()),
            "externalID": reader.get(fields.external_id, Node::text),
            "disableSessionTags": reader.get(fields.disable_session_tags, Node::boolean),
            // An empty policy is an error and not "no policy", which would widen the session.
            "policy": reader.get(fields.policy, Node::text_or_empty),
            "durationSeconds": reader.get(fields.duration, Node::number),
            "sessionName": reader.get(fields.session_name, Node::text),
        });
        let eks_names = [fields.arn, fields.id].map(|key| reader.get(key, Node::text));
        let place = node.place();
        let comments = others(node, fields);
        let service_account = service_account.filter(|_| errors.len() == before)?;
        Some(Self { place, service_account, spec, eks_names, comments })
    }
}

impl Entry {
    /// Says that the input does not have the external ID that EKS sends to the target role.
    pub(super) fn comment_on_external_id(&mut self) {
        if self.spec["externalID"].is_null() && !self.spec["targetRoleARN"].is_null() {
            self.comments.push(
                "the external ID that EKS sends is not in the input; podrole sends \
                 region/account/cluster/namespace/ServiceAccount of its own settings"
                    .to_owned(),
            );
        }
    }
}

struct Reader<'n, 'd> {
    node: &'n Node<'d>,
    errors: &'n mut Vec<InputError>,
}

impl<'d> Reader<'_, 'd> {
    /// A field's value, or an error.
    fn get<T>(
        &mut self,
        key: &str,
        read: impl Fn(&Node<'d>, &str) -> Result<Option<T>, InputError>,
    ) -> Option<T> {
        read(self.node, key).unwrap_or_else(|error| {
            self.errors.push(error);
            None
        })
    }

    fn service_account(&mut self, fields: &Fields) -> Option<ServiceAccountRef> {
        let before = self.errors.len();
        let names = [fields.namespace, fields.service_account].map(|key| {
            let text = self.get(key, Node::text);
            if text.is_none() && self.errors.len() == before {
                self.errors.push(self.node.error(format!("it has no {key}")));
            }
            text
        });
        let [Some(namespace), Some(name)] = names else { return None };
        match ServiceAccountRef::new(&namespace, &name) {
            Ok(service_account) => Some(service_account),
            Err(error) => {
                self.errors.push(self.node.error(format!("{namespace}/{name}: {error}")));
                None
            }
        }
    }

    /// The role of a field, or an error at the line of the field or of the reference in its place.
    fn role(&mut self, key: &str, fields: &Fields, of: &str) -> Option<RoleArn> {
        let Some(arn) = self.get(key, Node::text) else {
            let mut references = fields.references.iter().filter(|(_, field)| *field == key);
            let reference = references.find_map(|(name, _)| Some((name, self.node.child(name)?)));
            if let Some((name, reference)) = reference {
                let what = format!("{of}: {name} names no ARN; put the role's ARN into {key}");
                self.errors.push(reference.error(what));
            }
            return None;
        };
        arn.parse::<RoleArn>()
            .map_err(|error| {
                let at = self.node.child(key).unwrap_or_else(|| self.node.clone());
                self.errors.push(at.error(format!("{of}: {key}: {error}")));
            })
            .ok()
    }
}

/// Fields that the object cannot express, each as the line of a comment.
fn others(node: &Node<'_>, fields: &Fields) -> Vec<String> {
    let known = [
        fields.namespace,
        fields.service_account,
        fields.role,
        fields.target,
        fields.external_id,
        fields.disable_session_tags,
        fields.policy,
        fields.duration,
        fields.session_name,
        fields.arn,
        fields.id,
    ];
    let is_known = |key: &str| {
        known.contains(&key)
            || fields.ignored.contains(&key)
            || fields.references.iter().any(|(name, _)| *name == key)
    };
    let all = node.value.as_object().into_iter().flatten();
    let others = all.filter(|(key, value)| !is_known(key) && !is_empty(value));
    others.map(|(key, value)| format!("not imported: {key}: {}", shown(value))).collect()
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn shown(value: &Value) -> String {
    let text = yaml::json(value);
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}
