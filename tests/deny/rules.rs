//! `deny.toml`, and what breaks it.

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use spdx::{Expression, Licensee, ParseMode};

use crate::graph::{Locked, Package};

/// The rules, read.
pub(crate) struct Rules {
    licences: Vec<Licensee>,
    bans: Vec<Ban>,
    registries: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

/// `crate` is a name, or `name@0.14` for that version and its patches.
#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    spec: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

impl Rules {
    /// Reads the parts of cargo-deny's format that `deny.toml` uses.
    pub(crate) fn read(text: &str) -> anyhow::Result<Self> {
        let file: File = toml::from_str(text)?;
        let licences = file.licenses.allow.iter().map(|name| {
            Licensee::parse(name).with_context(|| format!("{name} is not an SPDX licence"))
        });
        for ban in &file.bans.deny {
            let plain = |part: &str| !part.contains(['<', '>', '=', '^', '~', '*', ',']);
            ensure!(plain(&ban.spec), "{}: write name or name@0.14", ban.spec);
        }
        Ok(Self {
            licences: licences.collect::<anyhow::Result<_>>()?,
            bans: file.bans.deny,
            registries: file.sources.allow_registry,
        })
    }

    /// Packages whose licence is not allowed, or is none that SPDX knows.
    pub(crate) fn licences(&self, packages: &[Package]) -> Vec<String> {
        let problem = |package: &Package| {
            let expression = match Expression::parse_mode(&package.licence, ParseMode::LAX) {
                Ok(expression) => expression,
                Err(_) => return Some("is not an SPDX expression"),
            };
            let allowed =
                expression.evaluate(|wanted| self.licences.iter().any(|it| it.satisfies(wanted)));
            (!allowed).then_some("is not allowed")
        };
        let describe = |package: &Package| {
            let problem = problem(package)?;
            Some(format!("the licence \"{}\" {problem}: {}", package.licence, path(package)))
        };
        packages.iter().filter_map(describe).collect()
    }

    /// Packages that are banned, with the reason.
    pub(crate) fn bans(&self, packages: &[Package]) -> Vec<String> {
        let describe = |package: &Package| {
            let ban = self.bans.iter().find(|ban| ban.names(package))?;
            Some(format!("{} ({})", path(package), ban.reason))
        };
        packages.iter().filter_map(describe).collect()
    }

    /// Packages that come from elsewhere than an allowed registry.
    pub(crate) fn sources(&self, packages: &[Locked]) -> Vec<String> {
        let allowed = |source: &str| {
            let registry = source.strip_prefix("registry+");
            registry.is_some_and(|registry| self.registries.iter().any(|it| it == registry))
        };
        let describe = |package: &Locked| {
            let source = package.source.as_deref()?;
            (!allowed(source)).then(|| format!("{} comes from {source}", package.name))
        };
        packages.iter().filter_map(describe).collect()
    }
}

impl Ban {
    fn names(&self, package: &Package) -> bool {
        match self.spec.split_once('@') {
            None => self.spec == package.name,
            Some((name, version)) => {
                let rest = package.version.strip_prefix(version);
                name == package.name
                    && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            }
        }
    }
}

fn path(package: &Package) -> String {
    package.path.join(" -> ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph;

    const RULES: &str = r#"
        licenses.allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
        bans.deny = [{ crate = "ring", reason = "why" }, { crate = "hyper@0.14", reason = "old" }]
        sources.allow-registry = ["https://github.com/rust-lang/crates.io-index"]
    "#;

    fn rules() -> Rules {
        Rules::read(RULES).unwrap()
    }

    fn package(id: &str, licence: &str) -> Vec<Package> {
        graph::packages(&format!("0|ours v0.1.0|MIT|\n1|{id}|{licence}|\n")).unwrap()
    }

    #[test]
    fn a_licence_that_is_not_listed_is_reported_with_the_path() {
        for bad in ["GPL-3.0-only", "MIT AND MPL-2.0", "Apache-2.0 AND ISC"] {
            let problems = rules().licences(&package("made-up v1.0.0", bad));
            let expected = "ours 0.1.0 -> made-up 1.0.0";
            assert!(problems.len() == 1 && problems[0].contains(expected), "{problems:?}");
        }
        for good in ["MIT OR GPL-3.0-only", "MIT/Apache-2.0", "Apache-2.0 WITH LLVM-exception"] {
            let problems = rules().licences(&package("made-up v1.0.0", good));
            assert!(problems.is_empty(), "{problems:?}");
        }
    }

    #[test]
    fn a_missing_or_unknown_licence_is_reported() {
        for bad in ["", "my own"] {
            assert_eq!(rules().licences(&package("made-up v1.0.0", bad)).len(), 1);
        }
    }

    #[test]
    fn a_banned_package_is_reported_with_the_path_and_the_reason() {
        let problems = rules().bans(&package("ring v0.17.14", "MIT"));
        assert_eq!(problems, ["ours 0.1.0 -> ring 0.17.14 (why)"]);
        assert!(rules().bans(&package("bring v0.17.14", "MIT")).is_empty());
    }

    #[test]
    fn a_version_is_banned_and_its_successor_is_not() {
        assert_eq!(rules().bans(&package("hyper v0.14.32", "MIT")).len(), 1);
        assert!(rules().bans(&package("hyper v1.12.0", "MIT")).is_empty());
        assert!(rules().bans(&package("hyper v0.140.0", "MIT")).is_empty());
    }

    #[test]
    fn a_source_that_is_not_listed_is_reported() {
        let locked = |source: &str| {
            let text = format!("[[package]]\nname = \"made-up\"\nsource = \"{source}\"\n");
            rules().sources(&graph::locked(&text).unwrap())
        };
        let crates_io = "registry+https://github.com/rust-lang/crates.io-index";
        assert!(locked(crates_io).is_empty());
        assert_eq!(locked("git+https://github.com/a/b#1").len(), 1);
        assert_eq!(locked("registry+https://mirror.example.org/index").len(), 1);
        let ours = graph::locked("[[package]]\nname = \"ours\"\n").unwrap();
        assert!(rules().sources(&ours).is_empty());
    }

    #[test]
    fn a_version_range_that_is_not_understood_is_refused() {
        assert!(Rules::read(&RULES.replace("hyper@0.14", "hyper@<1")).is_err());
    }
}
