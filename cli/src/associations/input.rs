//! The documents of files and standard input.

use std::{path::PathBuf, sync::Arc};

use super::{
    base_role_arn::BaseRoleArn,
    forms,
    merged::Merged,
    node::Node,
    place::{InputError, Place},
};
use crate::{
    manifests::{ContentError, SourceArgs, SourceFile},
    yaml::{self, Duplicate},
};

/// Reads files, folders and `-`.
///
/// # Errors
/// If one of them cannot be opened, or is not UTF-8.
pub(super) fn read(
    files: &[PathBuf],
    recursive: bool,
    base_role_arn: Option<BaseRoleArn>,
) -> anyhow::Result<Merged> {
    let args = SourceArgs { recursive, ..SourceArgs::default() };
    let mut associations = Merged::with_base_role_arn(base_role_arn);
    for source in args.read(files)? {
        read_source(&source, &mut associations);
    }
    associations.add_pods();
    Ok(associations)
}

/// Adds the associations of a file.
pub(super) fn read_source(source: &SourceFile, associations: &mut Merged) {
    if let Some(hint) = source.empty {
        let name = source.file.clone();
        let what = ContentError::NoManifests { source_name: name, hint }.to_string();
        return associations.fail(InputError::without_place(what));
    }
    read_text(&source.file, &source.text, true, associations);
}

/// Adds the associations of a text. Without lines, errors name the source alone.
pub(super) fn read_text(name: &str, text: &str, has_lines: bool, associations: &mut Merged) {
    let source: Arc<str> = name.into();
    let at = |line: usize| Place { source: Arc::clone(&source), line: has_lines.then_some(line) };
    let (mut documents, mut errors) = (Vec::new(), Vec::new());
    for document in yaml::documents(text) {
        match document {
            Ok(document) => documents.push(document),
            Err(error) => errors.push(InputError::new(&at(error.line), error.reason)),
        }
    }
    // The rest of a text that is partly not YAML may be anything.
    if documents.is_empty() && errors.is_empty() {
        errors.push(InputError::new(&at(1), format!("it is empty; {}", forms::NAMES)));
    }
    let mut others = forms::Others::default();
    for document in &documents {
        for Duplicate { key, lines: (first, last) } in &document.duplicates {
            let what = format!("the key {key} is also in line {first}; remove one of them");
            errors.push(InputError::new(&at(*last), what));
        }
        let node = Node::root(&source, document, has_lines);
        forms::read(&node, associations, &mut others);
    }
    errors.into_iter().for_each(|error| associations.fail(error));
    others.report(name, associations);
}
