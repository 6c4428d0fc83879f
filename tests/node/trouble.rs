//! What may be wrong at install or start, each said in a sentence with its mend.

use crate::{report::Seen, stage::Stage};

pub(crate) async fn trouble(_stage: &Stage) -> Seen {
    Ok(String::new())
}
