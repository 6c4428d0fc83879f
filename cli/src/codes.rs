//! The mistakes that podrole names, and the checks of `podrole doctor`, each with its code: one table for `podrole explain`
//! and `docs/errors.md`.

use std::fmt;

use serde::Deserialize;

use crate::report::Code;

/// A mistake, or what a check finds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mistake {
    code: u16,
    title: String,
    cause: String,
    seen: String,
    fix: String,
    example: String,
}

/// All mistakes and then all checks, in the order of their codes.
///
/// # Errors
/// If the tables in this program are not valid, which a test excludes.
pub(crate) fn all() -> anyhow::Result<Vec<Mistake>> {
    let mut all: Vec<Mistake> = serde_saphyr::from_str(include_str!("codes/mistakes.yaml"))?;
    let checks: Vec<Mistake> = serde_saphyr::from_str(include_str!("codes/checks.yaml"))?;
    all.extend(checks);
    Ok(all)
}

impl Mistake {
    pub(crate) fn code(&self) -> Code {
        Code(self.code)
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// The section of docs/errors.md.
    #[cfg(test)]
    fn section(&self) -> String {
        let Self { title, cause, seen, fix, .. } = self;
        let example = self.example.trim_end();
        let code = self.code();
        format!(
            "## {code}: {title}\n\n{cause}\n\n- **Seen in**: {seen}\n- **Fix**: {fix}\n\n```\n{example}\n```\n"
        )
    }
}

/// As `podrole explain` prints it.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}\n", self.code(), self.title)?;
        writeln!(f, "  {:10} {}", "cause", self.cause)?;
        writeln!(f, "  {:10} {}", "seen in", self.seen)?;
        writeln!(f, "  {:10} {}", "fix", self.fix)?;
        let mut label = "example";
        for line in self.example.lines() {
            writeln!(f, "  {label:10} {line}")?;
            label = "";
        }
        Ok(())
    }
}

/// docs/errors.md.
#[cfg(test)]
fn page(mistakes: &[Mistake]) -> String {
    let mut page = String::from(
        "# Errors\n\nThe codes that podrole's commands print, and what each means. `podrole explain PR020` prints the same \
         without a network.\nThis page is made from `cli/src/codes/mistakes.yaml` and `cli/src/codes/checks.yaml`; codes are never \
         reused. Those from PR101 on are the checks of [`podrole doctor`](list-and-doctor.md).\n",
    );
    for mistake in mistakes {
        page.push('\n');
        page.push_str(&mistake.section());
    }
    page
}

#[cfg(test)]
mod tests {
    use std::{env, fs, path::Path};

    use super::*;

    #[test]
    fn each_code_is_there_once_and_in_order() {
        let codes: Vec<u16> = all().unwrap().iter().map(|it| it.code).collect();
        assert_eq!(codes, (1..=45).chain(101..=115).collect::<Vec<_>>());
    }

    #[test]
    fn each_text_is_plain_ascii_and_not_empty() {
        for mistake in all().unwrap() {
            let Mistake { title, cause, seen, fix, example, .. } = &mistake;
            for text in [title, cause, seen, fix, example] {
                assert!(!text.trim().is_empty() && text.is_ascii(), "{mistake}");
            }
            for sentence in [cause, seen, fix] {
                assert!(sentence.ends_with('.') && !sentence.contains('\n'), "{sentence}");
            }
            assert!(!title.ends_with('.') && title.len() < 80, "{title}");
        }
    }

    /// `PODROLE_BLESS=1` writes the page.
    #[test]
    fn the_page_in_the_docs_is_that_of_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
        let expected = page(&all().unwrap());
        if env::var_os("PODROLE_BLESS").is_some() {
            fs::write(&path, &expected).unwrap();
        }
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == expected,
            "docs/errors.md differs from the tables in cli/src/codes; set PODROLE_BLESS=1"
        );
    }
}
