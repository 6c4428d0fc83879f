//! What a process prints, and the exit code of usage errors.

use std::{
    io::{ErrorKind, Write as _},
    process::ExitCode,
};

use anstream::stdout;
use anyhow::Context as _;

use crate::printable::printable;

/// The exit code if a flag, a file or the cluster's configuration cannot be used.
const USAGE: u8 = 2;

/// Prints a text whole, without colours if they are not wanted. A reader that has seen enough, such as `head`, is no error.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("could not write to standard output"),
    }
}

/// Says why a command could not do its work, and returns the exit code of usage errors.
pub(crate) fn usage_error(error: &anyhow::Error) -> ExitCode {
    anstream::eprintln!("podrole: {}", printable(&format!("{error:#}")));
    ExitCode::from(USAGE)
}
