//! The endpoints of EKS Auth, which are dual-stack in every partition.

/// A region's partition, and what its dual-stack names end with. Source: the partition list in
/// AWS's SDKs; what no row names is `aws`.
const PARTITIONS: [(&str, &str, &str); 7] = [
    ("cn-", "aws-cn", "api.amazonwebservices.com.cn"),
    ("us-gov-", "aws-us-gov", "api.aws"),
    ("eusc-", "aws-eusc", "api.amazonwebservices.eu"),
    ("us-iso-", "aws-iso", "api.aws.ic.gov"),
    ("us-isob-", "aws-iso-b", "api.aws.scloud"),
    ("eu-isoe-", "aws-iso-e", "api.cloud-aws.adc-e.uk"),
    ("us-isof-", "aws-iso-f", "api.aws.hci.ic.gov"),
];

fn row(region: &str) -> (&'static str, &'static str) {
    let row = PARTITIONS.iter().find(|(prefix, ..)| region.starts_with(prefix));
    row.map_or(("aws", "api.aws"), |(_, partition, suffix)| (partition, suffix))
}

/// The partition of a region.
pub(crate) fn partition(region: &str) -> &'static str {
    row(region).0
}

/// EKS Auth's URL in a region.
pub(super) fn eks_auth(region: &str, fips: bool) -> String {
    let name = if fips { "eks-auth-fips" } else { "eks-auth" };
    format!("https://{name}.{region}.{}", row(region).1)
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

    #[test]
    fn each_region_has_its_partition() {
        for (region, name) in [
            ("eu-west-1", "aws"),
            ("il-central-1", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
        ] {
            assert_eq!(partition(region), name, "{region}");
        }
    }
}
