//! Breaks one check of the product at a time and sees a test fail: a check that no test would miss
//! is not a check.
//!
//! `cargo run -p podrole-mutants -- [--all | NAME...]`. The list is `tests/mutants/mutants.toml`.
//! Without an argument at most [`QUICK`] entries that are not remembered as caught are broken, for at most
//! [`QUICK_TIME`]: first those whose file the last change touched, then a sample that rotates with the commit.
//! `--all` breaks every entry that is not remembered; a name breaks that entry in any case.
//!
//! The mutations are made in a copy of the repository in the build folder. Its build starts as hard links to this
//! build, so that only what a mutation touches is compiled.
#![forbid(unsafe_code)]

mod list;
mod memory;
mod plan;
mod run;
mod tree;

use std::{collections::BTreeMap, env, fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use list::Mutant;
use memory::Memory;
use plan::Plan;
use podrole_tests::project;
use run::{Cargo, Outcome};
use tokio::time::Instant;
use tree::Tree;

/// How many entries a run without arguments breaks at most.
const QUICK: usize = 16;
/// When a run without arguments begins no further entry.
const QUICK_TIME: Duration = Duration::from_secs(90);

fn main() -> ExitCode {
    match run(&env::args().skip(1).collect::<Vec<_>>()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("mutants: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Breaks what the arguments choose and returns how many entries were not caught.
fn run(arguments: &[String]) -> anyhow::Result<usize> {
    let (options, names): (Vec<_>, Vec<_>) =
        arguments.iter().cloned().partition(|word| word == "--all");
    let text = fs::read_to_string(project::root().join("tests/mutants/mutants.toml"))?;
    let all = list::read(&text)?;
    list::quoted_once(&all, project::root())?;
    let named = list::chosen(all, &names)?;

    let cache = project::cache()?.join("mutants");
    let _lock = tree::lock(&cache)?;
    let folder = build_folder()?;
    let tree = Tree::copy(project::root(), &folder)?;
    let mut memory = Memory::open(&cache, tree.root(), tree.files().to_vec());
    let plan = if !names.is_empty() {
        Plan::all(named)
    } else {
        let (known, unknown) = memory.divide(named)?;
        println!("{} of {} are remembered as caught", known, known + unknown.len());
        let plan = if options.is_empty() {
            Plan::quick(unknown, QUICK, &plan::changed()?, &plan::head()?)
        } else {
            Plan::all(unknown)
        };
        plan.remembering(known)
    };
    if !plan.mutants.is_empty() {
        tree.link_build()?;
    }
    let budget = (options.is_empty() && names.is_empty()).then_some(QUICK_TIME);
    break_each(&tree, plan, budget, &mut memory)
}

/// Breaks each entry of the plan until the time is up; returns how many were not caught.
fn break_each(
    tree: &Tree,
    mut plan: Plan,
    budget: Option<Duration>,
    memory: &mut Memory,
) -> anyhow::Result<usize> {
    let cargo = Cargo::new(tree.root(), tree.target());
    let (begun, count) = (Instant::now(), plan.mutants.len());
    let (mut caught, mut missed) = (plan.known, 0);
    let mut unmutated: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut mutants = std::mem::take(&mut plan.mutants).into_iter().enumerate();
    for (index, mutant) in mutants.by_ref() {
        if budget.is_some_and(|budget| begun.elapsed() > budget) {
            plan.left_out.push(mutant);
            break;
        }
        if !unmutated.contains_key(&mutant.test) {
            unmutated.insert(mutant.test.clone(), cargo.passes(&mutant.test)?);
        }
        let outcome = match &unmutated[&mutant.test] {
            Some(error) => Outcome::Invalid(error.clone()),
            None => break_one(tree, &cargo, &mutant)?,
        };
        match outcome {
            Outcome::Caught => {
                caught += 1;
                memory.caught(&mutant)?;
            }
            _ => missed += 1,
        }
        println!("{}/{count} {}", index + 1, outcome.line(&mutant.name));
    }
    plan.left_out.extend(mutants.map(|(_, mutant)| mutant));
    plan.print_left_out();
    let word = ["ok", "FAILED"][usize::from(missed > 0)];
    println!("test result: {word}. {caught} passed; {missed} failed;");
    Ok(missed)
}

/// One mutation: made, tested, and undone.
fn break_one(tree: &Tree, cargo: &Cargo, mutant: &Mutant) -> anyhow::Result<Outcome> {
    let original = tree.read(&mutant.file).with_context(|| mutant.file.clone())?;
    match mutant.apply(&original) {
        Err(error) => Ok(Outcome::Invalid(error)),
        Ok(mutated) => {
            tree.write(&mutant.file, &mutated)?;
            let outcome = cargo.judge(&mutant.test);
            tree.write(&mutant.file, &original)?;
            outcome
        }
    }
}

/// `mutants` in cargo's build folder, which this program was built in: hard links need the same file system.
fn build_folder() -> anyhow::Result<PathBuf> {
    let program = env::current_exe()?;
    let target = program.parent().and_then(|debug| debug.parent());
    Ok(target.context("this program is not in a build folder of cargo's")?.join("mutants"))
}
