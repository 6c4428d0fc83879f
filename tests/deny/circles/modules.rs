//! The modules of one crate, and which file each path of their source leads to.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::lexer::{tokens, without_tests};

/// Re-exports of re-exports are followed this far.
const MAX_DEPTH: usize = 10;

/// File, the file that it takes something from, and the names that it takes.
pub(super) type Edges = BTreeMap<PathBuf, BTreeMap<PathBuf, BTreeSet<String>>>;

/// The modules that a crate's root file leads to.
#[derive(Default)]
pub(super) struct Modules(Vec<Module>);

struct Module {
    file: PathBuf,
    parent: Option<usize>,
    children: BTreeMap<String, usize>,
    source: Source,
}

/// What matters of a module's source.
#[derive(Default)]
struct Source {
    children: Vec<String>,
    items: BTreeSet<String>,
    uses: Vec<Use>,
    /// Paths outside of `use`: `faults::apply::layer`.
    paths: Vec<Vec<String>>,
    /// All words outside of `use`.
    words: BTreeSet<String>,
}

/// One name that a `use` brings in; `*` for a glob.
struct Use {
    name: String,
    path: Vec<String>,
    public: bool,
}

#[derive(Clone, Copy)]
enum Target {
    Module(usize),
    Item(usize),
}

impl Modules {
    /// Reads the root file and, from there, every module that is not test code.
    pub(super) fn read(root: &Path) -> anyhow::Result<Self> {
        let mut modules = Self::default();
        modules.add(root, None)?;
        Ok(modules)
    }

    fn add(&mut self, file: &Path, parent: Option<usize>) -> anyhow::Result<usize> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let source = Source::read(&without_tests(&tokens(&text)));
        let names = source.children.clone();
        let index = self.0.len();
        self.0.push(Module { file: file.to_owned(), parent, children: BTreeMap::new(), source });
        for name in names {
            if let Some(file) = child_file(file, &name) {
                let child = self.add(&file, Some(index))?;
                self.0[index].children.insert(name, child);
            }
        }
        Ok(index)
    }

    /// What each file takes from other files of the crate.
    pub(super) fn edges(&self, edges: &mut Edges) {
        for (index, module) in self.0.iter().enumerate() {
            let used = module.source.uses.iter().filter(|one| {
                // A parent that only hands a child's item on does not depend on it.
                !one.public || module.source.words.contains(&one.name)
            });
            let used = used.map(|one| self.leads_to(index, &one.path, 0).map(|it| (it, &one.path)));
            let paths = module.source.paths.iter();
            let paths = paths.map(|path| self.leads_to(index, path, 0).map(|it| (it, path)));
            for (target, path) in used.chain(paths).flatten() {
                // Naming a module takes nothing from it yet: the paths through that name do.
                let Target::Item(target) = target else { continue };
                let target = &self.0[target].file;
                if *target != module.file {
                    let edges = edges.entry(module.file.clone()).or_default();
                    edges.entry(target.clone()).or_default().insert(path.join("::"));
                }
            }
        }
    }

    /// The module or item that a path in the source of a module means; `None` for other crates.
    fn leads_to(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        match first.as_str() {
            "crate" => self.within(0, rest, depth),
            "self" => self.within(from, rest, depth),
            "super" => self.relative(self.0[from].parent?, rest, depth),
            _ => self.lookup(from, path, depth),
        }
    }

    fn relative(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        match path.first().map(String::as_str) {
            Some("super") => self.relative(self.0[from].parent?, &path[1..], depth),
            _ => self.within(from, path, depth),
        }
    }

    /// A path that must be inside of that module: a name that is not found there (a macro made it)
    /// is taken for one of the module's own.
    fn within(&self, module: usize, path: &[String], depth: usize) -> Option<Target> {
        if path.is_empty() || path[0] == "self" {
            return Some(Target::Module(module));
        }
        if path[0] == "*" {
            return Some(Target::Item(module));
        }
        self.lookup(module, path, depth).or(Some(Target::Item(module)))
    }

    fn lookup(&self, from: usize, path: &[String], depth: usize) -> Option<Target> {
        let (first, rest) = path.split_first()?;
        let module = &self.0[from];
        if let Some(&child) = module.children.get(first) {
            return self.within(child, rest, depth);
        }
        if module.source.items.contains(first) {
            return Some(Target::Item(from));
        }
        if depth == MAX_DEPTH {
            return None;
        }
        let named = module.source.uses.iter().find(|one| one.name == *first);
        if let Some(named) = named {
            return match self.leads_to(from, &named.path, depth + 1)? {
                Target::Module(module) => self.within(module, rest, depth + 1),
                item @ Target::Item(_) => Some(item),
            };
        }
        let globs = module.source.uses.iter().filter(|one| one.name == "*");
        globs.into_iter().find_map(|glob| {
            match self.leads_to(from, &glob.path[..glob.path.len() - 1], depth + 1)? {
                Target::Module(module) => self.lookup(module, path, depth + 1),
                Target::Item(_) => None,
            }
        })
    }
}

/// The file of a module that is declared in `parent`.
fn child_file(parent: &Path, name: &str) -> Option<PathBuf> {
    let folder = parent.parent()?;
    let stem = parent.file_stem()?.to_str()?;
    let folder = match stem {
        "lib" | "main" | "mod" => folder.to_owned(),
        _ => folder.join(stem),
    };
    let files = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
    files.into_iter().find(|file| file.is_file())
}

impl Source {
    fn read(tokens: &[String]) -> Self {
        let (mut source, mut at, mut depth) = (Self::default(), 0, 0_usize);
        while let Some(token) = tokens.get(at) {
            let next = tokens.get(at + 1).map_or("", String::as_str);
            let after = tokens.get(at + 2).map_or("", String::as_str);
            match token.as_str() {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                // `use<'a>` in a type is not an import.
                "use" if next != "<" => {
                    let end = tokens[at..].iter().position(|one| one == ";");
                    let end = end.map_or(tokens.len(), |length| at + length);
                    let public = at > 0 && matches!(tokens[at - 1].as_str(), "pub" | ")");
                    source.imports(&tokens[at + 1..end], &[], public);
                    at = end;
                }
                "mod" if after == ";" => source.children.push(next.to_owned()),
                "struct" | "enum" | "union" | "trait" | "type" | "fn" | "const" | "static"
                    if depth == 0 =>
                {
                    source.items.insert(next.to_owned());
                }
                "macro_rules" => {
                    source.items.insert(after.to_owned());
                }
                "::" => {}
                _ => source.word(tokens, at),
            }
            at += 1;
        }
        source
    }

    /// A word outside of `use`, and the path that begins with it.
    fn word(&mut self, tokens: &[String], at: usize) {
        let is_word = |token: &String| token.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !is_word(&tokens[at]) {
            return;
        }
        self.words.insert(tokens[at].clone());
        let mut path = vec![tokens[at].clone()];
        let mut rest = tokens[at + 1..].chunks(2);
        while let Some([sign, word]) = rest.next() {
            if sign != "::" || !is_word(word) {
                break;
            }
            path.push(word.clone());
        }
        let begins = at == 0 || tokens[at - 1] != "::";
        if begins && path.len() > 1 {
            self.paths.push(path);
        }
    }

    /// One tree of a `use`: `a::{b, c as d, e::*}`.
    fn imports(&mut self, tree: &[String], prefix: &[String], public: bool) {
        let mut path = prefix.to_vec();
        let mut at = 0;
        while let Some(token) = tree.get(at) {
            match token.as_str() {
                "{" => {
                    for branch in branches(&tree[at + 1..tree.len().saturating_sub(1)]) {
                        self.imports(branch, &path, public);
                    }
                    return;
                }
                "as" => break,
                "::" => {}
                _ => path.push(token.clone()),
            }
            at += 1;
        }
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        let alias = tree.get(at + 1).or(path.last());
        if let Some(name) = alias.cloned() {
            self.uses.push(Use { name, path, public });
        }
    }
}

/// The parts of a list between braces, at the commas of its own depth.
fn branches(list: &[String]) -> Vec<&[String]> {
    let mut depth = 0_usize;
    let parts = list.split(|token| {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        token == "," && depth == 0
    });
    parts.filter(|part| !part.is_empty()).collect()
}
