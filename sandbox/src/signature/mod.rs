//! Signature Version 4, of any service: who signed a request, and whether they signed this one.
//!
//! ```text
//!   Call ─► authorization: taken apart ─► payload: what it says of the body ─► sigv4: signed again
//!                                                          └─► chunked: a body that is signed piece by piece
//! ```
//!
//! STS, IAM and EKS Auth hash the body as it came. S3 takes the hash from a header, takes paths as
//! they are, and has bodies that nobody signed or that are signed in chunks.

pub(crate) mod authorization;
pub(crate) mod chain;
pub(crate) mod chunk_error;
pub(crate) mod chunked;
pub(crate) mod equal;
pub(crate) mod key;
pub(crate) mod payload;
pub(crate) mod sigv4;
