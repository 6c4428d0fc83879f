//! The endpoint of EKS Auth, which exists only under the dual-stack domain of each partition.

use podrole_identity::Partition;

/// EKS Auth's URL in a region.
pub(super) fn eks_auth(region: &str, fips: bool) -> String {
    let name = if fips { "eks-auth-fips" } else { "eks-auth" };
    format!("https://{name}.{region}.{}", Partition::of_region(region).dual_stack_domain())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_has_awss_endpoint() {
        for (region, fips, url) in [
            ("eu-west-1", false, "https://eks-auth.eu-west-1.api.aws"),
            ("us-east-1", true, "https://eks-auth-fips.us-east-1.api.aws"),
            ("us-gov-west-1", false, "https://eks-auth.us-gov-west-1.api.aws"),
            ("us-gov-east-1", true, "https://eks-auth-fips.us-gov-east-1.api.aws"),
            ("cn-north-1", false, "https://eks-auth.cn-north-1.api.amazonwebservices.com.cn"),
            ("eusc-de-east-1", false, "https://eks-auth.eusc-de-east-1.api.amazonwebservices.eu"),
        ] {
            assert_eq!(eks_auth(region, fips), url);
        }
    }
}
