//! The flags that decide which role a ServiceAccount gets. Webhook and agent take the same ones,
//! because they must give the same answer.

use std::path::PathBuf;

use clap::Args;
use podrole_identity::{
    AccountId, AnnotationPrefix, AnnotationRules, ClusterId, ClusterIdError, CredentialProvider,
    Exchange, GrantRules, Partition, RoleArn, RoleComposer,
};

/// Flags that webhook and agent share.
#[derive(Args, Clone, Debug)]
pub struct GrantArgs {
    /// How the agent exchanges a pod's token for credentials: web-identity, assume-role or
    /// eks-auth [default: web-identity]
    #[arg(long, value_name = "EXCHANGE")]
    pub exchange: Option<Exchange>,

    /// The AWS region whose STS or EKS Auth the agent calls
    #[arg(long, env = "AWS_REGION", value_name = "REGION")]
    pub region: Option<String>,

    /// The credential provider of pods whose ServiceAccount does not choose: web-identity or
    /// container
    #[arg(long, default_value_t, value_name = "PROVIDER")]
    pub credentials: CredentialProvider,

    /// The association list: a JSON file in EKS's format, which may name roles too; it is read
    /// again when it changes
    #[arg(long, value_name = "FILE")]
    pub associations: Option<PathBuf>,

    /// Follow the cluster's PodIdentityAssociations, PodIdentityPatterns and PodIdentityGuardrails;
    /// their CRDs must be installed
    #[arg(long)]
    pub association_objects: bool,

    /// With the exchange assume-role, let annotations name roles in namespaces that have a
    /// guard-rail
    #[arg(long)]
    pub allow_annotation_roles: bool,

    /// With the exchange assume-role, send no session tags
    #[arg(long)]
    pub disable_session_tags: bool,

    /// The cluster's name, for session tags, external IDs and EKS Auth
    #[arg(short, long, default_value = "", value_name = "NAME")]
    pub cluster_name: String,

    /// The cluster's ARN, for session tags and external IDs, such as
    /// arn:aws:eks:eu-west-1:111122223333:cluster/shop
    #[arg(long, default_value = "", value_name = "ARN")]
    pub cluster_arn: String,

    /// Complete bare role names in annotations to ARNs of --aws-account-id
    #[arg(
        long,
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        value_name = "BOOL"
    )]
    pub compose_role_arn: bool,

    /// The AWS account of bare role names
    #[arg(long, value_name = "ID")]
    pub aws_account_id: Option<AccountId>,

    /// The partition of bare role names [default: that of the region, else aws]
    #[arg(long, value_name = "PARTITION", value_parser = partition)]
    pub aws_partition: Option<String>,

    /// The prefix of EKS's annotations
    #[arg(long, default_value = "eks.amazonaws.com", value_name = "PREFIX")]
    pub annotation_prefix: AnnotationPrefix,
}

impl GrantArgs {
    /// The region, unless it is empty.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_deref().filter(|region| !region.is_empty())
    }

    /// How ServiceAccount annotations are read. `region` is the one whose partition bare role
    /// names get.
    #[must_use]
    pub fn annotation_rules(&self, region: Option<&str>) -> AnnotationRules {
        let aws_account = self.aws_account_id.clone().filter(|_| self.compose_role_arn);
        let composer =
            aws_account.map(|it| RoleComposer::new(it, self.aws_partition.as_deref(), region));
        AnnotationRules { prefix: self.annotation_prefix.clone(), composer }
    }

    /// The rules of the decision, with the exchange and the region in force.
    ///
    /// # Errors
    /// If the cluster's name or ARN does not have its form.
    pub fn rules(
        &self,
        exchange: Exchange,
        region: Option<&str>,
    ) -> Result<GrantRules, ClusterIdError> {
        Ok(GrantRules {
            exchange,
            partition: region.map(Partition::of_region),
            default_provider: self.credentials,
            annotation_roles: self.allow_annotation_roles,
            session_tags: !self.disable_session_tags,
            cluster: self.cluster()?,
        })
    }

    /// The cluster; `None` unless both its name and its ARN are given.
    ///
    /// # Errors
    /// If the name or the ARN does not have its form.
    pub fn cluster(&self) -> Result<Option<ClusterId>, ClusterIdError> {
        match (self.cluster_name.as_str(), self.cluster_arn.as_str()) {
            ("", "") => Ok(None),
            (name, "") => ClusterId::check_name(name).map(|()| None),
            (name, arn) => ClusterId::new(name, arn).map(Some),
        }
    }
}

fn partition(text: &str) -> Result<String, &'static str> {
    let role = format!("arn:{text}:iam::111122223333:role/any").parse::<RoleArn>();
    role.map(|_| text.to_owned()).map_err(|_| "a partition is aws, aws-cn, aws-us-gov, ...")
}
