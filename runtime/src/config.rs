//! `--print-config`: what a process would run with, and where each value comes from.
//!
//! It is made of the flags as clap has read them, so that no flag can be forgotten.

use std::fmt::Write as _;

use clap::{Arg, ArgAction, ArgMatches, Command, parser::ValueSource};
use serde_json::Value;

/// The configuration as YAML, a flag a line. `effective` has the values of flags that are not in
/// force as they were written: moved into bounds, or following from another one.
#[must_use]
pub fn yaml(command: &Command, matches: &ArgMatches, effective: &[(&str, String)]) -> String {
    let mut text = String::new();
    for argument in command.get_arguments() {
        let Some(name) = argument.get_long().filter(|name| !is_action(argument, name)) else {
            continue;
        };
        let (written, from) = (written(argument, matches), from(argument, matches));
        let in_force = effective.iter().find(|(flag, _)| *flag == name);
        let in_force = in_force.map(|(_, text)| scalar(text));
        let from = if in_force.as_ref().is_some_and(|it| *it != written) {
            format!("{from}, {written} as written")
        } else {
            from.to_owned()
        };
        // Writing to a String does not fail.
        let _ = writeln!(text, "{name}: {}  # {from}", in_force.unwrap_or(written));
    }
    text
}

/// Flags that do something once and configure nothing.
fn is_action(argument: &Arg, name: &str) -> bool {
    matches!(argument.get_action(), ArgAction::Help | ArgAction::Version) || name == "print-config"
}

fn written(argument: &Arg, matches: &ArgMatches) -> Value {
    let raw = matches.try_get_raw(argument.get_id().as_str()).ok().flatten();
    let mut values: Vec<Value> =
        raw.into_iter().flatten().map(|text| scalar(&text.to_string_lossy())).collect();
    match (argument.get_action(), values.len()) {
        (ArgAction::Append, _) => values.into(),
        (_, 0) => Value::Null,
        _ => values.swap_remove(0),
    }
}

fn from(argument: &Arg, matches: &ArgMatches) -> &'static str {
    let id = argument.get_id().as_str();
    // A flag that is not there has no source.
    if !matches!(matches.try_contains_id(id), Ok(true)) {
        return "default";
    }
    match matches.value_source(id) {
        Some(ValueSource::CommandLine) => "flag",
        Some(ValueSource::EnvVariable) => "environment",
        _ => "default",
    }
}

/// A value as YAML and JSON both write it.
fn scalar(text: &str) -> Value {
    match (text.parse::<i64>(), text) {
        (_, "true") => true.into(),
        (_, "false") => false.into(),
        // A number that would be written otherwise is a name, like an account's id.
        (Ok(number), _) if number.to_string() == text && text.len() < 12 => number.into(),
        _ => without_user(text).into(),
    }
}

/// A URL without what may stand before its host: a name and a password.
fn without_user(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit_once('@').map_or(0, |(user, _)| user.len() + 1);
    format!("{scheme}://{}", &rest[host..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory as _, Parser};

    #[derive(Parser)]
    struct Flags {
        #[arg(long, default_value_t = 443)]
        port: u16,
        #[arg(long)]
        url: Option<String>,
        #[arg(long)]
        name: Vec<String>,
        #[arg(long, default_value = "123456789012")]
        account: String,
        #[arg(long, default_value_t = 5)]
        life: u32,
        #[arg(long)]
        print_config: bool,
        #[arg(long)]
        loud: bool,
    }

    fn printed(flags: &[&str], effective: &[(&str, String)]) -> String {
        let command = Flags::command();
        let name = ["it"].iter();
        let matches = command.clone().get_matches_from(name.chain(flags));
        yaml(&command, &matches, effective)
    }

    #[test]
    fn each_flag_is_there_with_its_source() {
        let text = printed(&["--port=8443", "--name=a: b", "--print-config"], &[]);
        let expected = "port: 8443  # flag\nurl: null  # default\nname: [\"a: b\"]  # flag\n\
            account: \"123456789012\"  # default\nlife: 5  # default\nloud: false  # default\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_in_force_goes_before_what_was_written() {
        let text = printed(&[], &[("life", "600".to_owned()), ("port", "443".to_owned())]);
        assert!(text.contains("life: 600  # default, 5 as written\n"), "{text}");
        assert!(text.contains("port: 443  # default\n"), "{text}");
    }

    #[test]
    fn a_password_in_a_url_is_not_printed() {
        for (url, shown) in [
            ("https://me:hunter2@host/a@b", "https://host/a@b"),
            ("http://host:1/x?y=a@b", "http://host:1/x?y=a@b"),
            ("https://me@p:hunter2@host", "https://host"),
        ] {
            let text = printed(&[&format!("--url={url}")], &[]);
            assert!(text.contains(&format!("url: \"{shown}\"")), "{text}");
        }
    }
}
