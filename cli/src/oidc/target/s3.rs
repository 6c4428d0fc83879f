//! A bucket of S3. This is the one file that names S3's API.

use podrole_agent::http_client::RawResponse;
use podrole_identity::Partition;

use super::super::documents::Document;
use crate::aws_api::{
    AwsApi, AwsCall, AwsCallError, AwsEnvironment, AwsRefusal, AwsService, AwsTryError,
    set_endpoint,
};

/// S3.
pub(super) const S3: AwsService = AwsService { title: "S3", signing_name: "s3", read_error };

/// The headers of each document. IAM and proxies see a new key after 5 minutes at the latest.
const HEADERS: [(&str, &str); 2] =
    [("content-type", "application/json"), ("cache-control", "public, max-age=300")];

/// A bucket and a prefix as a target.
pub(crate) struct S3Target {
    api: AwsApi,
    /// The path of all keys: `/`, `/PREFIX/` or `/BUCKET/PREFIX/`.
    base: String,
    /// As messages name it.
    name: String,
}

/// S3 did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum S3Error {
    #[error("could not {verb} {object}: {error}")]
    Call { verb: &'static str, object: String, error: AwsCallError },
    #[error("could not {verb} {object}: S3 answers {code}: {message}{hint}")]
    Refused {
        verb: &'static str,
        object: String,
        code: String,
        message: String,
        hint: &'static str,
    },
}

impl S3Target {
    /// The target that the environment and the files of the AWS CLI describe, or the one at `endpoint_url`.
    ///
    /// # Errors
    /// If there are no region or credentials.
    pub(crate) async fn from_environment(
        bucket: &str,
        prefix: &str,
        endpoint_url: Option<&str>,
    ) -> anyhow::Result<Self> {
        let aws = AwsEnvironment::load().await?;
        let set = endpoint_url.map(str::to_owned).or_else(|| set_endpoint(&aws.config, "S3"));
        let (endpoint, base) = place(bucket, prefix, set.as_deref(), &aws.region);
        Ok(Self::by(aws.api(S3, &endpoint, &aws.region), base, bucket, prefix))
    }

    /// The target by this way of calling S3; `base` is the path of all keys.
    pub(super) fn by(api: AwsApi, base: String, bucket: &str, prefix: &str) -> Self {
        let slash = if prefix.is_empty() { "" } else { "/" };
        let name = format!("s3://{bucket}/{prefix}{slash}");
        Self { api, base, name }
    }

    pub(super) async fn read(&self, path: &str) -> Result<Option<Document>, S3Error> {
        match self.api.answer(AwsCall::Get(&self.path(path))).await {
            Ok(answer) => {
                let kind = answer.content_type.as_deref().unwrap_or_default();
                let is_json = Some(kind.starts_with("application/json"));
                Ok(Some(Document { body: answer.body, is_json }))
            }
            Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
            Err(error) => Err(self.failed("read", path, error)),
        }
    }

    pub(super) async fn write(&self, path: &str, text: &str) -> Result<(), S3Error> {
        let call = AwsCall::Put { path: &self.path(path), headers: &HEADERS, body: text };
        let written = self.api.answer(call).await;
        written.map(drop).map_err(|error| self.failed("write", path, error))
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn failed(&self, verb: &'static str, path: &str, error: AwsCallError) -> S3Error {
        match error {
            AwsCallError::Try(AwsTryError::Refused(refusal)) => self.refused(verb, path, refusal),
            error => S3Error::Call { verb, object: format!("{}{path}", self.name), error },
        }
    }

    fn refused(&self, verb: &'static str, path: &str, refusal: AwsRefusal) -> S3Error {
        let AwsRefusal { code, message, .. } = refusal;
        // S3 must not show a caller without s3:ListBucket that there is no object.
        let hint = match (verb, code.as_str()) {
            ("read", "AccessDenied") => {
                "; allow s3:GetObject, and s3:ListBucket on the bucket, without which S3 answers the same for an object \
                 that is not there"
            }
            (_, "AccessDenied") => "; allow s3:PutObject",
            (_, "PermanentRedirect" | "AuthorizationHeaderMalformed") => {
                "; set AWS_REGION to the bucket's region"
            }
            _ => "",
        };
        S3Error::Refused { verb, object: format!("{}{path}", self.name), code, message, hint }
    }
}

/// The endpoint, and the path of all keys there. A bucket with a dot has no certificate at AWS's own endpoint.
fn place(bucket: &str, prefix: &str, endpoint_url: Option<&str>, region: &str) -> (String, String) {
    let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
    let domain = Partition::of_region(region).domain();
    match endpoint_url {
        Some(url) => (url.trim_end_matches('/').to_owned(), format!("/{bucket}/{prefix}")),
        None if bucket.contains('.') => {
            (format!("https://s3.{region}.{domain}"), format!("/{bucket}/{prefix}"))
        }
        None => (format!("https://{bucket}.s3.{region}.{domain}"), format!("/{prefix}")),
    }
}

/// The code and the message of an error.
fn read_error(answer: &RawResponse) -> (Option<String>, Option<String>) {
    (element(&answer.body, "Code"), element(&answer.body, "Message"))
}

/// The text of the first XML element of this name. S3's errors are flat.
fn element(xml: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(xml).ok()?;
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(text.to_owned())
}

#[cfg(test)]
pub(crate) mod tests;
