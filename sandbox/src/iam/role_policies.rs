//! IAM operations on a role's inline policies, and lists that are always empty here.

use serde::Serialize;

use super::{
    context::{IamContext, Outcome},
    error::IamError,
    input::Input,
    page::{PageEnd, page},
    roles::{changed, find, find_mut},
    xml::{self, Members, ResultXml},
};
use crate::policy::IdentityPolicy;

/// Maximum characters of all inline policies of a role, without whitespace.
const POLICIES_SIZE: usize = 10_240;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct RolePolicyXml<'a> {
    role_name: &'a str,
    policy_name: &'a str,
    policy_document: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyNamesXml<'a> {
    policy_names: Members<&'a str>,
    #[serde(flatten)]
    end: PageEnd,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AttachedPoliciesXml {
    attached_policies: Members<()>,
    is_truncated: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceProfilesXml {
    instance_profiles: Members<()>,
    is_truncated: bool,
}

pub(super) fn put(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let (name, text) = (input.policy_name()?, input.document("PolicyDocument")?);
    let policy = IdentityPolicy::read(text).map_err(|error| IamError::Policy(error.to_string()))?;
    let role = find_mut(context, input.role_name()?)?;
    let others = role.policies.iter().filter(|(other, _)| *other != name);
    let size: usize = others.map(|(_, policy)| size(policy.text())).sum();
    if size + self::size(text) > POLICIES_SIZE {
        return Err(IamError::Limit { quota: "size of a role's policies", most: POLICIES_SIZE });
    }
    role.policies.insert(name.to_owned(), policy);
    changed(context, input, ResultXml::empty())
}

pub(super) fn get(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let (role_name, policy_name) = (input.role_name()?, input.policy_name()?);
    let policy = find(context, role_name)?.policies.get(policy_name);
    let policy = policy.ok_or_else(|| IamError::NoRolePolicy(policy_name.to_owned()))?;
    let policy_document = xml::encoded(policy.text());
    Ok(context.result(&RolePolicyXml { role_name, policy_name, policy_document }).into())
}

pub(super) fn delete(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let name = input.policy_name()?;
    let gone = find_mut(context, input.role_name()?)?.policies.remove(name);
    gone.ok_or_else(|| IamError::NoRolePolicy(name.to_owned()))?;
    changed(context, input, ResultXml::empty())
}

pub(super) fn list(context: &mut IamContext<'_>, input: &Input<'_>) -> Result<Outcome, IamError> {
    let names = find(context, input.role_name()?)?.policies.keys().map(String::as_str);
    let page = page(input, names, |name| name)?;
    Ok(context
        .result(&PolicyNamesXml { policy_names: Members::of(page.items), end: page.end })
        .into())
}

/// The sandbox has no managed policies.
pub(super) fn list_attached(
    context: &mut IamContext<'_>,
    input: &Input<'_>,
) -> Result<Outcome, IamError> {
    find(context, input.role_name()?)?;
    let none = AttachedPoliciesXml { attached_policies: Members::of([]), is_truncated: false };
    Ok(context.result(&none).into())
}

/// The sandbox has no instance profiles.
pub(super) fn list_instance_profiles(
    context: &mut IamContext<'_>,
    input: &Input<'_>,
) -> Result<Outcome, IamError> {
    find(context, input.role_name()?)?;
    let none = InstanceProfilesXml { instance_profiles: Members::of([]), is_truncated: false };
    Ok(context.result(&none).into())
}

fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}
