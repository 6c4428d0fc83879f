//! The list of mutations.

use std::{collections::HashSet, fs, path::Path};

use anyhow::ensure;
use serde::Deserialize;

/// One check of the product, and how to break it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    /// What is broken, in one word.
    pub(crate) name: String,
    /// The file, from the repository's root.
    pub(crate) file: String,
    /// A text that occurs in it exactly once.
    pub(crate) find: String,
    /// What replaces it.
    pub(crate) replace: String,
    /// The arguments of `cargo test` that must then fail.
    pub(crate) test: String,
}

/// Reads the list; no two have one name.
pub(crate) fn read(text: &str) -> anyhow::Result<Vec<Mutant>> {
    #[derive(Deserialize)]
    struct File {
        mutant: Vec<Mutant>,
    }
    let mutants = toml::from_str::<File>(text)?.mutant;
    let mut names = HashSet::new();
    for mutant in &mutants {
        ensure!(names.insert(&mutant.name), "two mutants are named {}", mutant.name);
    }
    Ok(mutants)
}

/// Those of `mutants` that are in `names`; all where there are none.
pub(crate) fn chosen(mutants: Vec<Mutant>, names: &[String]) -> anyhow::Result<Vec<Mutant>> {
    for name in names {
        let known = mutants.iter().any(|mutant| mutant.name == *name);
        ensure!(known, "tests/mutants/mutants.toml has no mutant {name}");
    }
    let wanted = |mutant: &Mutant| names.is_empty() || names.contains(&mutant.name);
    Ok(mutants.into_iter().filter(wanted).collect())
}

/// Checks that each entry's text occurs exactly once in its file below `root`: without that the entry breaks nothing.
///
/// # Errors
/// Names every entry whose text does not.
pub(crate) fn quoted_once(mutants: &[Mutant], root: &Path) -> anyhow::Result<()> {
    let error = |mutant: &Mutant| {
        let text = fs::read_to_string(root.join(&mutant.file));
        let text = text.map_err(|error| format!("{}: {error}", mutant.file));
        let error = text.and_then(|text| mutant.apply(&text)).err()?;
        Some(format!("{}: {error}", mutant.name))
    };
    let errors: Vec<_> = mutants.iter().filter_map(error).collect();
    ensure!(errors.is_empty(), "tests/mutants/mutants.toml:\n  {}", errors.join("\n  "));
    Ok(())
}

impl Mutant {
    /// `text` with the mutation, or why it cannot be made.
    pub(crate) fn apply(&self, text: &str) -> Result<String, String> {
        match text.matches(&self.find).count() {
            1 if self.find == self.replace => Err("it changes nothing".to_owned()),
            1 => Ok(text.replacen(&self.find, &self.replace, 1)),
            count => {
                let (file, find) = (&self.file, &self.find);
                Err(format!("{file} has this {count} times instead of once: {find}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        [[mutant]]
        name = "a"
        file = "f.rs"
        find = "x < y"
        replace = "true"
        test = "-p f"
    "#;

    #[test]
    fn a_text_that_occurs_once_is_replaced() {
        let mutant = read(LIST).unwrap().remove(0);
        assert_eq!(mutant.apply("if x < y {}").unwrap(), "if true {}");
        assert!(mutant.apply("x < y x < y").unwrap_err().contains("2 times"));
        assert!(mutant.apply("x > y").unwrap_err().contains("0 times"));
    }

    #[test]
    fn names_are_unique_and_known() {
        assert!(read(&format!("{LIST}{LIST}")).is_err());
        let mutants = read(LIST).unwrap();
        assert_eq!(chosen(mutants.clone(), &[]).unwrap().len(), 1);
        assert_eq!(chosen(mutants.clone(), &["a".to_owned()]).unwrap().len(), 1);
        assert!(chosen(mutants, &["b".to_owned()]).is_err());
    }

    /// `--test api` starts the programs, which a mutant's build leaves as they were.
    #[test]
    fn no_entry_is_left_to_a_test_of_the_built_programs() {
        for mutant in read(include_str!("mutants.toml")).unwrap() {
            let (name, test) = (&mutant.name, &mutant.test);
            assert!(!test.contains("--test api"), "{name}: {test} does not run the mutated code");
        }
    }

    #[test]
    fn each_entry_of_the_list_quotes_its_file_exactly_once() {
        let mutants = read(include_str!("mutants.toml")).unwrap();
        quoted_once(&mutants, podrole_tests::project::root()).unwrap();
    }
}
