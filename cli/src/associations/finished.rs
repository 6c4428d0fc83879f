//! How reading ends, for import and export.

use super::{checked::Checked, failure::Failure, merged::Merged, progress::Progress};
use crate::printable::printable;

/// All associations that were read, after the notes about them. The progress ends first, also if reading
/// failed: its line would have other lines behind it.
pub(super) fn finished(
    read: Result<Merged, Failure>,
    progress: &Progress,
) -> Result<Vec<Checked>, Failure> {
    progress.done();
    let merged = read?;
    for note in merged.notes() {
        anstream::eprintln!("{}", printable(note));
    }
    merged.finish().map_err(Failure::Input)
}
