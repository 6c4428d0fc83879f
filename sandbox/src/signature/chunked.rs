//! aws-chunked: a body in chunks, each with its length and, in signed bodies, its signature, followed by
//! trailers.
//!
//! ```text
//!   5;chunk-signature=…   hello   0;chunk-signature=…   x-amz-checksum-crc32:…   x-amz-trailer-signature:…
//! ```
//!
//! Each signature signs the previous one, and the first one that of the request, so that no chunk can be
//! changed, moved or removed.

use axum::body::Bytes;

use super::{chain::SignatureChain, chunk_error::ChunkError, payload::Payload};

/// Maximum bytes of a chunk's header line or a trailer.
const MAX_LINE: usize = 1024;
/// Maximum number of trailers.
const MAX_TRAILERS: usize = 8;
const TRAILER_SIGNATURE: &str = "x-amz-trailer-signature";

/// A decoded body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Decoded {
    pub(crate) data: Bytes,
    /// Lower-case names.
    pub(crate) trailers: Vec<(String, String)>,
}

/// What the request's headers say about the body.
pub(crate) struct Declared<'a> {
    /// `x-amz-decoded-content-length`.
    pub(crate) length: Option<u64>,
    /// `x-amz-trailer`.
    pub(crate) trailers: Option<&'a str>,
}

/// Decodes a body, and verifies its signatures if there is a chain.
pub(crate) fn decode(
    body: &Bytes,
    payload: &Payload,
    declared: &Declared<'_>,
    mut chain: Option<SignatureChain<'_>>,
) -> Result<Decoded, ChunkError> {
    let mut reader = Reader { body, at: 0 };
    let mut data = Vec::new();
    loop {
        let (length, signature) = head(reader.line()?)?;
        let chunk = reader.take(length)?;
        if let Some(chain) = &mut chain {
            let signature = signature.ok_or(ChunkError::Malformed("a chunk has no signature"))?;
            chain.chunk(&chunk, signature)?;
        }
        if chunk.is_empty() {
            break;
        }
        reader.end_of_line()?;
        data.extend_from_slice(&chunk);
    }
    let trailers = match payload {
        Payload::Chunked { trailer: true, .. } => reader.trailers(chain.as_mut())?,
        _ => {
            reader.end_of_line()?;
            Vec::new()
        }
    };
    if reader.at != body.len() {
        return Err(ChunkError::Malformed("there is data after the last chunk"));
    }
    check_declared(&trailers, data.len(), declared)?;
    Ok(Decoded { data: data.into(), trailers })
}

fn check_declared(
    trailers: &[(String, String)],
    length: usize,
    declared: &Declared<'_>,
) -> Result<(), ChunkError> {
    if declared.length != u64::try_from(length).ok() {
        return Err(ChunkError::Incomplete);
    }
    let names = declared.trailers.unwrap_or_default();
    let is_listed = |name: &str| names.split(',').any(|one| one.trim().eq_ignore_ascii_case(name));
    trailers.iter().all(|(name, _)| is_listed(name)).then_some(()).ok_or(ChunkError::Trailer)
}

/// Parses a chunk's header line: `<length in hex>[;chunk-signature=<signature>]`.
fn head(line: &str) -> Result<(usize, Option<&str>), ChunkError> {
    let (length, extension) = line.split_once(';').unwrap_or((line, ""));
    let hex = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_hexdigit());
    let length = usize::from_str_radix(length, 16).ok().filter(|_| hex);
    let length = length.ok_or(ChunkError::Malformed("a chunk has no length"))?;
    Ok((length, extension.trim().strip_prefix("chunk-signature=")))
}

struct Reader<'a> {
    body: &'a Bytes,
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next line, without the line break.
    fn line(&mut self) -> Result<&'a str, ChunkError> {
        let rest = self.body.get(self.at..).unwrap_or_default();
        let most = &rest[..rest.len().min(MAX_LINE)];
        let end = most.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or(match rest.len() > MAX_LINE {
            true => ChunkError::Malformed("a line is too long"),
            false => ChunkError::Incomplete,
        })?;
        self.at += end + 1;
        let line = std::str::from_utf8(&rest[..end]);
        let line = line.map_err(|_| ChunkError::Malformed("a line is not UTF-8"))?;
        Ok(line.trim_end_matches('\r'))
    }

    fn take(&mut self, length: usize) -> Result<Bytes, ChunkError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.body.len());
        let end = end.ok_or(ChunkError::Incomplete)?;
        let chunk = self.body.slice(self.at..end);
        self.at = end;
        Ok(chunk)
    }

    fn end_of_line(&mut self) -> Result<(), ChunkError> {
        let empty = self.line()?.is_empty();
        empty.then_some(()).ok_or(ChunkError::Malformed("a chunk is longer than it says"))
    }

    /// The trailers between the last chunk and an empty line. Their signature is verified and left out.
    fn trailers(
        &mut self,
        chain: Option<&mut SignatureChain<'_>>,
    ) -> Result<Vec<(String, String)>, ChunkError> {
        let mut trailers = Vec::new();
        let mut signature = None;
        loop {
            let line = self.line()?;
            if line.is_empty() {
                break;
            }
            let (name, value) =
                line.split_once(':').ok_or(ChunkError::Malformed("a trailer has no value"))?;
            let (name, value) = (name.trim().to_lowercase(), value.trim().to_owned());
            match name == TRAILER_SIGNATURE {
                true => signature = Some(value),
                false => trailers.push((name, value)),
            }
            if trailers.len() > MAX_TRAILERS {
                return Err(ChunkError::Malformed("it has too many trailers"));
            }
        }
        if let Some(chain) = chain {
            let signature =
                signature.ok_or(ChunkError::Malformed("the trailers have no signature"))?;
            chain.trailers(&trailers, &signature)?;
        }
        Ok(trailers)
    }
}

#[cfg(test)]
mod tests;
