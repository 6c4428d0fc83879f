//! Breaks one check of the product at a time and sees a test fail: a check that no test would miss
//! is no check.
//!
//! `cargo run -p podrole-tests --bin mutants [NAME...]`. The list is `tests/mutants/mutants.toml`.
//! All of it happens in a copy of the repository in the cache, whose build is kept between runs.
#![forbid(unsafe_code)]

mod list;
mod run;
mod tree;

use std::{collections::BTreeMap, env, fs, process::ExitCode};

use list::Mutant;
use podrole_tests::project;
use run::{Cargo, Outcome};
use tree::Tree;

fn main() -> ExitCode {
    match flip_all(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("mutants: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the mutants that are named, or all, and gives the number of those that were not caught.
fn flip_all(names: &[String]) -> anyhow::Result<usize> {
    let text = fs::read_to_string(project::root().join("tests/mutants/mutants.toml"))?;
    let mutants = list::chosen(list::read(&text)?, names)?;
    let tree = Tree::copy(project::root(), &project::cache()?.join("mutants"))?;
    let cargo = Cargo::new(tree.root(), tree.target());
    let mut unmutated = BTreeMap::new();
    for mutant in &mutants {
        let test = mutant.test.as_str();
        if !unmutated.contains_key(test) {
            println!("without a mutation: cargo test {test}");
            unmutated.insert(test, cargo.passes(test)?);
        }
    }
    let mut missed = 0;
    for mutant in &mutants {
        let outcome = match &unmutated[mutant.test.as_str()] {
            Some(fault) => Outcome::Faulty(fault.clone()),
            None => flip(&tree, &cargo, mutant)?,
        };
        missed += usize::from(outcome != Outcome::Caught);
        println!("{}", outcome.told(&mutant.name));
    }
    let (word, caught) = (["ok", "FAILED"][usize::from(missed > 0)], mutants.len() - missed);
    println!("test result: {word}. {caught} passed; {missed} failed;");
    Ok(missed)
}

/// One mutation: made, tested, and undone.
fn flip(tree: &Tree, cargo: &Cargo, mutant: &Mutant) -> anyhow::Result<Outcome> {
    let original = match tree.read(&mutant.file) {
        Ok(text) => text,
        Err(fault) => return Ok(Outcome::Faulty(format!("{}: {fault}", mutant.file))),
    };
    match mutant.apply(&original) {
        Err(fault) => Ok(Outcome::Faulty(fault)),
        Ok(mutated) => {
            tree.write(&mutant.file, &mutated)?;
            let outcome = cargo.judge(&mutant.test);
            tree.write(&mutant.file, &original)?;
            outcome
        }
    }
}
