//! Files that import each other in a circle: such files can only be understood, moved and tested together.
//!
//! The source is read as text, which finds what `use` and written-out paths name. What a macro expands to and what a method call
//! reaches is not seen.

mod lexer;
mod modules;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use podrole_tests::project;

use self::modules::{Edges, Modules};

/// Circles that may stay: the files, or a folder that they are all in, and the reason. An entry that no circle needs fails the test too.
const ALLOWED: &[(&[&str], &str)] = &[
    (
        &["bench/agent/src/"],
        "a load generator with one purpose: all of it takes its `Args` from main.rs",
    ),
    (
        &["cli/src/demo/stage.rs", "cli/src/demo/stage/start.rs"],
        "start.rs is a private half of stage.rs, split off for its length",
    ),
    (
        &[
            "identity/src/annotation.rs",
            "identity/src/annotation/reader.rs",
            "identity/src/opt_in.rs",
            "identity/src/secret.rs",
        ],
        "the reader reports the `Problem` of annotation.rs, whose `read` starts it",
    ),
    (
        &["tests/src/cluster.rs", "tests/src/cluster/start.rs"],
        "start.rs is a private half of cluster.rs, split off for its length",
    ),
];

/// What the files of a crate take from each other. `source` is its `src` folder.
fn edges(source: &Path) -> anyhow::Result<Edges> {
    let mut edges = Edges::new();
    for root in ["lib.rs", "main.rs"] {
        let root = source.join(root);
        if root.is_file() {
            Modules::read(&root)?.edges(&mut edges);
        }
    }
    Ok(edges)
}

/// The groups of files that can all be reached from each other.
fn circles(edges: &Edges) -> Vec<BTreeSet<PathBuf>> {
    let reached: BTreeMap<&PathBuf, BTreeSet<&PathBuf>> =
        edges.keys().map(|file| (file, reachable(edges, file))).collect();
    let mut circles: Vec<BTreeSet<PathBuf>> = Vec::new();
    for (file, others) in &reached {
        let circle = others.iter().filter(|other| {
            reached.get(**other).is_some_and(|back| back.contains(*file)) && *other != file
        });
        let mut circle: BTreeSet<PathBuf> = circle.map(|other| (*other).clone()).collect();
        if circle.is_empty() {
            continue;
        }
        circle.insert((*file).clone());
        if !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles
}

fn reachable<'a>(edges: &'a Edges, from: &PathBuf) -> BTreeSet<&'a PathBuf> {
    let (mut found, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(file) = open.pop() {
        for next in edges.get(file).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(next) {
                open.push(next);
            }
        }
    }
    found
}

/// A circle with the names that tie it.
fn describe(circle: &BTreeSet<PathBuf>, edges: &Edges, root: &Path) -> String {
    let short = |file: &PathBuf| file.strip_prefix(root).unwrap_or(file).display().to_string();
    let mut text = format!("{} files import each other in a circle:", circle.len());
    for file in circle {
        let targets = edges.get(file).into_iter().flatten();
        for (target, names) in targets.filter(|(target, _)| circle.contains(*target)) {
            let names = names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            let _ = write!(text, "\n    {} -> {}: {names}", short(file), short(target));
        }
    }
    text
}

/// The `src` folders of all crates.
fn sources() -> anyhow::Result<Vec<PathBuf>> {
    let files = project::files()?;
    let manifests = files.iter().filter(|file| file.ends_with("Cargo.toml"));
    let folders = manifests.filter_map(|file| file.parent());
    let sources = folders.map(|folder| project::root().join(folder).join("src"));
    Ok(sources.filter(|source| source.is_dir()).collect())
}

#[test]
fn files_do_not_import_each_other_in_circles() {
    let root = project::root();
    let mut wrong = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources().unwrap() {
        let edges = edges(&source).unwrap();
        for circle in circles(&edges) {
            let allowed = ALLOWED.iter().position(|(files, _)| {
                circle.iter().all(|file| files.iter().any(|one| file.starts_with(root.join(one))))
            });
            match allowed {
                Some(entry) => {
                    used.insert(entry);
                }
                None => wrong.push(describe(&circle, &edges, root)),
            }
        }
    }
    for (entry, (files, _)) in ALLOWED.iter().enumerate() {
        if !used.contains(&entry) {
            wrong.push(format!("remove this entry from ALLOWED, no circle needs it: {files:?}"));
        }
    }
    super::none(&wrong);
}

/// The circles of a crate with these files.
fn circles_of(files: &[(&str, &str)]) -> anyhow::Result<Vec<Vec<String>>> {
    let folder = tempfile::tempdir()?;
    for (name, text) in files {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap_or(&file))?;
        fs::write(&file, text)?;
    }
    let name =
        |file: &PathBuf| file.strip_prefix(folder.path()).unwrap_or(file).display().to_string();
    let circles = circles(&edges(folder.path())?);
    Ok(circles.iter().map(|circle| circle.iter().map(name).collect()).collect())
}

#[test]
fn a_circle_is_found_through_reexports_and_written_out_paths() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b; mod c; pub use c::Made;"),
        ("a.rs", "use crate::Made; pub fn f() {}"),
        ("b.rs", "use crate::a; pub struct B; fn g() { a::f() }"),
        ("c/mod.rs", "mod made; pub use made::Made;"),
        ("c/made.rs", "pub struct Made; fn h(_: crate::b::B) {}"),
    ]);
    let found = found.unwrap();
    assert_eq!(found, [["a.rs", "b.rs", "c/made.rs"]]);
}

#[test]
fn a_parent_and_a_child_that_use_each_other_are_a_circle() {
    let parent = "mod child; pub use child::Child; pub struct Parent;";
    let child = ("a/child.rs", "use super::Parent; pub struct Child;");
    let lib = ("lib.rs", "mod a;");
    assert!(circles_of(&[lib, ("a.rs", parent), child]).unwrap().is_empty());
    let uses = format!("{parent} fn f(_: Child) {{}}");
    assert_eq!(circles_of(&[lib, ("a.rs", &uses), child]).unwrap(), [["a/child.rs", "a.rs"]]);
}

#[test]
fn test_code_may_import_in_circles() {
    let found = circles_of(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }"),
        ("b.rs", "use crate::a::A; pub struct B;"),
    ]);
    let found = found.unwrap();
    assert!(found.is_empty(), "{found:?}");
}
