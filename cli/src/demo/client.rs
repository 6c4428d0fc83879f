//! Simulates the application: a program that runs with the injected variables.

use std::{collections::BTreeMap, path::Path, process::ExitStatus};

use podrole_identity::variable;
use serde_json::Value;
use tokio::process::Command;

use super::{Failure, kubelet::containers, kubelet::list};
use crate::whoami::Answer;

pub(crate) type Variables = BTreeMap<String, String>;

/// The variables that were added to the first container that changed, or `None` if none did.
pub(crate) fn injected(before: &Value, after: &Value) -> Option<Variables> {
    let before: BTreeMap<&str, Variables> =
        containers(before).filter_map(|c| Some((name(c)?, variables(c)))).collect();
    containers(after).find_map(|container| {
        let mut now = variables(container);
        let had = before.get(name(container)?);
        now.retain(|key, value| had.is_none_or(|had| had.get(key) != Some(value)));
        (!now.is_empty()).then_some(now)
    })
}

fn name(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
}

fn variables(container: &Value) -> Variables {
    let pair = |env: &Value| Some((name(env)?.to_owned(), env.get("value")?.as_str()?.to_owned()));
    list(container, "env").filter_map(pair).collect()
}

/// Runs `podrole whoami` with no other variables than these.
pub(crate) async fn whoami(variables: &Variables) -> Result<Answer, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::bug("running the AWS SDK", error);
    let program = std::env::current_exe().map_err(|error| failed(&error))?;
    let output = Command::new(program)
        .args(["whoami", "--json"])
        .env_clear()
        .envs(variables)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| failed(&error))?;
    serde_json::from_slice(&output.stdout)
        .map_err(|error| failed(&format!("{error}; {}", String::from_utf8_lossy(&output.stderr))))
}

/// Runs the user's command as the pod. `variables` replace every AWS variable of this process, and
/// the AWS configuration files are looked for in `home`, where there are none.
pub(crate) async fn own_command(
    command: &[String],
    variables: &Variables,
    home: &Path,
) -> Result<ExitStatus, Failure> {
    let (program, arguments) = command.split_first().ok_or_else(|| {
        Failure::new(
            "running the command",
            "none was given",
            "put it after --, as in `-- aws --version`",
        )
    })?;
    let mut child = Command::new(program);
    child.args(arguments).kill_on_drop(true);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            child.env_remove(name);
        }
    }
    // A profile in the user's own files would take precedence over the injected variables.
    child.env("AWS_CONFIG_FILE", home.join("aws-config"));
    child.env("AWS_SHARED_CREDENTIALS_FILE", home.join("aws-credentials"));
    for name in variable::NO_PROXIES {
        child.env(name, no_proxy(std::env::var(name).ok()));
    }
    child.envs(variables);
    child.status().await.map_err(|error| {
        let why = format!("{program}: {error}");
        Failure::new("running the command", why, "install it, or give its absolute path")
    })
}

/// Adds 127.0.0.1, because sandbox and agent are not reachable through the shell's proxy.
fn no_proxy(own: Option<String>) -> String {
    match own.filter(|own| !own.is_empty()) {
        Some(own) => format!("{own},127.0.0.1"),
        None => "127.0.0.1".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_injected_variables_are_returned() {
        let env = |list: Value| json!({"spec": {"containers": [{"name": "a", "env": list}]}});
        let before = env(json!([{"name": "MINE", "value": "1"}]));
        let after =
            env(json!([{"name": "MINE", "value": "1"}, {"name": "AWS_REGION", "value": "x"}]));
        let found = injected(&before, &after).unwrap();
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [("AWS_REGION".into(), "x".into())]);
        assert_eq!(injected(&before, &before), None);
    }
}
