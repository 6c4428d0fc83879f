//! Values that are accepted, and values that are rejected.

use super::*;
use crate::{AnnotationPrefix, Annotations, Problem};

fn read(pairs: &[(&str, &str)]) -> (Secrets, Vec<Problem>) {
    let pairs = pairs
        .iter()
        .map(|(alias, value)| (format!("{SECRET_ANNOTATION_PREFIX}{alias}"), (*value).to_owned()));
    let annotations: Annotations = pairs.collect();
    let prefix = AnnotationPrefix::default();
    let mut reader = AnnotationReader::new(&annotations, &prefix);
    (Secrets::read(&mut reader, SecretOwner::Pod), reader.problems)
}

fn one(value: &str) -> DesiredSecret {
    let (secrets, problems) = read(&[("db", value)]);
    assert!(problems.is_empty(), "{problems:?}");
    let desired: Vec<_> = secrets.desired().collect();
    assert_eq!((desired.len(), desired[0].0.as_str()), (1, "secret.podrole.io/db"));
    desired[0].1.clone()
}

#[test]
fn a_path_alone_mounts_the_secret_of_the_aliass_name() {
    let secret = one(" /etc/db ");
    assert_eq!(
        (secret.secret_name.as_str(), secret.mount_path.as_deref()),
        ("db", Some("/etc/db"))
    );
    assert!(!secret.optional && secret.env_prefix.is_none() && secret.containers.is_empty());
}

#[test]
fn an_object_sets_every_field() {
    let secret =
        one(r#"{"secretName":"team.db","mountPath":"/etc/db","subPath":"{pod.name}/x","env":"DB_",
            "optional":true,"mode":"0440","containers":["web"],
            "items":[{"key":"{pod.namespace}.key","path":"a/{pod.name}","mode":256}]}"#);
    assert_eq!(
        (secret.secret_name.as_str(), secret.optional, secret.mode),
        ("team.db", true, Some(0o440))
    );
    assert_eq!(secret.sub_path.as_deref(), Some("{pod.name}/x"));
    assert_eq!(secret.env_prefix.as_deref(), Some("DB_"));
    assert_eq!(secret.items[0].mode, Some(0o400));
    assert!(secret.containers.names("web") && !secret.containers.names("side"));
    assert_eq!(one(r#"{"env":""}"#).env_prefix.as_deref(), Some(""));
}

#[test]
fn a_list_asks_for_several_secrets() {
    let (secrets, problems) = read(&[("db", r#"[{"mountPath":"/a"},{"mountPath":"/b"}]"#)]);
    assert_eq!((secrets.desired().count(), problems.len()), (2, 0));
}

#[test]
fn what_the_api_server_would_reject_is_reported() {
    for (value, word) in [
        ("etc/db", "slash"),
        ("/etc/../root", ".."),
        ("/", "root"),
        ("/./", "root"),
        ("/a:b", "colon"),
        ("/etc/{pod.uid}", "placeholder"),
        ("{", "EOF"),
        (r#"{"mountpath":"/a"}"#, "unknown field"),
        (r#"{"optional":true}"#, "mountPath or env"),
        (r#"{"env":"A","subPath":"a"}"#, "mountPath too"),
        (r#"{"mountPath":"/a","subPath":"/b"}"#, "slash"),
        (r#"{"mountPath":"/a","subPath":"a/../b"}"#, ".."),
        (r#"{"mountPath":"/a","mode":"0999"}"#, "mode"),
        (r#"{"mountPath":"/a","mode":"7777"}"#, "mode"),
        (r#"{"mountPath":"/a","mode":512}"#, "mode"),
        (r#"{"mountPath":"/a","secretName":"A"}"#, "name"),
        (r#"{"mountPath":"/a","items":[{"key":"a/b","path":"x"}]}"#, "key"),
        (r#"{"mountPath":"/a","items":[{"key":"..","path":"x"}]}"#, "key"),
        (r#"{"mountPath":"/a","items":[{"key":"a","path":"../x"}]}"#, ".."),
        (r#"{"mountPath":"/a","items":[{"key":"a","path":"..x"}]}"#, ".."),
        (r#"{"env":"1A"}"#, "env"),
        (r#"{"env":"A-"}"#, "env"),
        (r#"[{"mountPath":"/a"},7]"#, "invalid type"),
    ] {
        let (secrets, problems) = read(&[("db", value)]);
        assert!(secrets.is_empty(), "{value}");
        let problem = problems[0].to_string();
        assert!(problem.starts_with("secret.podrole.io/db") && problem.contains(word), "{problem}");
    }
    let (_, problems) = read(&[("A", "/a")]);
    assert!(problems[0].to_string().contains("name"));
}

#[test]
fn each_error_is_one_sentence_after_the_annotation() {
    for (value, sentence) in [
        ("[", "EOF while parsing a list"),
        (r#"{"optional":true}"#, "set mountPath or env"),
        (r#"{"env":"A","subPath":"a"}"#, "set mountPath too, because subPath needs it"),
        (r#"{"env":"A","secretName":"A"}"#, "a Secret's name is 1 to 253 of a-z 0-9 - ."),
        ("etc", "the mount path must start with a slash"),
        ("/a/../b", "the mount path must not contain .. as a part"),
        ("//.", "the mount path must not be the root"),
        ("/a:", "the mount path has a colon or is too long"),
        (
            "/{a}",
            "the mount path has a placeholder other than {pod.name}, {pod.namespace}, \
             {serviceaccount.name}",
        ),
        (
            r#"{"mountPath":"/a","subPath":"/"}"#,
            "subPath must be a path that does not start with a slash",
        ),
        (
            r#"{"mountPath":"/a","items":[{"key":"a","path":"..a"}]}"#,
            "an item's path must not contain .. as a part or start with it",
        ),
        (
            r#"{"mountPath":"/a","items":[{"key":"/","path":"a"}]}"#,
            "an item's key is 1 to 253 of A-Z a-z 0-9 - _ .",
        ),
        (r#"{"env":"="}"#, "env must be a prefix of variable names, like DB_"),
    ] {
        let (_, problems) = read(&[("db", value)]);
        assert_eq!(problems[0].error, sentence, "{value}");
    }
}

#[test]
fn a_pod_replaces_or_cancels_its_service_accounts_secret() {
    let (service_account, _) = read(&[("db", "/etc/db"), ("mq", "/etc/mq"), ("ca", "/etc/ca")]);
    let (pod, problems) = read(&[("db", "/srv/db"), ("mq", ""), ("ca", "bad")]);
    assert_eq!(problems.len(), 1);
    let both = service_account.under(&pod);
    let paths: Vec<_> =
        both.desired().map(|(_, secret)| secret.mount_path.clone().unwrap()).collect();
    assert_eq!(paths, ["/srv/db"]);
}
