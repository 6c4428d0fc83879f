//! The IAM operations that the sandbox supports.

use super::{
    context::{IamContext, Outcome},
    error::IamError,
    input::Input,
    providers, role_policies, roles,
};

/// Performs a call of an authenticated caller.
pub(super) type IamOperation = fn(&mut IamContext<'_>, &Input<'_>) -> Result<Outcome, IamError>;

/// All operations by AWS's names.
pub(super) const OPERATIONS: [(&str, IamOperation); 25] = [
    ("CreateRole", roles::create),
    ("GetRole", roles::get),
    ("ListRoles", roles::list),
    ("UpdateRole", roles::update),
    ("UpdateRoleDescription", roles::describe),
    ("UpdateAssumeRolePolicy", roles::update_trust),
    ("DeleteRole", roles::delete),
    ("TagRole", roles::tag),
    ("UntagRole", roles::untag),
    ("ListRoleTags", roles::list_tags),
    ("PutRolePolicy", role_policies::put),
    ("GetRolePolicy", role_policies::get),
    ("DeleteRolePolicy", role_policies::delete),
    ("ListRolePolicies", role_policies::list),
    ("ListAttachedRolePolicies", role_policies::list_attached),
    ("ListInstanceProfilesForRole", role_policies::list_instance_profiles),
    ("CreateOpenIDConnectProvider", providers::create),
    ("GetOpenIDConnectProvider", providers::get),
    ("ListOpenIDConnectProviders", providers::list),
    ("DeleteOpenIDConnectProvider", providers::delete),
    ("AddClientIDToOpenIDConnectProvider", providers::add_client_id),
    ("RemoveClientIDFromOpenIDConnectProvider", providers::remove_client_id),
    ("UpdateOpenIDConnectProviderThumbprint", providers::update_thumbprint),
    ("TagOpenIDConnectProvider", providers::tag),
    ("UntagOpenIDConnectProvider", providers::untag),
];
