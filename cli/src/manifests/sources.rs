//! The files that a command reads.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::Args;

/// The namespace of objects that name none, unless the user chooses another.
pub(super) const DEFAULT_NAMESPACE: &str = "default";
/// Files with one of these endings are read from folders, as by kubectl.
const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];
/// What to do about a folder without manifests.
const NAMES: &str = "; of a folder *.yaml, *.yml and *.json are read";
const SUBFOLDERS: &str = "; use -R for its subfolders";
/// The name of standard input in messages.
const STDIN: &str = "<stdin>";

/// The name and text of a file.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceFile {
    pub(crate) file: String,
    pub(crate) text: String,
    /// What is to be done, if this is no file but a folder without one.
    pub(crate) empty: Option<&'static str>,
}

/// Which files to read.
#[derive(Args, Debug, Default)]
pub(crate) struct SourceArgs {
    /// Read folders recursively
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,

    /// The namespace of objects that name none, as with `kubectl apply -n`
    #[arg(short, long, value_name = "NAMESPACE", default_value = DEFAULT_NAMESPACE)]
    pub(crate) namespace: String,
}

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("could not read {file}: {error}")]
pub(crate) struct SourceError {
    file: String,
    error: std::io::Error,
}

impl SourceArgs {
    /// Reads files, the manifests of folders in the order of their names, and `-`. A folder without
    /// manifests gives an empty source.
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub(crate) fn read(&self, paths: &[PathBuf]) -> Result<Vec<SourceFile>, SourceError> {
        let mut sources = Vec::new();
        for path in paths {
            self.add(path, true, &mut sources)?;
        }
        Ok(sources)
    }

    fn add(
        &self,
        path: &Path,
        named: bool,
        sources: &mut Vec<SourceFile>,
    ) -> Result<(), SourceError> {
        let failed = |error| SourceError { file: path.display().to_string(), error };
        if path == Path::new("-") {
            let mut text = String::new();
            let read = std::io::stdin().read_to_string(&mut text);
            read.map_err(|error| SourceError { file: STDIN.to_owned(), error })?;
            sources.push(SourceFile { file: STDIN.to_owned(), text, empty: None });
            return Ok(());
        }
        if path.is_dir() {
            if !named && !self.recursive {
                return Ok(());
            }
            let entries = fs::read_dir(path).map_err(failed)?;
            let mut entries: Vec<PathBuf> = entries
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<Result<_, _>>()
                .map_err(failed)?;
            entries.sort();
            let before = sources.len();
            entries.iter().try_for_each(|entry| self.add(entry, false, sources))?;
            if named && sources.len() == before {
                let subfolders = !self.recursive && entries.iter().any(|entry| entry.is_dir());
                let empty = Some(if subfolders { SUBFOLDERS } else { NAMES });
                let file = path.display().to_string();
                sources.push(SourceFile { file, empty, ..SourceFile::default() });
            }
            return Ok(());
        }
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if named || ENDINGS.contains(&ending) {
            let text = fs::read_to_string(path).map_err(failed)?;
            sources.push(SourceFile { file: path.display().to_string(), text, empty: None });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_in_the_order_of_names() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        for file in ["b.yml", "a.yaml", "c.json", "notes.txt", "a/in.yaml"] {
            fs::write(folder.path().join(file), file).unwrap();
        }
        let read = |recursive| {
            let args = SourceArgs { recursive, ..SourceArgs::default() };
            let sources = args.read(&[folder.path().to_owned()]).unwrap();
            sources.into_iter().map(|source| source.text).collect::<Vec<_>>()
        };
        assert_eq!(read(false), ["a.yaml", "b.yml", "c.json"]);
        assert_eq!(read(true), ["a/in.yaml", "a.yaml", "b.yml", "c.json"]);
        let named = SourceArgs::default().read(&[folder.path().join("notes.txt")]).unwrap();
        assert_eq!(named[0].text, "notes.txt");
    }
}
