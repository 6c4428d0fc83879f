//! The protocols of AWS's services. SDKs only parse errors in their service's protocol.

use crate::{
    call::Call,
    signature::{authorization::RequestSignature, payload},
};

/// A protocol of AWS's services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// S3's XML.
    S3,
    /// Query protocol with XML, for example SNS, IAM and Route 53.
    Query,
    /// EC2's XML.
    Ec2,
    /// JSON with the operation in a header, for example Secrets Manager and DynamoDB.
    Json,
    /// JSON with the operation in method and path, for example Lambda.
    RestJson,
    /// CBOR with the operation in the path, for example CloudWatch.
    Cbor,
}

impl Protocol {
    /// The protocol of a call. For unsigned calls it is the best guess.
    pub(crate) fn of(call: &Call<'_>, signed: Option<&RequestSignature>) -> Self {
        let service = signed.map(|signed| signed.scope.service.as_str());
        let kind = call.header("content-type").unwrap_or_default();
        let protocol = call.header("smithy-protocol").unwrap_or_default();
        match service {
            Some(service) if payload::is_s3(service) => Self::S3,
            Some("ec2") => Self::Ec2,
            Some("route53" | "cloudfront") => Self::Query,
            _ if protocol == "rpc-v2-cbor" => Self::Cbor,
            _ if call.headers.contains_key("x-amz-target") => Self::Json,
            _ if kind.starts_with("application/x-amz-json-") => Self::Json,
            _ if kind.starts_with("application/x-www-form-urlencoded") => Self::Query,
            _ if call.query().contains("Action=") => Self::Query,
            Some(_) => Self::RestJson,
            None if kind.starts_with("application/json") => Self::RestJson,
            None if has_version(call.uri.path()) => Self::RestJson,
            None => Self::S3,
        }
    }
}

/// Paths of Lambda and similar services begin with the API's date.
fn has_version(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    first.parse::<jiff::civil::Date>().is_ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Uri};

    use super::*;

    fn of(uri: &str, header: Option<(&'static str, &str)>) -> Protocol {
        let uri: Uri = uri.parse().unwrap();
        let mut headers = HeaderMap::new();
        if let Some((name, value)) = header {
            headers.insert(name, value.parse().unwrap());
        }
        Protocol::of(&Call { method: "POST", uri: &uri, headers: &headers, body: b"" }, None)
    }

    #[test]
    fn an_unsigned_calls_protocol_is_guessed() {
        let kind = |kind| Some(("content-type", kind));
        for (uri, header, wanted) in [
            ("/", Some(("x-amz-target", "secretsmanager.GetSecretValue")), Protocol::Json),
            ("/", kind("application/x-amz-json-1.1"), Protocol::Json),
            ("/", kind("application/x-www-form-urlencoded; charset=utf-8"), Protocol::Query),
            ("/?Action=ListTopics", None, Protocol::Query),
            ("/clusters", kind("application/json"), Protocol::RestJson),
            ("/2015-03-31/functions", None, Protocol::RestJson),
            (
                "/service/GraniteServiceVersion20100801/operation/ListMetrics",
                Some(("smithy-protocol", "rpc-v2-cbor")),
                Protocol::Cbor,
            ),
            ("/bucket/2015-03-31", None, Protocol::S3),
        ] {
            assert_eq!(of(uri, header), wanted, "{uri} {header:?}");
        }
    }
}
