//! Where the documents are published.

pub(crate) mod dir;
pub(crate) mod s3;

use std::{fmt, path::PathBuf, str::FromStr};

use self::{
    dir::{DirError, DirTarget},
    s3::{S3Error, S3Target},
};
use super::documents::Document;

/// A target as a flag names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Dir(PathBuf),
    S3 {
        bucket: String,
        /// Empty, or without a slash at either end.
        prefix: String,
    },
}

/// A target that can be read and written.
pub(crate) enum Target {
    Dir(DirTarget),
    S3(Box<S3Target>),
}

/// Why a document could not be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    #[error(transparent)]
    Dir(#[from] DirError),
    #[error(transparent)]
    S3(#[from] S3Error),
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let Some(rest) = text.strip_prefix("s3://") else {
            if text.contains("://") {
                return Err(PlaceError::Scheme);
            }
            return Ok(Self::Dir(text.into()));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let legal = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || b"-.".contains(&c);
        if !(3..=63).contains(&bucket.len()) || !bucket.bytes().all(legal) {
            return Err(PlaceError::Bucket);
        }
        let prefix = prefix.trim_matches('/');
        let legal = |c: u8| c.is_ascii_alphanumeric() || b"-_./".contains(&c);
        if !prefix.bytes().all(legal) {
            return Err(PlaceError::Prefix);
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

/// A text does not name a target.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error("write a folder, or s3://BUCKET/PREFIX")]
    Scheme,
    #[error("a bucket's name is 3 to 63 of a-z 0-9 - .")]
    Bucket,
    #[error("a prefix may have letters, digits and -_./ only")]
    Prefix,
}

impl Place {
    /// The bucket and prefix that an issuer's URL is served from, if it is a URL of S3 itself.
    pub(crate) fn of_issuer(issuer: &str) -> Option<Self> {
        let rest = issuer.strip_prefix("https://")?.trim_end_matches('/');
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let is_s3 = |host: &str| {
            let region = host.strip_prefix("s3.").and_then(|it| it.split_once(".amazonaws.com"));
            region.is_some_and(|(region, end)| !region.contains('.') && ["", ".cn"].contains(&end))
        };
        if is_s3(host) {
            return format!("s3://{path}").parse().ok();
        }
        let (at, _) = host.match_indices(".s3.").find(|(at, _)| is_s3(&host[at + 1..]))?;
        format!("s3://{}/{path}", &host[..at]).parse().ok()
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(path) => write!(f, "{}", path.display()),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl Target {
    /// The document at a path, or `None` if there is none.
    ///
    /// # Errors
    /// If that is not known.
    pub(crate) async fn read(&self, path: &str) -> Result<Option<Document>, TargetError> {
        match self {
            Self::Dir(dir) => Ok(dir.read(path)?),
            Self::S3(s3) => Ok(s3.read(path).await?),
        }
    }

    /// Writes a document whole.
    ///
    /// # Errors
    /// If it is not written; the former one is still there.
    pub(crate) async fn write(&self, path: &str, text: &str) -> Result<(), TargetError> {
        match self {
            Self::Dir(dir) => Ok(dir.write(path, text)?),
            Self::S3(s3) => Ok(s3.write(path, text).await?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_folder_or_a_bucket() {
        let s3 = |bucket: &str, prefix: &str| {
            Ok(Place::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
        };
        for (text, place) in [
            ("out", Ok(Place::Dir("out".into()))),
            ("/srv/oidc", Ok(Place::Dir("/srv/oidc".into()))),
            ("s3://bucket", s3("bucket", "")),
            ("s3://bucket/", s3("bucket", "")),
            ("s3://my.bucket/a/b/", s3("my.bucket", "a/b")),
            ("s3://Bucket", Err(PlaceError::Bucket)),
            ("s3://", Err(PlaceError::Bucket)),
            ("s3://bucket/a b", Err(PlaceError::Prefix)),
            ("gs://bucket", Err(PlaceError::Scheme)),
        ] {
            assert_eq!(text.parse(), place, "{text}");
        }
    }

    #[test]
    fn an_issuer_of_s3_names_its_bucket() {
        for (issuer, place) in [
            ("https://b-1.s3.eu-west-1.amazonaws.com/a/b", Some("s3://b-1/a/b")),
            ("https://b-1.s3.cn-north-1.amazonaws.com.cn", Some("s3://b-1")),
            ("https://my.bucket.s3.eu-west-1.amazonaws.com/a/", Some("s3://my.bucket/a")),
            ("https://s3.eu-west-1.amazonaws.com/b-1/a", Some("s3://b-1/a")),
            ("https://oidc.example/a", None),
            ("https://b-1.s3.evil.example.amazonaws.com", None),
            ("https://b-1.s3.eu-west-1.amazonaws.com.example", None),
        ] {
            let found = Place::of_issuer(issuer).map(|place| place.to_string());
            assert_eq!(found.as_deref(), place, "{issuer}");
        }
    }
}
