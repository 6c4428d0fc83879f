//! Which endpoint of AWS is called.

use std::sync::Arc;

use aws_sdk_sts::config::endpoint::{DefaultResolver, Params, ResolveEndpoint as _};
use futures::FutureExt as _;

use super::endpoint_error::shown;

/// Which AWS endpoint to call.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    /// The region.
    pub region: String,
    /// A URL in place of the region's endpoint.
    pub endpoint_url: Option<String>,
    /// Use the endpoint with FIPS 140 cryptography.
    pub fips: bool,
    /// Use the endpoint that has IPv6 addresses too.
    pub dual_stack: bool,
}

impl Endpoint {
    /// The URL of its STS, as errors show it.
    pub(super) fn sts_url(&self) -> Arc<str> {
        if let Some(url) = &self.endpoint_url {
            return shown(url);
        }
        let params = Params::builder().region(&self.region).use_fips(self.fips);
        let params = params.use_dual_stack(self.dual_stack).build().ok();
        // The SDK's rules compute it without waiting.
        let resolve = |params| DefaultResolver::new().resolve_endpoint(&params).now_or_never();
        let resolved = params.and_then(resolve).and_then(Result::ok);
        resolved.map_or_else(|| shown(""), |resolved| shown(resolved.url()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(region: &str, fips: bool, dual_stack: bool) -> Arc<str> {
        let region = region.to_owned();
        Endpoint { region, endpoint_url: None, fips, dual_stack }.sts_url()
    }

    #[test]
    fn the_sdk_resolves_awss_endpoints() {
        for (region, fips, dual_stack, expected) in [
            ("eu-west-1", false, false, "https://sts.eu-west-1.amazonaws.com"),
            ("us-gov-west-1", true, false, "https://sts.us-gov-west-1.amazonaws.com"),
            ("us-east-1", true, false, "https://sts-fips.us-east-1.amazonaws.com"),
            ("us-east-1", false, true, "https://sts.us-east-1.api.aws"),
            ("cn-north-1", false, false, "https://sts.cn-north-1.amazonaws.com.cn"),
        ] {
            assert_eq!(&*url(region, fips, dual_stack), expected);
        }
    }
}
