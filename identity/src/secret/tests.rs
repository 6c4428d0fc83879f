//! What may be asked for, and what may not.

use super::*;
use crate::{AnnotationPrefix, Annotations, Problem};

fn read(pairs: &[(&str, &str)]) -> (Secrets, Vec<Problem>) {
    let pairs = pairs
        .iter()
        .map(|(alias, value)| (format!("{SECRET_ANNOTATION_PREFIX}{alias}"), (*value).to_owned()));
    let annotations: Annotations = pairs.collect();
    let prefix = AnnotationPrefix::default();
    let mut reader = Reader::new(&annotations, &prefix);
    (Secrets::read(&mut reader), reader.problems)
}

fn one(value: &str) -> DesiredSecret {
    let (secrets, problems) = read(&[("db", value)]);
    assert!(problems.is_empty(), "{problems:?}");
    let wishes: Vec<_> = secrets.wishes().collect();
    assert_eq!((wishes.len(), wishes[0].0.as_str()), (1, "secret.podrole.io/db"));
    wishes[0].1.clone()
}

#[test]
fn a_path_alone_mounts_the_secret_of_the_aliass_name() {
    let wish = one(" /etc/db ");
    assert_eq!((wish.secret_name.as_str(), wish.mount_path.as_deref()), ("db", Some("/etc/db")));
    assert!(!wish.optional && wish.env_prefix.is_none() && wish.containers.is_empty());
}

#[test]
fn an_object_says_all_of_it() {
    let wish =
        one(r#"{"secretName":"team.db","mountPath":"/etc/db","subPath":"{pod.name}/x","env":"DB_",
            "optional":true,"mode":"0440","containers":["web"],
            "items":[{"key":"{pod.namespace}.key","path":"a/{pod.name}","mode":256}]}"#);
    assert_eq!(
        (wish.secret_name.as_str(), wish.optional, wish.mode),
        ("team.db", true, Some(0o440))
    );
    assert_eq!(wish.sub_path.as_deref(), Some("{pod.name}/x"));
    assert_eq!(wish.env_prefix.as_deref(), Some("DB_"));
    assert_eq!(wish.items[0].mode, Some(0o400));
    assert!(wish.containers.names("web") && !wish.containers.names("side"));
    assert_eq!(one(r#"{"env":""}"#).env_prefix.as_deref(), Some(""));
}

#[test]
fn a_list_gives_several() {
    let (secrets, problems) = read(&[("db", r#"[{"mountPath":"/a"},{"mountPath":"/b"}]"#)]);
    assert_eq!((secrets.wishes().count(), problems.len()), (2, 0));
}

#[test]
fn what_the_api_server_would_refuse_is_told() {
    for (value, word) in [
        ("etc/db", "slash"),
        ("/etc/../root", "climb"),
        ("/", "root"),
        ("/./", "root"),
        ("/a:b", "colon"),
        ("/etc/{pod.uid}", "place"),
        ("{", "EOF"),
        (r#"{"mountpath":"/a"}"#, "unknown field"),
        (r#"{"optional":true}"#, "mountPath or an env"),
        (r#"{"env":"A","subPath":"a"}"#, "needs a mountPath"),
        (r#"{"mountPath":"/a","subPath":"/b"}"#, "slash"),
        (r#"{"mountPath":"/a","subPath":"a/../b"}"#, "climb"),
        (r#"{"mountPath":"/a","mode":"0999"}"#, "mode"),
        (r#"{"mountPath":"/a","mode":"7777"}"#, "mode"),
        (r#"{"mountPath":"/a","mode":512}"#, "mode"),
        (r#"{"mountPath":"/a","secretName":"A"}"#, "name"),
        (r#"{"mountPath":"/a","items":[{"key":"a/b","path":"x"}]}"#, "key"),
        (r#"{"mountPath":"/a","items":[{"key":"..","path":"x"}]}"#, "key"),
        (r#"{"mountPath":"/a","items":[{"key":"a","path":"../x"}]}"#, "climb"),
        (r#"{"mountPath":"/a","items":[{"key":"a","path":"..x"}]}"#, "climb"),
        (r#"{"env":"1A"}"#, "env"),
        (r#"{"env":"A-"}"#, "env"),
        (r#"[{"mountPath":"/a"},7]"#, "invalid type"),
    ] {
        let (secrets, problems) = read(&[("db", value)]);
        assert!(secrets.is_empty(), "{value}");
        let told = problems[0].to_string();
        assert!(told.starts_with("secret.podrole.io/db") && told.contains(word), "{told}");
    }
    let (_, problems) = read(&[("A", "/a")]);
    assert!(problems[0].to_string().contains("name"));
}

#[test]
fn a_pod_decides_for_an_alias_and_may_take_it_back() {
    let (account, _) = read(&[("db", "/etc/db"), ("mq", "/etc/mq"), ("ca", "/etc/ca")]);
    let (pod, problems) = read(&[("db", "/srv/db"), ("mq", ""), ("ca", "bad")]);
    assert_eq!(problems.len(), 1);
    let both = account.under(&pod);
    let paths: Vec<_> = both.wishes().map(|(_, wish)| wish.mount_path.clone().unwrap()).collect();
    assert_eq!(paths, ["/srv/db"]);
}
