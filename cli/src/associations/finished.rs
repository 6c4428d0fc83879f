//! How reading ends, for import and export.

use super::{checked::Checked, failure::Failure, merged::Merged};
use crate::printable::printable;
use crate::progress::Progress;

/// All associations that were read, and the notes about them, which are printed. The progress ends first, also if
/// reading failed: its line would have other lines behind it.
pub(super) fn finished(
    read: Result<Merged, Failure>,
    progress: &Progress,
) -> Result<(Vec<Checked>, Vec<String>), Failure> {
    progress.done();
    let merged = read?;
    let notes = merged.notes().to_vec();
    for note in &notes {
        anstream::eprintln!("{}", printable(note));
    }
    let all = merged.finish().map_err(Failure::Input)?;
    Ok((all, notes))
}
