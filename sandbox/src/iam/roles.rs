//! Roles: made, read, changed, deleted.

use podrole_identity::RoleArn;
use serde::Serialize;

use super::{
    answer::{self, Document, Members},
    change::Change,
    context::{Desk, Done},
    fault::IamFault,
    input::Input,
    page::{End, page},
    tags::{self, TagXml},
};
use crate::{accounts::Role, policy::Policy, random};

const DEFAULT_SESSION: u32 = 3600;
/// Characters of a trust policy, without blanks.
const TRUST_SIZE: usize = 2048;
const MOST_ROLES: usize = 1000;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct One<'a> {
    role: RoleXml<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Many<'a> {
    roles: Members<RoleXml<'a>>,
    #[serde(flatten)]
    end: End,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagPage<'a> {
    tags: Members<TagXml<'a>>,
    #[serde(flatten)]
    end: End,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleXml<'a> {
    path: &'a str,
    role_name: &'a str,
    role_id: String,
    arn: &'a str,
    create_date: String,
    assume_role_policy_document: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    max_session_duration: u32,
    /// Lists of roles leave it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Members<TagXml<'a>>>,
    /// Empty: no role of the sandbox is known to have been used.
    #[serde(skip_serializing_if = "Option::is_none")]
    role_last_used: Option<Empty>,
}

#[derive(Serialize)]
struct Empty {}

impl<'a> RoleXml<'a> {
    fn listed(role: &'a Role) -> Self {
        Self {
            path: path(&role.arn),
            role_name: role.arn.name(),
            role_id: random::role_id(role.arn.as_str()),
            arn: role.arn.as_str(),
            create_date: answer::time(role.created),
            assume_role_policy_document: answer::encoded(role.trust_policy.text()),
            description: role.description.as_deref(),
            max_session_duration: role.max_session_duration,
            tags: None,
            role_last_used: None,
        }
    }

    fn whole(role: &'a Role) -> Self {
        let tags = (!role.tags.is_empty()).then(|| tags::xml(&role.tags));
        Self { tags, role_last_used: Some(Empty {}), ..Self::listed(role) }
    }
}

/// The path in a role's ARN: what is between `role` and the name.
fn path(arn: &RoleArn) -> &str {
    let resource = arn.as_str().split_once(":role").map_or("/", |(_, resource)| resource);
    resource.strip_suffix(arn.name()).unwrap_or("/")
}

pub(super) fn create(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let name = input.role_name()?;
    let mut role = Role::new(
        arn(desk, input.path()?, name)?,
        trust_policy(input, "AssumeRolePolicyDocument")?,
    );
    role.description = input.description()?;
    role.max_session_duration = input.max_session_duration()?.unwrap_or(DEFAULT_SESSION);
    role.tags = tags::read(input)?;
    role.created = desk.now;
    let account = desk.caller.account.as_str();
    // Names that differ in case only are the same to IAM.
    if desk.accounts.roles(account).any(|one| one.arn.name().eq_ignore_ascii_case(name)) {
        return Err(IamFault::RoleExists(name.to_owned()));
    }
    if desk.accounts.roles(account).count() >= MOST_ROLES {
        return Err(IamFault::Limit { quota: "RolesPerAccount", most: MOST_ROLES });
    }
    let document = desk.result(&One { role: RoleXml::whole(&role) });
    desk.accounts.put_role(role).map_err(|fault| IamFault::Input(fault.to_string()))?;
    Ok(Done::changed(document, change(desk, name)))
}

pub(super) fn get(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let role = find(desk, input.role_name()?)?;
    Ok(desk.result(&One { role: RoleXml::whole(role) }).into())
}

pub(super) fn list(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let prefix = input.get("PathPrefix").unwrap_or("/");
    let roles = desk.accounts.roles(&desk.caller.account);
    let roles = roles.filter(|role| path(&role.arn).starts_with(prefix));
    let page = page(input, roles, |role| role.arn.name())?;
    let roles = Members::of(page.items.into_iter().map(RoleXml::listed));
    Ok(desk.result(&Many { roles, end: page.end }).into())
}

/// A duration that is not given is an hour again, as IAM documents.
pub(super) fn update(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let (description, duration) = (input.description()?, input.max_session_duration()?);
    let role = find_mut(desk, input.role_name()?)?;
    role.max_session_duration = duration.unwrap_or(DEFAULT_SESSION);
    if description.is_some() {
        role.description = description;
    }
    // UpdateRole is the one change whose answer has an empty result.
    changed(desk, input, desk.result(&Empty {}))
}

pub(super) fn describe(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let description = input.description()?;
    find_mut(desk, input.role_name()?)?.description = description;
    let document = desk.result(&One { role: RoleXml::whole(find(desk, input.role_name()?)?) });
    changed(desk, input, document)
}

pub(super) fn update_trust(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let policy = trust_policy(input, "PolicyDocument")?;
    find_mut(desk, input.role_name()?)?.trust_policy = policy;
    changed(desk, input, Document::empty())
}

pub(super) fn delete(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let name = input.role_name()?;
    if !find(desk, name)?.policies.is_empty() {
        return Err(IamFault::RoleInUse);
    }
    desk.accounts.remove_role(&desk.caller.account, name);
    changed(desk, input, Document::empty())
}

pub(super) fn tag(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let new = tags::read(input)?;
    tags::merge(&mut find_mut(desk, input.role_name()?)?.tags, &new)?;
    changed(desk, input, Document::empty())
}

pub(super) fn untag(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    tags::remove(&mut find_mut(desk, input.role_name()?)?.tags, input);
    changed(desk, input, Document::empty())
}

pub(super) fn list_tags(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let role = find(desk, input.role_name()?)?;
    let page = page(input, role.tags.iter(), |(key, _)| key)?;
    let tags = Members::of(page.items.into_iter().map(|(key, value)| TagXml { key, value }));
    Ok(desk.result(&TagPage { tags, end: page.end }).into())
}

/// The role of that name in the caller's account.
pub(super) fn find<'a>(desk: &'a Desk<'_>, name: &str) -> Result<&'a Role, IamFault> {
    let role = desk.accounts.role_named(&desk.caller.account, name);
    role.ok_or_else(|| IamFault::NoRole(name.to_owned()))
}

/// The role of that name in the caller's account, to be changed.
pub(super) fn find_mut<'a>(desk: &'a mut Desk<'_>, name: &str) -> Result<&'a mut Role, IamFault> {
    let role = desk.accounts.role_mut(&desk.caller.account, name);
    role.ok_or_else(|| IamFault::NoRole(name.to_owned()))
}

/// The answer of a change of the role that the call names.
pub(super) fn changed(
    desk: &Desk<'_>,
    input: &Input<'_>,
    document: Document,
) -> Result<Done, IamFault> {
    Ok(Done::changed(document, change(desk, input.role_name()?)))
}

fn change(desk: &Desk<'_>, name: &str) -> Change {
    Change::Role { account: desk.caller.account.clone(), name: name.to_owned() }
}

fn arn(desk: &Desk<'_>, path: &str, name: &str) -> Result<RoleArn, IamFault> {
    let (partition, account) = (&desk.caller.partition, &desk.caller.account);
    let arn = format!("arn:{partition}:iam::{account}:role{path}{name}").parse();
    arn.map_err(|fault| IamFault::Input(format!("Path: {fault}")))
}

fn trust_policy(input: &Input<'_>, parameter: &str) -> Result<Policy, IamFault> {
    let text = input.document(parameter)?;
    if text.chars().filter(|c| !c.is_whitespace()).count() > TRUST_SIZE {
        return Err(IamFault::Limit { quota: "ACLSizePerRole", most: TRUST_SIZE });
    }
    Policy::read(text).map_err(|fault| IamFault::Policy(fault.to_string()))
}
