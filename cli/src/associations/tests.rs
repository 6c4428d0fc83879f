//! Imports of files, as users see them.

mod conflicts;
mod errors;
mod forms;
mod hostile;
mod pods;
mod properties;
mod role_map;
mod shared_service_account;

use super::{base_role_arn::BaseRoleArn, input, manifest, merged::Merged};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";

/// What a text becomes: the manifests, or all errors.
fn import(text: &str) -> Result<String, Vec<String>> {
    import_all(&[("in.yaml", text)])
}

/// The same for several files.
fn import_all(files: &[(&str, &str)]) -> Result<String, Vec<String>> {
    import_with(None, files)
}

/// The same with a base of role ARNs.
fn import_with(base: Option<&str>, files: &[(&str, &str)]) -> Result<String, Vec<String>> {
    let base = base.map(|base| base.parse::<BaseRoleArn>().unwrap());
    let mut merged = Merged::with_base_role_arn(base);
    for (name, text) in files {
        input::read_text(name, text, true, &mut merged);
    }
    let all = merged.finish();
    let all = all.map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>());
    all.map(|all| manifest::yaml(&all))
}

/// The notes on a text that has no error.
fn notes(text: &str) -> Vec<String> {
    let mut merged = Merged::default();
    input::read_text("in.yaml", text, true, &mut merged);
    merged.add_pods();
    let notes = merged.notes().to_vec();
    merged.finish().unwrap();
    notes
}

/// The only error of a text.
fn error(text: &str) -> String {
    let mut errors = import(text).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    errors.remove(0)
}

fn folder() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/associations")
}

fn fixture(name: &str) -> String {
    std::fs::read_to_string(folder().join(name)).unwrap()
}

/// An association list with one entry of these fields.
fn list(fields: &str) -> String {
    format!(
        "{{\"identities\": [\n{{\"namespace\": \"shop\", \"serviceAccount\": \"app\",\n{fields}}}]}}"
    )
}
