//! How a PodIdentityAssociation is written: its spec, and the schema's rules that reading does not check.
//!
//! A reader serves what the API server stored, perhaps under another version of the schema. What
//! writes objects checks these rules too, so that the API server does not refuse the object later.

use serde_json::{Map, Value};

use crate::{Association, MAX_CHAINED_SESSION_SECONDS, RoleArn, SessionNameTemplate};

/// Annotations of a PodIdentityAssociation that was imported: the ARN and the ID of the association
/// in EKS.
pub const EKS_ASSOCIATION_ANNOTATIONS: [&str; 2] =
    ["podrole.io/eks-association-arn", "podrole.io/eks-association-id"];

/// The longest name of an object.
const MAX_NAME: usize = 253;
/// The longest ARN in a field.
const MAX_ARN: usize = 2048;
/// The longest session policy, in characters: that of STS.
const MAX_POLICY: usize = 2048;

/// Why the API server, or every agent, refuses an association that can be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// Namespace and name do not fit into the name of an object.
    #[error(
        "its namespace and ServiceAccount have more than 252 characters together, and name the \
         object; use a PodIdentityPattern"
    )]
    NameTooLong,
    /// There is no role.
    #[error("roleARN: set a role")]
    NoRole,
    /// The ARN of a role is too long.
    #[error("{0}: an ARN has at most 2048 characters")]
    ArnTooLong(&'static str),
    /// The two roles are in different partitions.
    #[error("roleARN and targetRoleARN must be of one partition")]
    Partitions,
    /// An external ID, and no role to send it for.
    #[error("externalID needs targetRoleARN")]
    ExternalIdWithoutTarget,
    /// A policy, and session tags, which AWS does not combine.
    #[error("policy needs disableSessionTags: true")]
    PolicyWithTags,
    /// The policy is too long, or has characters that STS refuses.
    #[error("policy: it has 2 to 2048 characters of those that STS accepts, U+0020 to U+00FF")]
    PolicyCharacters,
    /// The policy is not a JSON object. The API server accepts some such texts, and no agent does.
    #[error("policy: it is not a JSON object")]
    PolicyForm,
    /// Tags that name the pod, in a session without tags.
    #[error("podTags: true contradicts disableSessionTags: true")]
    PodTagsWithoutTags,
    /// A session of a role chain that is longer than AWS allows.
    #[error(
        "with targetRoleARN durationSeconds is at most 3540, because AWS limits role chaining to \
         one hour"
    )]
    ChainedDuration,
    /// The session name has a brace that is no placeholder's.
    #[error("sessionName: a `}}` has no `{{`")]
    SessionName,
    /// The time is before the year 0, which RFC 3339 cannot express.
    #[error("notBefore: its year is not 0000 to 9999")]
    NotBefore,
}

impl Association {
    /// The spec of its PodIdentityAssociation, without fields that are not set.
    #[must_use]
    pub fn spec(&self) -> Value {
        let text = |value: &Option<String>| value.clone().map(Value::from);
        let arn = |role: &Option<RoleArn>| role.as_ref().map(|role| role.as_str().into());
        let session_name = self.session_name.as_ref().map(SessionNameTemplate::as_str);
        let fields = [
            ("namespace", Some(self.service_account.namespace().into())),
            ("serviceAccount", Some(self.service_account.name().into())),
            ("roleARN", arn(&self.role)),
            ("targetRoleARN", arn(&self.target_role)),
            ("externalID", text(&self.external_id)),
            ("disableSessionTags", self.disable_session_tags.then_some(true.into())),
            ("podTags", self.pod_tags.map(Value::from)),
            ("policy", text(&self.policy)),
            ("durationSeconds", self.duration_seconds.map(Value::from)),
            ("sessionName", session_name.map(Value::from)),
            ("notBefore", self.not_before.map(|time| time.to_string().into())),
        ];
        let set = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Value::Object(set.collect())
    }

    /// All rules of PodIdentityAssociation's schema that this association breaks. Those of a single
    /// field's form are checked when it is read.
    #[must_use]
    pub fn schema_errors(&self) -> Vec<SchemaError> {
        let broken = [
            (Self::object_name(&self.service_account).len() > MAX_NAME, SchemaError::NameTooLong),
            (self.role.is_none(), SchemaError::NoRole),
            (too_long(self.role.as_ref()), SchemaError::ArnTooLong("roleARN")),
            (too_long(self.target_role.as_ref()), SchemaError::ArnTooLong("targetRoleARN")),
            (!self.has_one_partition(), SchemaError::Partitions),
            (
                self.external_id.is_some() && self.target_role.is_none(),
                SchemaError::ExternalIdWithoutTarget,
            ),
            (self.policy.is_some() && !self.disable_session_tags, SchemaError::PolicyWithTags),
            (
                self.pod_tags == Some(true) && self.disable_session_tags,
                SchemaError::PodTagsWithoutTags,
            ),
            (
                self.target_role.is_some()
                    && self.duration_seconds.is_some_and(|it| it > MAX_CHAINED_SESSION_SECONDS),
                SchemaError::ChainedDuration,
            ),
            (
                self.session_name.as_ref().is_some_and(|name| has_lone_brace(name.as_str())),
                SchemaError::SessionName,
            ),
            (
                self.not_before.is_some_and(|time| time.to_string().starts_with('-')),
                SchemaError::NotBefore,
            ),
        ];
        let broken = broken.into_iter().filter_map(|(broken, error)| broken.then_some(error));
        broken.chain(self.policy.as_deref().and_then(policy_error)).collect()
    }

    fn has_one_partition(&self) -> bool {
        let (Some(role), Some(target)) = (&self.role, &self.target_role) else { return true };
        role.partition() == target.partition()
    }
}

fn too_long(role: Option<&RoleArn>) -> bool {
    role.is_some_and(|role| role.as_str().len() > MAX_ARN)
}

fn policy_error(policy: &str) -> Option<SchemaError> {
    let is_blank = |c: char| "\t\n\r ".contains(c);
    let is_legal = |c: char| is_blank(c) || ('\u{20}'..='\u{ff}').contains(&c);
    let object = policy.trim_matches(is_blank);
    if policy.chars().count() > MAX_POLICY || !policy.chars().all(is_legal) {
        return Some(SchemaError::PolicyCharacters);
    }
    let braces = object.len() > 1 && object.starts_with('{') && object.ends_with('}');
    let object = serde_json::from_str::<Map<String, Value>>(policy);
    (!braces || object.is_err()).then_some(SchemaError::PolicyForm)
}

/// Whether a `}` closes no placeholder. The template's parser has checked each `{`.
fn has_lone_brace(template: &str) -> bool {
    template.matches('{').count() != template.matches('}').count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/app";

    fn read(fields: &Value) -> Association {
        let mut spec = json!({"namespace": "shop", "serviceAccount": "app", "roleARN": ROLE});
        for (name, value) in fields.as_object().unwrap() {
            spec[name] = value.clone();
        }
        Association::read_object("shop.app", &spec).unwrap()
    }

    fn errors(fields: &Value) -> Vec<String> {
        read(fields).schema_errors().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_the_schema_accepts_has_no_error() {
        for fields in [
            json!({}),
            json!({"targetRoleARN": ROLE, "externalID": "shop", "durationSeconds": 3540}),
            json!({"durationSeconds": 43200, "sessionName": "{pod.name}.x"}),
            json!({"policy": "{}", "disableSessionTags": true, "podTags": false}),
            json!({"policy": "\t\r\n {\"a\":\"\u{ff}\"} \n", "disableSessionTags": true}),
            json!({"podTags": true, "notBefore": "9999-12-30T00:00:00Z"}),
        ] {
            assert_eq!(errors(&fields), [""; 0], "{fields}");
        }
    }

    #[test]
    fn each_rule_between_fields_has_its_error() {
        let chinese = "arn:aws-cn:iam::444455556666:role/t";
        let long = format!("{{\"a\":\"{}\"}}", "a".repeat(2041));
        assert_eq!(long.len(), 2049);
        let tagged = |policy: &str| json!({"policy": policy, "disableSessionTags": true});
        let characters = SchemaError::PolicyCharacters;
        for (fields, error) in [
            (json!({"externalID": "shop"}), SchemaError::ExternalIdWithoutTarget),
            (json!({"policy": "{}"}), SchemaError::PolicyWithTags),
            (json!({"podTags": true, "disableSessionTags": true}), SchemaError::PodTagsWithoutTags),
            (json!({"targetRoleARN": ROLE, "durationSeconds": 3541}), SchemaError::ChainedDuration),
            (json!({"targetRoleARN": chinese}), SchemaError::Partitions),
            (json!({"sessionName": "a}b"}), SchemaError::SessionName),
            (json!({"notBefore": "-000001-01-01T00:00:00Z"}), SchemaError::NotBefore),
            (tagged(&long), characters.clone()),
            (tagged("{\"a\":\"\u{100}\"}"), characters.clone()),
            (tagged("{\"a\":\"\u{1}\"}"), characters),
            (tagged("{}}"), SchemaError::PolicyForm),
            (tagged("[]"), SchemaError::PolicyForm),
            (tagged(""), SchemaError::PolicyForm),
            (tagged("{"), SchemaError::PolicyForm),
        ] {
            assert_eq!(read(&fields).schema_errors(), [error], "{fields}");
        }
        let all = errors(&json!({"externalID": "shop", "policy": "[]"}));
        assert_eq!(
            all,
            [
                "externalID needs targetRoleARN",
                "policy needs disableSessionTags: true",
                "policy: it is not a JSON object"
            ]
        );
    }

    #[test]
    fn names_and_arns_have_the_schemas_lengths() {
        let longest = |service_account: usize| {
            let name = "a".repeat(service_account);
            let spec = json!({"namespace": "n", "serviceAccount": name, "roleARN": ROLE});
            Association::read_object(&format!("n.{name}"), &spec).unwrap().schema_errors()
        };
        assert_eq!(longest(251), []);
        assert_eq!(longest(252), [SchemaError::NameTooLong]);
        let role = |letters: usize| {
            let arn = format!("arn:aws-{}:iam::111122223333:role/app", "a".repeat(letters));
            let mut association = read(&json!({}));
            let length = arn.len();
            association.role = Some(arn.parse().unwrap());
            (length, association.schema_errors())
        };
        assert_eq!(role(2013), (2048, vec![]));
        assert_eq!(role(2014), (2049, vec![SchemaError::ArnTooLong("roleARN")]));
        let none = Association { role: None, ..read(&json!({})) };
        assert_eq!(none.schema_errors(), [SchemaError::NoRole]);
    }

    #[test]
    fn a_spec_is_what_is_read() {
        let spec = json!({"namespace": "shop", "serviceAccount": "app", "roleARN": ROLE,
            "targetRoleARN": ROLE, "externalID": "shop/app", "disableSessionTags": true,
            "podTags": false, "policy": "{}\n", "durationSeconds": 900,
            "sessionName": "{pod.name}.x", "notBefore": "2026-11-30T12:00:00Z"});
        assert_eq!(read(&spec).spec(), spec);
        assert_eq!(read(&json!({"disableSessionTags": false})).spec(), read(&json!({})).spec());
    }
}
