//! AWS partitions: the separate clouds of which AWS consists.

use std::fmt;

/// A partition, by the name that ARNs of it carry.
///
/// Regions, IAM and STS of one partition know nothing of another's: a role of `aws-cn` cannot be
/// assumed through an STS endpoint of `aws`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Partition(&'static Row);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Row {
    /// How the names of the partition's regions begin.
    region_prefix: &'static str,
    name: &'static str,
    /// The domain of most endpoints.
    domain: &'static str,
    /// The domain of endpoints that have IPv6 and IPv4 addresses.
    dual_stack_domain: &'static str,
}

/// Source: the partition metadata that AWS publishes with its SDKs. The last row has the empty
/// prefix, so a region that no other row names is one of `aws`.
const ROWS: [Row; 8] = [
    row("cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    row("us-gov-", "aws-us-gov", "amazonaws.com", "api.aws"),
    row("eusc-", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu"),
    row("us-iso-", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov"),
    row("us-isob-", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud"),
    row("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    row("us-isof-", "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    AWS,
];

const AWS: Row = row("", "aws", "amazonaws.com", "api.aws");

const fn row(
    region_prefix: &'static str,
    name: &'static str,
    domain: &'static str,
    dual_stack_domain: &'static str,
) -> Row {
    Row { region_prefix, name, domain, dual_stack_domain }
}

impl Partition {
    /// The partition that a region belongs to.
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        let row = ROWS.iter().find(|row| region.starts_with(row.region_prefix));
        Self(row.unwrap_or(&AWS))
    }

    /// The partition of this name in ARNs, if it is known.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        ROWS.iter().find(|row| row.name == name).map(Self)
    }

    /// Its name in ARNs: `aws`, `aws-cn`, `aws-us-gov`, ...
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0.name
    }

    /// The domain of its endpoints, such as `amazonaws.com`.
    #[must_use]
    pub fn domain(self) -> &'static str {
        self.0.domain
    }

    /// The domain of its dual-stack endpoints, such as `api.aws`.
    #[must_use]
    pub fn dual_stack_domain(self) -> &'static str {
        self.0.dual_stack_domain
    }
}

impl fmt::Display for Partition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_region_belongs_to_its_partition() {
        for (region, name) in [
            ("eu-west-1", "aws"),
            ("il-central-1", "aws"),
            ("", "aws"),
            ("cn-north-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("us-isof-south-1", "aws-iso-f"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("eusc-de-east-1", "aws-eusc"),
        ] {
            let partition = Partition::of_region(region);
            assert_eq!(partition.as_str(), name, "{region}");
            assert_eq!(Partition::of_name(name), Some(partition));
        }
    }
}
