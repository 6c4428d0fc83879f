//! Python with boto3 and the AWS CLI, of the versions that `tests/python/requirements.txt` pins.

use std::path::PathBuf;

use crate::project;

/// The `bin` folder of the virtual environment, made once: it has `python` and `aws`.
///
/// # Errors
/// What `tests/python/venv` says: no Python, no venv module, no package index.
pub fn bin() -> anyhow::Result<PathBuf> {
    Ok(project::folder_from("tests/python/venv")?.join("bin"))
}
