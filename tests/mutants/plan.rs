//! Which entries a run breaks, and which it leaves out.

use std::{collections::HashSet, process::Command};

use aws_lc_rs::digest::{SHA256, digest};
use podrole_tests::project;

use crate::list::Mutant;

/// What a run does with the entries that were chosen.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Entries to break, in this order.
    pub(crate) mutants: Vec<Mutant>,
    /// Entries that are neither broken nor remembered.
    pub(crate) left_out: Vec<Mutant>,
    /// How many entries are remembered as caught.
    pub(crate) known: usize,
}

impl Plan {
    pub(crate) fn all(mutants: Vec<Mutant>) -> Self {
        Self { mutants, left_out: Vec::new(), known: 0 }
    }

    /// At most `most` of `mutants`: first those in a `changed` file, of each group in an order that follows from `head`, so
    /// that each commit breaks others, and the same commit always the same.
    pub(crate) fn quick(
        mut mutants: Vec<Mutant>,
        most: usize,
        changed: &HashSet<String>,
        head: &str,
    ) -> Self {
        mutants.sort_by_cached_key(|mutant| {
            let place = digest(&SHA256, format!("{head} {}", mutant.name).as_bytes());
            (!changed.contains(&mutant.file), place.as_ref().to_vec())
        });
        let left_out = mutants.split_off(most.min(mutants.len()));
        Self { mutants, left_out, known: 0 }
    }

    pub(crate) fn remembering(self, known: usize) -> Self {
        Self { known, ..self }
    }

    /// Names what was not tried, so that a green run does not look like a whole one.
    pub(crate) fn print_left_out(&self) {
        if !self.left_out.is_empty() {
            let names: Vec<_> = self.left_out.iter().map(|it| it.name.as_str()).collect();
            let count = names.len();
            println!("left out {count}, which `./test all` breaks: {}", names.join(" "));
        }
    }
}

/// The files that differ from where this branch left `origin/main`, or where that is this commit, from the commit before;
/// what is not committed included. None where git knows neither, as in a clone of depth one.
pub(crate) fn changed() -> anyhow::Result<HashSet<String>> {
    let head = git(&["rev-parse", "HEAD"])?;
    let fork = git(&["merge-base", "HEAD", "origin/main"])?;
    let base = if fork.is_empty() || fork == head {
        git(&["rev-parse", "--verify", "HEAD^"])?
    } else {
        fork
    };
    if base.is_empty() {
        return Ok(HashSet::new());
    }
    Ok(git(&["diff", "--name-only", &base])?.lines().map(ToOwned::to_owned).collect())
}

/// The commit's hash; empty where there is no commit.
pub(crate) fn head() -> anyhow::Result<String> {
    git(&["rev-parse", "HEAD"])
}

/// What git prints; empty where it fails.
fn git(words: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("git").args(words).current_dir(project::root()).output()?;
    let text = if output.status.success() { output.stdout } else { Vec::new() };
    Ok(String::from_utf8(text)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutants() -> Vec<Mutant> {
        let mutant = |number: usize| Mutant {
            name: format!("m{number}"),
            file: format!("f{number}.rs"),
            find: "a".into(),
            replace: "b".into(),
            test: "-p f".into(),
        };
        (0..40).map(mutant).collect()
    }

    fn names(mutants: &[Mutant]) -> Vec<&str> {
        mutants.iter().map(|it| it.name.as_str()).collect()
    }

    #[test]
    fn entries_in_changed_files_come_first_and_the_rest_is_left_out() {
        let changed = ["f7.rs", "f31.rs"].map(ToOwned::to_owned).into();
        let plan = Plan::quick(mutants(), 5, &changed, "commit");
        assert!(names(&plan.mutants[..2]).contains(&"m7"), "{plan:?}");
        assert!(names(&plan.mutants[..2]).contains(&"m31"), "{plan:?}");
        assert_eq!((plan.mutants.len(), plan.left_out.len()), (5, 35));
    }

    #[test]
    fn the_sample_is_fixed_for_a_commit_and_another_for_the_next() {
        let plan = |head| Plan::quick(mutants(), 5, &HashSet::new(), head);
        assert_eq!(names(&plan("one").mutants), names(&plan("one").mutants));
        assert_ne!(names(&plan("one").mutants), names(&plan("two").mutants));
    }

    #[test]
    fn forty_commits_break_every_entry() {
        let broken: HashSet<_> = (0..40)
            .flat_map(|head| Plan::quick(mutants(), 16, &HashSet::new(), &head.to_string()).mutants)
            .map(|it| it.name)
            .collect();
        assert_eq!(broken.len(), 40);
    }
}
