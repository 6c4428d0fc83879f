//! Breaks one check of the product at a time and sees a test fail: a check that no test would miss
//! is no check.
//!
//! `cargo run -p podrole-tests --bin mutants [NAME...]`. The list is `tests/mutants/mutants.toml`.
//! All of it happens in a copy of the repository in the cache, whose build is kept between runs; so
//! is what was caught, for as long as nothing has changed that could matter to it. What is named is
//! broken in any case.
#![forbid(unsafe_code)]

mod list;
mod memory;
mod run;
mod tree;

use std::{collections::BTreeMap, env, fs, process::ExitCode};

use list::Mutant;
use memory::Memory;
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
    let folder = project::cache()?.join("mutants");
    let tree = Tree::copy(project::root(), &folder)?;
    let mut memory = Memory::open(&folder, tree.root(), tree.files().to_vec());
    let all = mutants.len();
    let mutants = if names.is_empty() { unknown(mutants, &memory)? } else { mutants };
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
        match outcome {
            Outcome::Caught => memory.caught(mutant)?,
            _ => missed += 1,
        }
        println!("{}", outcome.told(&mutant.name));
    }
    let (word, caught) = (["ok", "FAILED"][usize::from(missed > 0)], all - missed);
    println!("test result: {word}. {caught} passed; {missed} failed;");
    Ok(missed)
}

/// Those that must be broken again.
fn unknown(mutants: Vec<Mutant>, memory: &Memory) -> anyhow::Result<Vec<Mutant>> {
    let all = mutants.len();
    let mut again = Vec::new();
    for mutant in mutants {
        if !memory.knows(&mutant)? {
            again.push(mutant);
        }
    }
    println!("{} of {all} were caught before, and nothing changed since", all - again.len());
    Ok(again)
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
