//! The association list: the flag --associations and the chart's value `associations`.

use podrole_identity::{Association, RoleArn, SessionNameTemplate};
use serde_json::{Map, Value, json};

/// The list as JSON.
pub(super) fn text(all: &[Association]) -> String {
    let identities: Vec<Value> = all.iter().map(identity).collect();
    format!("{:#}\n", json!({ "identities": identities }))
}

fn identity(association: &Association) -> Value {
    let text = |value: &Option<String>| value.clone().map(Value::from);
    let arn = |role: &Option<RoleArn>| role.as_ref().map(|role| role.as_str().into());
    let session_name = association.session_name.as_ref().map(SessionNameTemplate::as_str);
    let fields = [
        ("namespace", Some(association.service_account.namespace().into())),
        ("serviceAccount", Some(association.service_account.name().into())),
        ("roleArn", arn(&association.role)),
        ("targetRoleArn", arn(&association.target_role)),
        ("externalId", text(&association.external_id)),
        ("disableSessionTags", association.disable_session_tags.then_some(true.into())),
        ("policy", text(&association.policy)),
        ("durationSeconds", association.duration_seconds.map(Value::from)),
        ("sessionName", session_name.map(Value::from)),
    ];
    let set = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(set.collect::<Map<_, _>>())
}
