//! `podrole oidc provider`: how IAM's OIDC provider of the cluster is created.

use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use podrole_identity::{Audience, ServiceAccountRef, TrustOperator};
use serde_json::json;

use super::{
    documents::{DISCOVERY, Discovery},
    issuer_url::{IssuerUrl, TrailingSlash},
};
use crate::{cluster::ClusterArgs, output};

/// The context provider that gives a session the token's `sub` as `aws:OriginIdentity/Subject`.
const CONTEXT_PROVIDER: &str = "SubjectSourceKey=sub,SubjectTypeValue=workload";

/// Print the command that creates the cluster's OIDC provider in IAM
///
/// Contacts only the API server, or nothing with --issuer. The provider has no thumbprint: IAM needs one only
/// if the issuer's certificate is of no public CA.
#[derive(Args, Debug)]
pub(crate) struct ProviderArgs {
    /// The issuer, in place of the API server's
    #[arg(long, value_name = "URL")]
    issuer: Option<String>,

    /// An audience of the tokens in use; may be repeated
    #[arg(long, value_name = "AUDIENCE", default_value = podrole_identity::STS_AUDIENCE)]
    audience: Vec<Audience>,

    /// What to print
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    format: ProviderFormat,

    /// Let resource policies compare the ServiceAccount of a session: the provider passes the claim `sub` on.
    /// Not all regions have it
    #[arg(long)]
    identity_propagation: bool,

    /// The ServiceAccount in the example of a resource policy
    #[arg(long, value_name = "NAMESPACE/SERVICEACCOUNT", requires = "identity_propagation")]
    service_account: Option<ServiceAccountRef>,

    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum ProviderFormat {
    /// A command of the AWS CLI
    #[default]
    Cli,
    /// A resource of a CloudFormation template
    Cloudformation,
    /// A resource of Terraform
    Terraform,
}

/// Runs the command. The exit code is 1 if IAM cannot use the issuer.
///
/// # Errors
/// If the cluster cannot be used, or the flags contradict each other.
pub(crate) async fn run(args: &ProviderArgs) -> anyhow::Result<ExitCode> {
    ensure!(
        !args.identity_propagation || args.format == ProviderFormat::Cli,
        "--identity-propagation is only known of the AWS CLI; leave --format out"
    );
    let issuer = match &args.issuer {
        Some(issuer) => issuer.clone(),
        None => issuer_of(&args.cluster).await?,
    };
    let issuer = match IssuerUrl::read(&issuer, TrailingSlash::Accepted) {
        Ok(issuer) => issuer,
        Err(error) => {
            let issuer = crate::printable::printable(&issuer);
            eprintln!("podrole: IAM cannot use the issuer {issuer}: {error}");
            return Ok(ExitCode::FAILURE);
        }
    };
    if args.format == ProviderFormat::Cli {
        eprint!("{}", remarks(&issuer, args));
    }
    output::print(&rendered(&issuer, args))?;
    Ok(ExitCode::SUCCESS)
}

async fn issuer_of(cluster: &ClusterArgs) -> anyhow::Result<String> {
    let (reader, _) = cluster.reader().await?;
    let text = reader.text(DISCOVERY).await.map_err(|error| anyhow::anyhow!("{error}"))?;
    let discovery = Discovery::read(text.as_bytes()).context("the API server's discovery")?;
    Ok(discovery.issuer)
}

/// What a person should know, for standard error.
fn remarks(issuer: &IssuerUrl, args: &ProviderArgs) -> String {
    let mut remarks = String::from(
        "Run it in the AWS account of each role. The provider's ARN there:\n  arn:aws:iam::ACCOUNT:oidc-provider/",
    );
    remarks.push_str(issuer.without_scheme());
    remarks.push('\n');
    if issuer.as_str().ends_with('/') {
        remarks.push_str("The issuer ends with a slash, and so must the provider's URL.\n");
    }
    if args.identity_propagation {
        let account = args.service_account.as_ref();
        let subject = account
            .map_or_else(|| "system:serviceaccount:NS:SA".to_owned(), ServiceAccountRef::subject);
        let condition =
            json!({(TrustOperator::StringEquals.as_str()): {"aws:OriginIdentity/Subject": subject}}).to_string();
        remarks.push_str("A resource policy can then have the condition\n  ");
        remarks.push_str(&condition);
        remarks.push_str(
            "\nOnly the claim sub is promised to be there, and a region may not have it yet.\n",
        );
    }
    remarks
}

fn rendered(issuer: &IssuerUrl, args: &ProviderArgs) -> String {
    let audiences: Vec<&str> = args.audience.iter().map(Audience::as_str).collect();
    match args.format {
        ProviderFormat::Cli => {
            let ids: Vec<String> = audiences.iter().map(|it| quoted(it)).collect();
            let url = quoted(issuer.as_str());
            let context = match args.identity_propagation {
                true => format!(" \\\n  --context-provider {CONTEXT_PROVIDER}"),
                false => String::new(),
            };
            format!(
                "aws iam create-open-id-connect-provider \\\n  --url {url} \\\n  --client-id-list {}{context}\n",
                ids.join(" ")
            )
        }
        ProviderFormat::Cloudformation => {
            let properties = json!({"Url": issuer.as_str(), "ClientIdList": audiences});
            let resource = json!({"Type": "AWS::IAM::OIDCProvider", "Properties": properties});
            format!("{:#}\n", json!({"Resources": {"PodroleOidcProvider": resource}}))
        }
        ProviderFormat::Terraform => {
            let ids: Vec<String> = audiences.iter().map(|it| hcl(it)).collect();
            format!(
                "resource \"aws_iam_openid_connect_provider\" \"podrole\" {{\n  url            = {}\n  client_id_list = [{}]\n}}\n",
                hcl(issuer.as_str()),
                ids.join(", ")
            )
        }
    }
}

fn quoted(text: &str) -> String {
    shlex::try_quote(text).map_or_else(|_| String::new(), std::borrow::Cow::into_owned)
}

/// A string of Terraform's language: JSON's, without its two ways to interpolate.
fn hcl(text: &str) -> String {
    json!(text).to_string().replace("${", "$${").replace("%{", "%%{")
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Wrapper {
        #[command(flatten)]
        args: ProviderArgs,
    }

    fn both(issuer: &str, flags: &[&str]) -> (String, String) {
        let args = Wrapper::parse_from([&["podrole"], flags].concat()).args;
        let issuer = IssuerUrl::read(issuer, TrailingSlash::Accepted).unwrap();
        (rendered(&issuer, &args), remarks(&issuer, &args))
    }

    #[test]
    fn the_command_has_the_issuer_and_all_audiences() {
        let (command, remarks) = both("https://oidc.example/a", &[]);
        assert_eq!(
            command,
            "aws iam create-open-id-connect-provider \\\n  --url https://oidc.example/a \\\n  --client-id-list sts.amazonaws.com\n"
        );
        assert!(remarks.contains("arn:aws:iam::ACCOUNT:oidc-provider/oidc.example/a\n"));
        let two = ["--audience", "sts.amazonaws.com", "--audience", "a;b"];
        let (command, remarks) = both("https://oidc.example/", &two);
        assert!(command.contains("--url https://oidc.example/ \\\n"), "{command}");
        assert!(command.ends_with("--client-id-list sts.amazonaws.com 'a;b'\n"), "{command}");
        assert!(remarks.contains("ends with a slash"), "{remarks}");
    }

    #[test]
    fn the_claim_sub_is_passed_on_if_asked_for() {
        let flags = ["--identity-propagation", "--service-account", "shop/app"];
        let (command, remarks) = both("https://oidc.example", &flags);
        assert!(
            command
                .ends_with("--context-provider SubjectSourceKey=sub,SubjectTypeValue=workload\n")
        );
        let condition =
            r#"{"StringEquals":{"aws:OriginIdentity/Subject":"system:serviceaccount:shop:app"}}"#;
        assert!(remarks.contains(condition), "{remarks}");
    }

    #[test]
    fn templates_have_the_same() {
        let (template, _) = both("https://oidc.example", &["--format", "cloudformation"]);
        let template: serde_json::Value = serde_json::from_str(&template).unwrap();
        let resource = json!({"Type": "AWS::IAM::OIDCProvider", "Properties":
            {"Url": "https://oidc.example", "ClientIdList": ["sts.amazonaws.com"]}});
        assert_eq!(template["Resources"]["PodroleOidcProvider"], resource);
        let flags = ["--format", "terraform", "--audience", "${a}"];
        let (module, _) = both("https://oidc.example", &flags);
        let expected = "resource \"aws_iam_openid_connect_provider\" \"podrole\" {
  url            = \"https://oidc.example\"
  client_id_list = [\"$${a}\"]
}
";
        assert_eq!(module, expected);
    }
}
