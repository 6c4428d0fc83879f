//! A role's inline policies; and the lists that are always empty here.

use serde::Serialize;

use super::{
    answer::{self, Document, Members},
    context::{Desk, Done},
    fault::IamFault,
    input::Input,
    page::{End, page},
    roles::{changed, find, find_mut},
};
use crate::policy::IdentityPolicy;

/// Characters of all inline policies of a role, without blanks.
const POLICIES_SIZE: usize = 10_240;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct One<'a> {
    role_name: &'a str,
    policy_name: &'a str,
    policy_document: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Names<'a> {
    policy_names: Members<&'a str>,
    #[serde(flatten)]
    end: End,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Attached {
    attached_policies: Members<()>,
    is_truncated: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct InstanceProfiles {
    instance_profiles: Members<()>,
    is_truncated: bool,
}

pub(super) fn put(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let (name, text) = (input.policy_name()?, input.document("PolicyDocument")?);
    let policy = IdentityPolicy::read(text).map_err(|fault| IamFault::Policy(fault.to_string()))?;
    let role = find_mut(desk, input.role_name()?)?;
    let others = role.policies.iter().filter(|(other, _)| *other != name);
    let size: usize = others.map(|(_, policy)| size(policy.text())).sum();
    if size + self::size(text) > POLICIES_SIZE {
        return Err(IamFault::Limit { quota: "size of a role's policies", most: POLICIES_SIZE });
    }
    role.policies.insert(name.to_owned(), policy);
    changed(desk, input, Document::empty())
}

pub(super) fn get(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let (role_name, policy_name) = (input.role_name()?, input.policy_name()?);
    let policy = find(desk, role_name)?.policies.get(policy_name);
    let policy = policy.ok_or_else(|| IamFault::NoRolePolicy(policy_name.to_owned()))?;
    let policy_document = answer::encoded(policy.text());
    Ok(desk.result(&One { role_name, policy_name, policy_document }).into())
}

pub(super) fn delete(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let name = input.policy_name()?;
    let gone = find_mut(desk, input.role_name()?)?.policies.remove(name);
    gone.ok_or_else(|| IamFault::NoRolePolicy(name.to_owned()))?;
    changed(desk, input, Document::empty())
}

pub(super) fn list(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    let names = find(desk, input.role_name()?)?.policies.keys().map(String::as_str);
    let page = page(input, names, |name| name)?;
    Ok(desk.result(&Names { policy_names: Members::of(page.items), end: page.end }).into())
}

/// There are no managed policies here.
pub(super) fn list_attached(desk: &mut Desk<'_>, input: &Input<'_>) -> Result<Done, IamFault> {
    find(desk, input.role_name()?)?;
    let none = Attached { attached_policies: Members::of([]), is_truncated: false };
    Ok(desk.result(&none).into())
}

/// There are no instances here.
pub(super) fn list_instance_profiles(
    desk: &mut Desk<'_>,
    input: &Input<'_>,
) -> Result<Done, IamFault> {
    find(desk, input.role_name()?)?;
    let none = InstanceProfiles { instance_profiles: Members::of([]), is_truncated: false };
    Ok(desk.result(&none).into())
}

fn size(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}
