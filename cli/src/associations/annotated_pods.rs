//! Pods by ServiceAccount, with the roles that kube2iam and kiam give them by annotation.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use podrole_identity::{RoleArn, ServiceAccountRef, SessionName};
use serde_json::json;

use super::{
    base_role_arn::BaseRoleArn,
    checked::Checked,
    entry::Entry,
    place::{InputError, Place},
};

/// The role: an ARN, or a name with or without a path.
pub(super) const ROLE: &str = "iam.amazonaws.com/role";
pub(super) const EXTERNAL_ID: &str = "iam.amazonaws.com/external-id";
pub(super) const SESSION_NAME: &str = "iam.amazonaws.com/session-name";

/// Pods without the annotation that a sentence names; the rest is counted.
const SHOWN_PODS: usize = 3;
/// Roles that an error names; the rest is counted.
const SHOWN_ROLES: usize = 5;
/// Characters of an annotation that a sentence shows.
const SHOWN_CHARACTERS: usize = 100;
/// The ServiceAccount of a pod that names none.
pub(super) const DEFAULT: &str = "default";

/// What the annotations of a pod, or of a workload's pod template, say.
#[derive(Debug)]
pub(super) struct PodRole {
    /// The annotation's place.
    pub(super) place: Place,
    /// Kind and name: `Deployment web`.
    pub(super) object: String,
    /// The annotation's text.
    pub(super) role: String,
    pub(super) external_id: Option<String>,
    pub(super) session_name: Option<String>,
}

/// All pods and pod templates of the inputs.
#[derive(Debug, Default)]
pub(super) struct AnnotatedPods {
    by_service_account: BTreeMap<ServiceAccountRef, Group>,
}

/// The pods of a ServiceAccount.
#[derive(Debug, Default)]
struct Group {
    /// The first pod of each text of the annotation, in the order of the input.
    roles: Vec<PodRole>,
    /// These texts.
    texts: HashSet<String>,
    external_ids: BTreeSet<String>,
    /// `None` for a pod without the annotation of that name.
    session_names: BTreeSet<Option<String>>,
    /// The first pods without a role.
    without: Vec<String>,
    without_count: usize,
}

/// What the pods of a ServiceAccount become.
pub(super) struct Imported {
    pub(super) checked: Result<Checked, Vec<InputError>>,
    /// What a user must know before the association is applied.
    pub(super) note: Option<String>,
}

impl AnnotatedPods {
    pub(super) fn add(&mut self, service_account: ServiceAccountRef, pod: PodRole) {
        let group = self.by_service_account.entry(service_account).or_default();
        group.external_ids.extend(pod.external_id.clone());
        group.session_names.insert(pod.session_name.clone());
        if group.texts.insert(pod.role.clone()) {
            group.roles.push(pod);
        }
    }

    /// Adds a pod without the annotation: kind and name.
    pub(super) fn add_without_role(&mut self, service_account: ServiceAccountRef, object: &str) {
        let group = self.by_service_account.entry(service_account).or_default();
        group.without_count += 1;
        if group.without.len() < SHOWN_PODS {
            group.without.push(object.to_owned());
        }
    }

    /// Whether there are pods, and none has a role.
    pub(super) fn is_without_roles(&self) -> bool {
        let mut groups = self.by_service_account.values();
        !self.by_service_account.is_empty() && groups.all(|group| group.roles.is_empty())
    }

    /// An association for each ServiceAccount with annotated pods.
    pub(super) fn import(self, base: Option<&BaseRoleArn>) -> impl Iterator<Item = Imported> {
        let groups = self.by_service_account.into_iter();
        let groups = groups.filter(|(_, group)| !group.roles.is_empty());
        groups.map(move |(service_account, group)| group.import(service_account, base))
    }
}

impl Group {
    fn import(self, service_account: ServiceAccountRef, base: Option<&BaseRoleArn>) -> Imported {
        let (role, place) = match self.role(&service_account, base) {
            Ok(found) => found,
            Err(errors) => return Imported { checked: Err(errors), note: None },
        };
        let mut comments = Vec::new();
        let shared = self.shared_with();
        let note = shared.as_ref().map(|it| format!("{place}: {service_account}: {it}"));
        comments.extend(shared);
        if service_account.name() == DEFAULT {
            let namespace = service_account.namespace();
            comments.push(format!(
                "every pod of {namespace} that names no ServiceAccount has {DEFAULT}, and gets this role"
            ));
        }
        comments.extend(self.external_ids.iter().map(|id| {
            format!(
                "not imported: {EXTERNAL_ID}: {}; the statement that trusts podrole must not \
                 require sts:ExternalId",
                quoted(id)
            )
        }));
        let session_name = self.session_name(&mut comments);
        let spec = json!({ "roleARN": role.to_string(), "sessionName": session_name });
        let eks_names = [None, None];
        let checked = Checked::of(Entry { place, service_account, spec, eks_names, comments });
        Imported { checked, note }
    }

    /// The only role, and where it is first.
    fn role(
        &self,
        of: &ServiceAccountRef,
        base: Option<&BaseRoleArn>,
    ) -> Result<(RoleArn, Place), Vec<InputError>> {
        let (mut roles, mut errors) = (Vec::new(), Vec::new());
        // A name and an ARN may be the same role.
        let mut known = HashSet::new();
        for pod in &self.roles {
            match pod.arn(base) {
                Ok(role) if known.insert(role.clone()) => roles.push((role, pod)),
                Ok(_) => {}
                Err(error) => {
                    let what = format!("{of}: {}: {ROLE}: {error}", pod.object);
                    errors.push(InputError::new(&pod.place, what));
                }
            }
        }
        if let [_, (_, second), ..] = roles[..] {
            errors.push(InputError::new(&second.place, format!("{of}: {}", conflict(&roles))));
        }
        match roles.pop() {
            Some((role, pod)) if errors.is_empty() => Ok((role, pod.place.clone())),
            _ => Err(errors),
        }
    }

    /// Names the pods that get a role by the association only.
    fn shared_with(&self) -> Option<String> {
        let more = self.without_count.checked_sub(self.without.len())?;
        if self.without.is_empty() {
            return None;
        }
        let more = and_more(more);
        let pods = self.without.join(", ");
        Some(format!("pods without the annotation {ROLE} get this role too: {pods}{more}"))
    }

    /// The session name, if it is that of all pods with a role.
    fn session_name(&self, comments: &mut Vec<String>) -> Option<String> {
        let names: Vec<&String> = self.session_names.iter().flatten().collect();
        if let ([name], 1) = (&names[..], self.session_names.len())
            && name.parse::<SessionName>().is_ok()
        {
            return Some((*name).clone());
        }
        let shown: Vec<String> = names.iter().take(SHOWN_PODS).map(|it| quoted(it)).collect();
        if !shown.is_empty() {
            let shown = shown.join(", ");
            let why = "only a valid name that all pods of the ServiceAccount have is kept";
            comments.push(format!("not imported: {SESSION_NAME}: {shown}; {why}"));
        }
        None
    }
}

impl PodRole {
    /// The role's ARN, or why it is none.
    fn arn(&self, base: Option<&BaseRoleArn>) -> Result<RoleArn, String> {
        let text = &self.role;
        if text.trim() != text {
            return Err(format!("{}: remove the blanks around it", quoted(text)));
        }
        match base {
            _ if text.starts_with("arn:") => text.parse(),
            Some(base) => base.join(text).parse(),
            None => {
                return Err(format!(
                    "{} is not an ARN; run `podrole associations import` with \
                     --base-role-arn arn:aws:iam::<account>:role/",
                    quoted(text)
                ));
            }
        }
        .map_err(|error| format!("{}: {error}", quoted(text)))
    }
}

/// A text of an annotation, which may be long.
fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        Some((end, _)) => format!("{:?}...", &text[..end]),
        None => format!("{text:?}"),
    }
}

/// Says how many a list leaves out, if any.
fn and_more(count: usize) -> String {
    if count > 0 { format!(" and {count} more") } else { String::new() }
}

/// Says which pods name which roles, and what to do.
fn conflict(roles: &[(RoleArn, &PodRole)]) -> String {
    let shown = roles.iter().take(SHOWN_ROLES);
    let shown = shown.map(|(role, pod)| format!("{role} ({}, {})", pod.object, pod.place));
    let shown = shown.collect::<Vec<_>>().join(", ");
    let more = and_more(roles.len().saturating_sub(SHOWN_ROLES));
    format!(
        "its pods name {} roles: {shown}{more}; an association is for all pods of a ServiceAccount, \
         so give one of the workloads its own ServiceAccount",
        roles.len()
    )
}
