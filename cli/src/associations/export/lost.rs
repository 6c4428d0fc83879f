//! What a form cannot hold.

use podrole_identity::Association;

/// What is lost, as the part of a sentence that names the field and the consequence.
pub(super) fn in_format(association: &Association, is_list: bool) -> Vec<String> {
    let mut lost = Vec::new();
    let mut lose = |is_set: bool, field: &str, consequence: &str| {
        if is_set {
            lost.push(format!("{field} is lost: {consequence}"));
        }
    };
    if !is_list {
        let eks =
            "EKS sends an external ID of its own; the trust policy of the target must name it";
        lose(association.external_id.is_some(), "externalID", eks);
        let duration = "EKS chooses how long a session is";
        lose(association.duration_seconds.is_some(), "durationSeconds", duration);
        lose(association.session_name.is_some(), "sessionName", "EKS names the sessions");
    }
    let tags = "the exchange decides whether session tags name the pod";
    lose(association.pod_tags.is_some(), "podTags", tags);
    let revoked = "sessions from before that time are served again";
    lose(association.not_before.is_some(), "notBefore", revoked);
    lost
}
