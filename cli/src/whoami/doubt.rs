//! Whether an identity is the one that the environment announces. Pure.

use podrole_identity::{AssumedRoleArn, RoleArn, variable};

use crate::report::{Code, Finding, State};

/// Static keys, which SDKs use before any role.
const KEY: &str = "AWS_ACCESS_KEY_ID";
/// Which variables choose another source of credentials than the announced one.
const OTHER_SOURCES: [&str; 2] = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"];

/// Why the identity `arn` may not be the pod's. `variable` returns the value of a variable of the environment.
pub(super) fn doubts(arn: &str, variable: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let web_identity = set(variable::WEB_IDENTITY_TOKEN_FILE).is_some();
    let container = set(variable::CONTAINER_FULL_URI).is_some();
    let mut doubts = Vec::new();
    if set(KEY).is_some() && (web_identity || container) {
        let message = format!("{KEY} is set, which SDKs use before the role");
        doubts.push(
            Finding::warning(Code(11), message)
                .is(arn)
                .fix("remove the keys from the container's env, or from what its envFrom imports"),
        );
    }
    if web_identity && container {
        let (first, second) = (variable::WEB_IDENTITY_TOKEN_FILE, variable::CONTAINER_FULL_URI);
        let message = format!("{first} and {second} are both set; SDKs differ in which they use");
        doubts.push(
            Finding::warning(Code(31), message)
                .fix("remove the variables that you set; podrole sets those of one provider"),
        );
    }
    let Some(assumed) = AssumedRoleArn::parse(arn) else { return doubts };
    let announced: Option<RoleArn> =
        set(variable::ROLE_ARN).filter(|_| web_identity).and_then(|role| role.parse().ok());
    if is_instance_id(assumed.session) {
        let expected = announced.as_ref().map_or("a role of injected variables", RoleArn::as_str);
        let message = format!("this is the role of the node {}, not of the pod", assumed.session);
        doubts.push(
            Finding::warning(Code(41), message)
                .is(arn)
                .should_be(expected)
                .fix("find out why the pod was not injected: podrole why POD"),
        );
    } else if let Some(announced) = announced.filter(|role| !is_session_of(assumed, role)) {
        let other = OTHER_SOURCES.into_iter().find(|name| set(name).is_some());
        let reason = other.map_or_else(String::new, |name| format!("; {name} is set"));
        let message = format!("this is not the role that {} names{reason}", variable::ROLE_ARN);
        doubts.push(
            Finding::new(State::Warning, message).is(arn).should_be(announced.as_str()).fix(
                "look which credentials the SDK finds first: keys, a profile, a credentials file",
            ),
        );
    }
    doubts
}

/// EC2 names the session of an instance's role after the instance.
fn is_instance_id(session: &str) -> bool {
    let digits = session.strip_prefix("i-").unwrap_or_default();
    matches!(digits.len(), 8 | 17) && digits.bytes().all(|it| it.is_ascii_hexdigit())
}

/// The ARN of a session does not contain the role's path.
fn is_session_of(assumed: AssumedRoleArn<'_>, role: &RoleArn) -> bool {
    (assumed.partition, assumed.aws_account, assumed.role)
        == (role.partition(), role.account(), role.name())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: (&str, &str) = ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token");
    const ROLE: (&str, &str) = ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/team/app");
    const URI: (&str, &str) =
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials");

    fn of(arn: &str, variables: &[(&str, &str)]) -> Vec<String> {
        let get = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let text = |it: Finding| match it.code {
            Some(code) => format!("{code}: {}", it.message),
            None => it.message,
        };
        doubts(arn, get).into_iter().map(text).collect()
    }

    #[test]
    fn the_announced_identity_raises_no_doubt() {
        let own = "arn:aws:sts::111122223333:assumed-role/app/web";
        assert_eq!(of(own, &[TOKEN, ROLE]), [""; 0]);
        assert_eq!(of(own, &[URI]), [""; 0], "the agent decides the role");
        assert_eq!(of(own, &[]), [""; 0], "nothing is announced");
        assert_eq!(of("arn:aws:iam::111122223333:user/me", &[]), [""; 0]);
        assert_eq!(of(own, &[TOKEN, ROLE, ("AWS_ACCESS_KEY_ID", "")]), [""; 0]);
    }

    #[test]
    fn the_role_of_the_node_is_recognised_by_its_session() {
        let node = "arn:aws:sts::111122223333:assumed-role/nodes/i-0123456789abcdef0";
        let expected = "PR041: this is the role of the node i-0123456789abcdef0, not of the pod";
        assert_eq!(of(node, &[]), [expected]);
        assert_eq!(of(node, &[TOKEN, ROLE]), [expected]);
        for session in ["i-012345678", "i-0123456g", "job-0123abcd", "i-"] {
            let arn = format!("arn:aws:sts::111122223333:assumed-role/nodes/{session}");
            assert_eq!(of(&arn, &[]), [""; 0], "{session}");
        }
    }

    #[test]
    fn another_role_than_the_announced_one_is_named() {
        let of_other = |part: &str| format!("arn:{part}/web");
        for part in [
            "aws:sts::111122223333:assumed-role/other",
            "aws:sts::999999999999:assumed-role/app",
            "aws-cn:sts::111122223333:assumed-role/app",
        ] {
            let expected = "this is not the role that AWS_ROLE_ARN names";
            assert_eq!(of(&of_other(part), &[TOKEN, ROLE]), [expected], "{part}");
        }
        let other = "arn:aws:sts::111122223333:assumed-role/other/web";
        let expected = "this is not the role that AWS_ROLE_ARN names; AWS_PROFILE is set";
        assert_eq!(of(other, &[TOKEN, ROLE, ("AWS_PROFILE", "dev")]), [expected]);
        assert_eq!(of(other, &[ROLE]), [""; 0], "without a token the variable chooses nothing");
    }

    #[test]
    fn keys_and_two_providers_are_named() {
        let user = "arn:aws:iam::111122223333:user/me";
        let all = of(user, &[TOKEN, URI, ("AWS_ACCESS_KEY_ID", "AKIA")]);
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all[0].starts_with("PR011: AWS_ACCESS_KEY_ID is set"), "{all:?}");
        assert!(all[1].starts_with("PR031: "), "{all:?}");
    }
}
