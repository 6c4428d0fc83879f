//! What a role's trust policy alone says to a call, with the condition keys that this sandbox's STS and
//! EKS Auth set. For tools that explain a policy, which know the caller but not its account.

use jiff::Timestamp;
use podrole_identity::{POD_IDENTITY_AUDIENCE, RoleArn, SessionName};

use crate::{
    accounts::{Accounts, ClusterArn, Identity, Role, UserArn},
    eks_auth::role::cluster_keys,
    policy::{
        Context, Effect, Policy, Principal, Request, UndecidedStatement, Verdict, evaluate,
        is_modelled, undecided,
    },
    sts::{
        caller::{Caller, ExternalPrincipal},
        role_step::{self, RoleStep, SessionLength},
        session_policies::SessionPolicies,
        session_tags::SessionTags,
        web_identity::token_keys,
    },
};

/// The caller of a call.
#[derive(Clone, Copy, Debug)]
pub enum TrustCaller<'a> {
    /// A pod with its token.
    WebIdentity {
        /// The URL in the token's `iss`.
        issuer: &'a str,
        /// The token's `sub`.
        subject: &'a str,
        /// The token's `aud`.
        audiences: &'a [String],
    },
    /// A session of a role.
    Role(&'a RoleArn),
    /// A user.
    User(&'a UserArn),
    /// EKS Pod Identity, for this cluster if it is known.
    EksAuth(Option<&'a ClusterArn>),
}

/// A session tag of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustTag {
    /// Its key.
    pub key: String,
    /// Its value. `None` if only its key is known.
    pub value: Option<String>,
}

/// A call that assumes a role.
#[derive(Clone, Copy, Debug)]
pub struct TrustCall<'a> {
    /// The caller.
    pub caller: TrustCaller<'a>,
    /// The role.
    pub role: &'a RoleArn,
    /// The session tags, all of them transitive.
    pub tags: &'a [TrustTag],
    /// The external id.
    pub external_id: Option<&'a str>,
}

/// What the policy says to one action of the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustAnswer {
    /// For example `sts:TagSession`.
    pub action: &'static str,
    /// The verdict, if keys without a value are missing in the call.
    pub verdict: Verdict,
    /// Statements that apply or not depending on keys whose values are not known here.
    pub undecided: Vec<UndecidedStatement>,
}

/// STS rejects the call's session tags.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("STS does not accept the session tags")]
pub struct TrustCallError(());

/// The name of sessions whose real name is not known.
const SESSION_NAME: &str = "podrole";

/// Keys, in lower case, that a call may have with a value that is not known here.
const OPEN: [&str; 14] = [
    "aws:multifactorauthpresent",
    "aws:principalorgid",
    "aws:principaltag/",
    "aws:requestedregion",
    "aws:resourceorgid",
    "aws:resourcetag/",
    "aws:sourceidentity",
    "aws:sourceorgid",
    "aws:tokenissuetime",
    "aws:userid",
    "iam:resourcetag/",
    "sts:rolesessionname",
    "sts:sourceidentity",
    "saml:",
];

/// Evaluates the policy for each action of the call, the call's own action first.
///
/// # Errors
/// If STS rejects the session tags.
pub fn ask(
    policy: &Policy,
    call: &TrustCall<'_>,
    now: Timestamp,
) -> Result<Vec<TrustAnswer>, TrustCallError> {
    let session_name: SessionName = SESSION_NAME.parse().map_err(|_| TrustCallError(()))?;
    let caller = caller(call, &session_name);
    let step = step(call, session_name)?;
    let role = Role::new(call.role.clone(), policy.clone());
    let mut context = role_step::context(&Accounts::default(), &caller, &step, &role, now);
    // Only the sandbox makes these up.
    for key in ["aws:userid", "sts:RoleSessionName"] {
        context.set(key, None::<&str>);
    }
    let unknown = call.tags.iter().filter(|tag| tag.value.is_none());
    let unknown: Vec<String> = unknown.map(|tag| format!("aws:RequestTag/{}", tag.key)).collect();
    for key in &unknown {
        context.set(key, None::<&str>);
    }
    let is_settled = |key: &str| {
        let key = key.to_lowercase();
        let is_open = OPEN.iter().any(|open| key.starts_with(open))
            || unknown.iter().any(|one| one.to_lowercase() == key)
            || matches!(call.caller, TrustCaller::EksAuth(None)) && key.starts_with("aws:source");
        is_modelled(&key) && !is_open
    };
    let further = role_step::further_actions(&caller, &step).unwrap_or_default();
    let actions = std::iter::once(step.action).chain(further);
    let answers = actions.map(|action| {
        let request = request(caller.principal(), action, call.role, &context);
        TrustAnswer {
            action,
            verdict: evaluate(policy, &request),
            undecided: undecided(policy, &request, is_settled),
        }
    });
    Ok(answers.collect())
}

/// Whether the policy lets IAM Roles Anywhere assume the role for a trust anchor that it does not name,
/// other conditions aside.
#[must_use]
pub fn accepts_any_trust_anchor(policy: &Policy, role: &RoleArn) -> bool {
    let (partition, account) = (role.partition(), role.account());
    let any = format!("arn:{partition}:rolesanywhere:any-region:{account}:trust-anchor/any");
    let context = Context::default().with("aws:SourceArn", [any]);
    let principal = Principal::Service("rolesanywhere.amazonaws.com");
    let request = request(principal, "sts:AssumeRole", role, &context);
    let allows = |one: &UndecidedStatement| one.effect == Effect::Allow;
    matches!(evaluate(policy, &request), Verdict::Allowed { .. })
        || undecided(policy, &request, |_| false).iter().any(allows)
}

fn request<'a>(
    principal: Principal<'a>,
    action: &'a str,
    role: &'a RoleArn,
    context: &'a Context,
) -> Request<'a> {
    Request { principal, action, resource: role.as_str(), context }
}

fn caller(call: &TrustCall<'_>, session_name: &SessionName) -> Caller {
    match call.caller {
        TrustCaller::WebIdentity { issuer, subject, audiences } => {
            let issuer = issuer.split_once("://").map_or(issuer, |(_, rest)| rest);
            let (partition, account) = (call.role.partition(), call.role.account());
            let provider = format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}");
            let keys = token_keys(issuer, &provider, subject, audiences);
            Caller::external(ExternalPrincipal::Federated(provider), keys)
        }
        TrustCaller::Role(role) => Caller::known_by_name(Identity::session(role, session_name)),
        TrustCaller::User(user) => Caller::known_by_name(Identity::user(user)),
        TrustCaller::EksAuth(cluster) => {
            let keys = cluster.map_or_else(Context::default, cluster_keys);
            Caller::external(ExternalPrincipal::Service(POD_IDENTITY_AUDIENCE), keys)
        }
    }
}

fn step(call: &TrustCall<'_>, session_name: SessionName) -> Result<RoleStep, TrustCallError> {
    let tags =
        call.tags.iter().map(|tag| (tag.key.as_str(), tag.value.as_deref().unwrap_or("unknown")));
    let keys = call.tags.iter().map(|tag| tag.key.as_str());
    let is_web_identity = matches!(call.caller, TrustCaller::WebIdentity { .. });
    Ok(RoleStep {
        action: if is_web_identity { "sts:AssumeRoleWithWebIdentity" } else { "sts:AssumeRole" },
        role: call.role.clone(),
        session_name,
        length: SessionLength::Requested(None),
        policies: SessionPolicies::default(),
        tags: SessionTags::read(tags, keys).map_err(|_| TrustCallError(()))?,
        external_id: call.external_id.map(str::to_owned),
        source_identity: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLE: &str = "arn:aws:iam::111122223333:role/app";

    fn answers(statement: &str, call: &TrustCall<'_>) -> Vec<TrustAnswer> {
        let policy = format!(r#"{{"Version": "2012-10-17", "Statement": {statement}}}"#);
        ask(&Policy::read(&policy).unwrap(), call, Timestamp::UNIX_EPOCH).unwrap()
    }

    fn is_allowed(answer: &TrustAnswer) -> bool {
        matches!(answer.verdict, Verdict::Allowed { .. })
    }

    #[test]
    fn tags_are_an_action_of_their_own_and_their_values_may_be_unknown() {
        let (role, base) = (ROLE.parse().unwrap(), ROLE.replace("app", "base").parse().unwrap());
        let tag = |key: &str, value: Option<&str>| TrustTag {
            key: key.to_owned(),
            value: value.map(str::to_owned),
        };
        let tags = [tag("team", Some("shop")), tag("pod", None)];
        let call = TrustCall {
            caller: TrustCaller::Role(&base),
            role: &role,
            tags: &tags,
            external_id: Some("id"),
        };
        let trust = r#"{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/base"},
            "Action": ["sts:AssumeRole", "sts:TagSession"], "Condition": {"StringEquals": {"sts:ExternalId": "id", "aws:RequestTag/team": "shop"}}}"#;
        let all = answers(trust, &call);
        let actions: Vec<&str> = all.iter().map(|it| it.action).collect();
        assert_eq!(actions, ["sts:AssumeRole", "sts:TagSession"]);
        assert!(all.iter().all(is_allowed));
        let only_one = trust.replace(", \"sts:TagSession\"", "");
        assert!(!is_allowed(&answers(&only_one, &call)[1]));
        let unknown = answers(&trust.replace("RequestTag/team", "RequestTag/pod"), &call);
        assert_eq!(unknown[0].undecided[0].keys, ["aws:RequestTag/pod"]);
        let untagged = TrustCall { tags: &[], external_id: None, ..call };
        let all = answers(trust, &untagged);
        assert!(all.len() == 1 && !is_allowed(&all[0]) && all[0].undecided.is_empty());
    }

    #[test]
    fn a_trust_anchor_must_be_named() {
        let role = ROLE.parse().unwrap();
        let accepts = |condition: &str| {
            let policy = format!(
                r#"{{"Statement": {{"Effect": "Allow", "Principal": {{"Service": "rolesanywhere.amazonaws.com"}}, "Action": "sts:AssumeRole", "Condition": {condition}}}}}"#
            );
            accepts_any_trust_anchor(&Policy::read(&policy).unwrap(), &role)
        };
        assert!(accepts("{}"));
        assert!(accepts(r#"{"StringEquals": {"aws:PrincipalTag/x509SAN/URI": "x"}}"#));
        let anchor = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/1";
        assert!(!accepts(&format!(r#"{{"ArnEquals": {{"aws:SourceArn": "{anchor}"}}}}"#)));
    }
}
