//! Standard output.

use std::io::{ErrorKind, Write as _};

use anstream::stdout;
use anyhow::Context as _;

/// Prints a text whole, without colours if they are not wanted. A reader that has seen enough, such as `head`, is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("could not write to standard output"),
    }
}
