//! `--print-config`: the configuration in effect, and where each value comes from.
//!
//! The output is generated from clap's own flags and matches, so it cannot omit a flag.
//!
//! ```text
//!   #[derive(Parser)]
//!   struct Cli { #[command(flatten)] serve: Args, #[command(flatten)] print: PrintConfigArgs, … }
//!
//!   let (cli, matches) = config::parse::<Cli>();
//!   if cli.print.print_config {
//!       print!("{}", config::yaml(&Cli::command(), &matches, &effective));
//!       return;
//!   }
//!   run(cli.serve)
//! ```

use std::fmt::Write as _;

use clap::{
    Arg, ArgAction, ArgMatches, Args, Command, CommandFactory, FromArgMatches, parser::ValueSource,
};
use serde_json::Value;

/// The flag `--print-config`, the same in every daemon.
#[derive(Args, Clone, Copy, Debug, Default)]
pub struct PrintConfigArgs {
    /// Print the configuration in effect as YAML, with the source of each value, and exit
    #[arg(long)]
    pub print_config: bool,
}

/// Parses the command line of this process. Returns the flags, and the matches with the source of
/// each value. Exits with code 2 and a message if the command line is invalid.
#[must_use]
pub fn parse<A: CommandFactory + FromArgMatches>() -> (A, ArgMatches) {
    parse_as(A::command())
}

/// The same by this form of `A`'s command, such as one with another name in its usage.
#[must_use]
pub fn parse_as<A: FromArgMatches>(command: Command) -> (A, ArgMatches) {
    let matches = command.get_matches();
    let args = A::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    (args, matches)
}

/// The configuration as YAML, one flag per line. `effective` has the values in effect of flags
/// whose written value was clamped, or whose default depends on another flag. User names and
/// passwords in URLs are omitted.
#[must_use]
pub fn yaml(command: &Command, matches: &ArgMatches, effective: &[(&str, String)]) -> String {
    let mut text = String::new();
    for argument in command.get_arguments() {
        let Some(name) = argument.get_long().filter(|name| !is_action(argument, name)) else {
            continue;
        };
        let (written, source) = (written(argument, matches), source(argument, matches));
        let in_effect = effective.iter().find(|(flag, _)| *flag == name);
        let in_effect = in_effect.map(|(_, text)| scalar(text));
        let source = if in_effect.as_ref().is_some_and(|it| *it != written) {
            format!("{source}, {written} as written")
        } else {
            source.to_owned()
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name}: {}  # {source}", in_effect.unwrap_or(written));
    }
    text
}

/// Whether a flag is an action, such as `--help`, and not configuration.
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

fn source(argument: &Arg, matches: &ArgMatches) -> &'static str {
    let id = argument.get_id().as_str();
    // In debug builds `value_source` panics for an id that the matches do not know.
    if !matches!(matches.try_contains_id(id), Ok(true)) {
        return "default";
    }
    match matches.value_source(id) {
        Some(ValueSource::CommandLine) => "flag",
        Some(ValueSource::EnvVariable) => "environment",
        _ => "default",
    }
}

/// A value in the notation that YAML shares with JSON.
fn scalar(text: &str) -> Value {
    match (text.parse::<i64>(), text) {
        (_, "true") => true.into(),
        (_, "false") => false.into(),
        // `007` and AWS account ids of 12 digits are names, not numbers.
        (Ok(number), _) if number.to_string() == text && text.len() < 12 => number.into(),
        _ => without_userinfo(text).into(),
    }
}

/// Removes the user name and password from a URL.
fn without_userinfo(text: &str) -> String {
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
    use clap::Parser;

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
        lifetime: u32,
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
    fn each_flag_is_printed_with_its_source() {
        let text = printed(&["--port=8443", "--name=a: b", "--print-config"], &[]);
        let expected = "port: 8443  # flag\nurl: null  # default\nname: [\"a: b\"]  # flag\n\
            account: \"123456789012\"  # default\nlifetime: 5  # default\nloud: false  # default\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn the_value_in_effect_is_printed_before_the_written_one() {
        let text = printed(&[], &[("lifetime", "600".to_owned()), ("port", "443".to_owned())]);
        assert!(text.contains("lifetime: 600  # default, 5 as written\n"), "{text}");
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
