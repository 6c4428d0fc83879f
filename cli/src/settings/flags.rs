//! A daemon's flags, read by its own parser, which sees nothing of this process's environment.

use clap::{
    Arg, ArgMatches, Command,
    error::{ContextKind, ContextValue, ErrorKind},
    parser::ValueSource,
};

use super::{daemon::Daemon, environment::Variable, problem::SettingsProblem};

/// The arguments with variables that decide roles.
const DECIDING: [&str; 1] = ["region"];

/// Reads a daemon's flags. Those that this version does not know are left out and reported; if what remains cannot be
/// used, there is no result.
pub(super) fn parse(
    command: &Command,
    daemon: &Daemon,
    problems: &mut Vec<SettingsProblem>,
) -> Option<ArgMatches> {
    let object = daemon.object();
    let not_literal = daemon.not_literal.iter();
    problems.extend(not_literal.map(|variable| SettingsProblem::NotLiteral {
        daemon: object.clone(),
        variable: variable.clone(),
    }));
    let variables = variables(command);
    let command = command.clone().mut_args(|arg| arg.env(None::<&'static str>));
    let mut words = daemon.words.clone();
    let mut matches = known(&command, &object, &mut words, problems)?;
    for Named { id, long, variable } in variables {
        let is_given = matches.value_source(&id) == Some(ValueSource::CommandLine);
        match daemon.environment.get(&variable) {
            Some(Variable::Literal(value)) if !is_given && !value.is_empty() => {
                words.push(format!("--{long}={value}"));
            }
            Some(Variable::Reference) if !is_given && DECIDING.contains(&id.as_str()) => {
                problems.push(SettingsProblem::NotLiteral { daemon: object.clone(), variable });
            }
            _ => {}
        }
    }
    matches = known(&command, &object, &mut words, problems)?;
    Some(matches)
}

/// An argument that a variable may set.
struct Named {
    id: String,
    long: String,
    variable: String,
}

fn variables(command: &Command) -> Vec<Named> {
    let named = |arg: &Arg| {
        Some(Named {
            id: arg.get_id().to_string(),
            long: arg.get_long()?.to_owned(),
            variable: arg.get_env()?.to_str()?.to_owned(),
        })
    };
    command.get_arguments().filter_map(named).collect()
}

/// Parses the words without those that this version does not know, which are removed.
fn known(
    command: &Command,
    daemon: &str,
    words: &mut Vec<String>,
    problems: &mut Vec<SettingsProblem>,
) -> Option<ArgMatches> {
    let program = command.get_name().to_owned();
    // Where a flag was removed, its value may be the next word.
    let mut removed_at = None;
    loop {
        let all = std::iter::once(&program).chain(words.iter());
        let error = match command.clone().try_get_matches_from(all) {
            Ok(matches) => return Some(matches),
            Err(error) => error,
        };
        let Some((index, flag)) = position(&error, words) else {
            let text = error.kind().to_string();
            let argument = argument(&error).map_or_else(String::new, |it| format!(" ({it})"));
            let error = format!("{text}{argument}");
            problems.push(SettingsProblem::Invalid { daemon: daemon.to_owned(), error });
            return None;
        };
        let is_bare = words[index] == flag;
        words.remove(index);
        let daemon = daemon.to_owned();
        if is_unknown(error.kind()) {
            if removed_at == Some(index) && !flag.starts_with('-') {
                continue;
            }
            removed_at = Some(index);
            problems.push(SettingsProblem::UnknownFlag { daemon, flag });
        } else {
            if is_bare && index < words.len() {
                words.remove(index);
            }
            problems.push(SettingsProblem::UnknownValue { daemon, flag });
        }
    }
}

/// The word that an error is about. A value after an unknown flag may look like a subcommand.
fn argument(error: &clap::Error) -> Option<&str> {
    let kinds = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand];
    match kinds.into_iter().find_map(|kind| error.get(kind))? {
        ContextValue::String(name) => Some(name),
        ContextValue::Strings(names) => names.first().map(String::as_str),
        _ => None,
    }
}

/// Whether this version does not know a word at all.
fn is_unknown(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand)
}

/// The word that this version does not know, and its flag: of `--exchange <EXCHANGE>`, `--exchange`.
fn position(error: &clap::Error, words: &[String]) -> Option<(usize, String)> {
    let is_value = matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::ValueValidation);
    let argument = argument(error).filter(|_| is_value || is_unknown(error.kind()))?;
    if let Some(index) = words.iter().position(|word| word == argument) {
        return Some((index, argument.to_owned()));
    }
    let flag = argument.split([' ', '=', '[']).next()?;
    let is_it = |word: &String| {
        word.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    Some((words.iter().position(is_it)?, flag.to_owned()))
}
