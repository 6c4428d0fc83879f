//! Simulates the application: a program that runs with the injected variables.

use std::{collections::BTreeMap, path::Path, process::ExitStatus};

use podrole_identity::variable;
use serde_json::Value;
use tokio::process::Command;

use super::{Failure, kubelet::containers, kubelet::list};
use crate::whoami::{self, Answer};

pub(crate) type Variables = BTreeMap<String, String>;

/// Files of the container that this machine does not have, and settings that no SDK accepts beside
/// the sandbox's endpoint.
const NOT_HERE: [&str; 5] = [
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
];

/// The variables of a container's process that matter to an AWS SDK: those that were added to it, and
/// its own literal `AWS_*` ones, as the kubelet expands them.
pub(crate) fn variables(before: &Value, after: &Value, container: &str) -> Variables {
    let find = |pod| containers(pod).find(|it| name(it) == Some(container));
    let own: Vec<&Value> = find(before).into_iter().flat_map(|it| list(it, "env")).collect();
    let pod_name = pod_name(after);
    let mut all = Variables::new();
    let mut kept = Variables::new();
    for variable in find(after).into_iter().flat_map(|it| list(it, "env")) {
        let Some(name) = name(variable) else { continue };
        let Some(value) = value(variable, &pod_name, &all) else { continue };
        let added = !own.contains(&variable);
        let counts = name.starts_with("AWS_")
            && !name.starts_with(variable::ENDPOINT_URL)
            && !NOT_HERE.contains(&name);
        if added || counts {
            kept.insert(name.to_owned(), value.clone());
        }
        all.insert(name.to_owned(), value);
    }
    kept
}

/// A variable's value; `None` if it comes from a source that only a cluster has.
fn value(variable: &Value, pod_name: &str, before: &Variables) -> Option<String> {
    if variable.get("valueFrom").is_some_and(|source| !source.is_null()) {
        let field = variable.pointer("/valueFrom/fieldRef/fieldPath").and_then(Value::as_str);
        return (field == Some("metadata.name")).then(|| pod_name.to_owned());
    }
    let literal = variable.get("value").and_then(Value::as_str).unwrap_or_default();
    let expand = |text: String, (name, value): (&String, &String)| {
        text.replace(&format!("$({name})"), value)
    };
    Some(before.iter().fold(literal.to_owned(), expand))
}

/// The name, or what the API server would generate.
fn pod_name(pod: &Value) -> String {
    let text = |pointer| pod.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    match text("/metadata/name") {
        "" => format!("{}demo", text("/metadata/generateName")),
        name => name.to_owned(),
    }
}

fn name(value: &Value) -> Option<&str> {
    value.get("name").and_then(Value::as_str)
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
    whoami::read(&output.stdout)
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
    fn a_process_has_the_added_variables_and_its_own_of_aws() {
        let pod = |env: Value| {
            json!({"metadata": {"generateName": "web-"},
                "spec": {"containers": [{"name": "other"}, {"name": "a", "env": env}]}})
        };
        let own = [
            json!({"name": "MINE", "value": "1"}),
            json!({"name": "AWS_DEFAULT_REGION", "value": "eu-west-1"}),
            json!({"name": "AWS_ENDPOINT_URL_STS", "value": "https://sts.amazonaws.com"}),
            json!({"name": "AWS_CONFIG_FILE", "value": "/etc/aws"}),
            json!({"name": "AWS_PROFILE", "valueFrom": {"secretKeyRef": {"name": "s"}}}),
        ];
        let mut after = own.to_vec();
        after.push(
            json!({"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}),
        );
        after.push(json!({"name": "AWS_ROLE_SESSION_NAME", "value": "$(NAME).$(MINE)"}));
        let found = variables(&pod(json!(own)), &pod(json!(after)), "a");
        let expected = [
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ROLE_SESSION_NAME", "web-demo.1"),
            ("NAME", "web-demo"),
        ];
        let found: Vec<_> = found.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(found, expected);
    }
}
