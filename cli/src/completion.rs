//! `podrole completion` and `podrole man`: what shells and man read, generated from the flags.

use std::{fs, io::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::{Args, Command, ValueEnum};
use clap_complete::{Generator as _, shells};
use clap_mangen::Man;

use crate::output;

/// Print the completions of a shell
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
Examples:
  podrole completion bash > /etc/bash_completion.d/podrole
  podrole completion zsh > \"${fpath[1]}/_podrole\"
  podrole completion fish > ~/.config/fish/completions/podrole.fish")]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
}

/// Write the man pages of all commands into a folder
#[derive(Args, Clone, Debug)]
pub(crate) struct ManArgs {
    /// The folder; it is made if it does not exist
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs `completion`.
pub(crate) fn run(args: &CompletionArgs, command: Command) -> ExitCode {
    reported(completions(args.shell, command).and_then(|text| output::print(&text)))
}

/// Runs `man`. The exit code is 2 if the folder cannot be written.
pub(crate) fn run_man(args: &ManArgs, command: Command) -> ExitCode {
    reported(write_pages(args, command))
}

fn reported(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => output::usage_error(&error),
    }
}

/// The completions of the program's own name: kubectl asks `kubectl_complete-podrole` for those of its plugin.
fn completions(shell: Shell, command: Command) -> anyhow::Result<String> {
    let mut command = command.bin_name("podrole");
    command.build();
    let mut text = Vec::new();
    match shell {
        Shell::Bash => shells::Bash.generate(&command, &mut text),
        Shell::Zsh => shells::Zsh.generate(&command, &mut text),
        Shell::Fish => shells::Fish.generate(&command, &mut text),
        Shell::Powershell => shells::PowerShell.generate(&command, &mut text),
    }
    Ok(String::from_utf8(text)?)
}

fn write_pages(args: &ManArgs, command: Command) -> anyhow::Result<()> {
    let failed = || args.folder.display().to_string();
    fs::create_dir_all(&args.folder).with_context(failed)?;
    for (name, page) in pages(command)? {
        // A reader never sees half a page.
        let mut file = tempfile::NamedTempFile::new_in(&args.folder).with_context(failed)?;
        file.write_all(&page).with_context(failed)?;
        let path = args.folder.join(&name);
        file.persist(&path).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// The page of each command with its file's name: `podrole-associations-import.1`.
fn pages(command: Command) -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let mut command = command.bin_name("podrole").disable_help_subcommand(true);
    command.build();
    let (mut waiting, mut pages) = (vec![command], Vec::new());
    while let Some(command) = waiting.pop() {
        waiting.extend(command.get_subcommands().filter(|it| !it.is_hide_set()).cloned());
        let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
        let mut page = Vec::new();
        Man::new(command.display_name(name.clone())).render(&mut page)?;
        pages.push((format!("{name}.1"), page));
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> Command {
        crate::command("kubectl-podrole")
    }

    #[test]
    fn each_shell_completes_the_commands() {
        for shell in Shell::value_variants() {
            let text = completions(*shell, command()).unwrap();
            for word in ["podrole", "list", "doctor", "all-namespaces"] {
                assert!(text.contains(word), "{shell:?}: {word}");
            }
            assert!(!text.contains("kubectl podrole"), "{shell:?}");
        }
    }

    #[test]
    fn each_command_has_a_man_page() {
        let folder = tempfile::tempdir().unwrap();
        let args = ManArgs { folder: folder.path().join("man1") };
        write_pages(&args, command()).unwrap();
        for name in ["podrole.1", "podrole-list.1", "podrole-associations-import.1"] {
            let page = fs::read_to_string(args.folder.join(name)).unwrap();
            assert!(page.contains(".SH SYNOPSIS"), "{name}: {page}");
        }
        let list = fs::read_to_string(args.folder.join("podrole-list.1")).unwrap();
        assert!(list.contains(r"\-\-all\-namespaces"), "{list}");
    }

    #[test]
    fn the_usage_is_that_of_the_program_that_was_called() {
        for (called, usage) in [
            ("podrole", "Usage: podrole list"),
            ("/usr/bin/kubectl-podrole", "Usage: kubectl podrole list"),
            ("kubectl-podrole.exe", "Usage: kubectl podrole list"),
        ] {
            let mut command = crate::command(called);
            command.build();
            let list = command.find_subcommand_mut("list").unwrap();
            assert!(list.render_help().to_string().contains(usage), "{called}");
        }
    }
}
