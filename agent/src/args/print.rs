//! `--print-config`.

use clap::{ArgMatches, CommandFactory as _};
use podrole_runtime::config;

use super::{Args, ArgsError};

/// The flags as YAML, with the values in effect and the source of each.
///
/// # Errors
/// If the flags contradict each other.
pub fn configuration(args: &Args, matches: &ArgMatches) -> Result<String, ArgsError> {
    args.check()?;
    let audiences: Vec<String> = args.audiences().iter().map(ToString::to_string).collect();
    let mut effective = vec![("exchange", args.exchange().to_string())];
    if args.audience.is_empty() {
        effective.push(("audience", audiences.join(",")));
    }
    Ok(config::yaml(&Args::command(), matches, &effective))
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;

    #[test]
    fn the_configuration_in_effect_is_printed() {
        Args::command().debug_assert();
        let flags = ["podrole-agent", "--print-config", "--region=eu-west-1", "--node-name=n1"];
        let matches = Args::command().get_matches_from(flags);
        let args = Args::from_arg_matches(&matches).unwrap();
        let text = configuration(&args, &matches).unwrap();
        for line in [
            "exchange: \"web-identity\"  # default, null as written",
            "audience: \"sts.amazonaws.com\"  # default, [] as written",
            "region: \"eu-west-1\"  # flag",
            "port: 80  # default",
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line} in\n{text}");
        }
    }
}
