//! IAM operations on roles.

use podrole_identity::RoleArn;
use serde::Serialize;

use super::{
    change::Change,
    context::{IamContext, Outcome},
    error::IamError,
    input::Input,
    page::{PageEnd, page},
    tags::{self, TagXml},
    xml::{self, Members, ResultXml},
};
use crate::{accounts::Role, policy::Policy, random};

const DEFAULT_SESSION: u32 = 3600;
/// Maximum characters of a trust policy, without whitespace.
const TRUST_SIZE: usize = 2048;
const MOST_ROLES: usize = 1000;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleResult<'a> {
    role: RoleXml<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RoleListXml<'a> {
    roles: Members<RoleXml<'a>>,
    #[serde(flatten)]
    end: PageEnd,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct TagListXml<'a> {
    tags: Members<TagXml<'a>>,
    #[serde(flatten)]
    end: PageEnd,
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
    /// Left out in lists of roles.
    #[serde(skip_serializing_if = "Option::is_none")]
    tags: Option<Members<TagXml<'a>>>,
    /// Always empty: the sandbox does not record when a role was used.
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
            create_date: xml::time(role.created),
            assume_role_policy_document: xml::encoded(role.trust_policy.text()),
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

/// The path in a role's ARN: the part between `role` and the name.
fn path(arn: &RoleArn) -> &str {
    let resource = arn.as_str().split_once(":role").map_or("/", |(_, resource)| resource);
    resource.strip_suffix(arn.name()).unwrap_or("/")
}

pub(super) fn create(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let name = input.role_name()?;
    let mut role = Role::new(
        arn(context, input.path()?, name)?,
        trust_policy(input, "AssumeRolePolicyDocument")?,
    );
    role.description = input.description()?;
    role.max_session_duration = input.max_session_duration()?.unwrap_or(DEFAULT_SESSION);
    role.tags = tags::read(input)?;
    role.created = context.now;
    let account = context.caller.account.as_str();
    // IAM compares names case-insensitively here.
    if context.accounts.roles(account).any(|one| one.arn.name().eq_ignore_ascii_case(name)) {
        return Err(IamError::RoleExists(name.to_owned()));
    }
    if context.accounts.roles(account).count() >= MOST_ROLES {
        return Err(IamError::Limit { quota: "RolesPerAccount", most: MOST_ROLES });
    }
    let document = context.result(&RoleResult { role: RoleXml::whole(&role) });
    context.accounts.put_role(role).map_err(|error| IamError::Input(error.to_string()))?;
    Ok(Outcome::changed(document, change(context, name)))
}

pub(super) fn get(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let role = find(context, input.role_name()?)?;
    Ok(context.result(&RoleResult { role: RoleXml::whole(role) }).into())
}

pub(super) fn list(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let prefix = input.get("PathPrefix").unwrap_or("/");
    let roles = context.accounts.roles(&context.caller.account);
    let roles = roles.filter(|role| path(&role.arn).starts_with(prefix));
    let page = page(input, roles, |role| role.arn.name())?;
    let roles = Members::of(page.items.into_iter().map(RoleXml::listed));
    Ok(context.result(&RoleListXml { roles, end: page.end }).into())
}

/// Without a duration the role's is reset to one hour, as IAM documents.
pub(super) fn update(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let (description, duration) = (input.description()?, input.max_session_duration()?);
    let role = find_mut(context, input.role_name()?)?;
    role.max_session_duration = duration.unwrap_or(DEFAULT_SESSION);
    if description.is_some() {
        role.description = description;
    }
    // Unlike other changes, UpdateRole responds with an empty result element.
    changed(context, input, context.result(&Empty {}))
}

pub(super) fn describe(
    context: &mut IamContext<'_>,
    input: &Input<'_>,
) -> Result<Outcome, IamError> {
    let description = input.description()?;
    find_mut(context, input.role_name()?)?.description = description;
    let document =
        context.result(&RoleResult { role: RoleXml::whole(find(context, input.role_name()?)?) });
    changed(context, input, document)
}

pub(super) fn update_trust(
    context: &mut IamContext<'_>,
    input: &Input<'_>,
) -> Result<Outcome, IamError> {
    let policy = trust_policy(input, "PolicyDocument")?;
    find_mut(context, input.role_name()?)?.trust_policy = policy;
    changed(context, input, ResultXml::empty())
}

pub(super) fn delete(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let name = input.role_name()?;
    if !find(context, name)?.policies.is_empty() {
        return Err(IamError::RoleInUse);
    }
    context.accounts.remove_role(&context.caller.account, name);
    changed(context, input, ResultXml::empty())
}

pub(super) fn tag(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let new = tags::read(input)?;
    tags::merge(&mut find_mut(context, input.role_name()?)?.tags, &new)?;
    changed(context, input, ResultXml::empty())
}

pub(super) fn untag(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    tags::remove(&mut find_mut(context, input.role_name()?)?.tags, input);
    changed(context, input, ResultXml::empty())
}

pub(super) fn list_tags(
    context: &mut IamContext<'_>,
    input: &Input<'_>,
) -> Result<Outcome, IamError> {
    let role = find(context, input.role_name()?)?;
    let page = page(input, role.tags.iter(), |(key, _)| key)?;
    let tags = Members::of(page.items.into_iter().map(|(key, value)| TagXml { key, value }));
    Ok(context.result(&TagListXml { tags, end: page.end }).into())
}

/// The role with that name in the caller's account.
pub(super) fn find<'a>(context: &'a IamContext<'_>, name: &str) -> Result<&'a Role, IamError> {
    let role = context.accounts.role_named(&context.caller.account, name);
    role.ok_or_else(|| IamError::NoRole(name.to_owned()))
}

/// The role with that name in the caller's account, for changing it.
pub(super) fn find_mut<'a>(
    context: &'a mut IamContext<'_>,
    name: &str,
) -> Result<&'a mut Role, IamError> {
    let role = context.accounts.role_mut(&context.caller.account, name);
    role.ok_or_else(|| IamError::NoRole(name.to_owned()))
}

/// The outcome of a change of the role that the call names.
pub(super) fn changed(
    context: &IamContext<'_>,
    input: &Input<'_>,
    document: ResultXml,
) -> Result<Outcome, IamError> {
    Ok(Outcome::changed(document, change(context, input.role_name()?)))
}

fn change(context: &IamContext<'_>, name: &str) -> Change {
    Change::Role { account: context.caller.account.clone(), name: name.to_owned() }
}

fn arn(context: &IamContext<'_>, path: &str, name: &str) -> Result<RoleArn, IamError> {
    let (partition, account) = (&context.caller.partition, &context.caller.account);
    let arn = format!("arn:{partition}:iam::{account}:role{path}{name}").parse();
    arn.map_err(|error| IamError::Input(format!("Path: {error}")))
}

fn trust_policy(input: &Input<'_>, parameter: &str) -> Result<Policy, IamError> {
    let text = input.document(parameter)?;
    if text.chars().filter(|c| !c.is_whitespace()).count() > TRUST_SIZE {
        return Err(IamError::Limit { quota: "ACLSizePerRole", most: TRUST_SIZE });
    }
    Policy::read(text).map_err(|error| IamError::Policy(error.to_string()))
}
