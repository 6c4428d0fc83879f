//! Values that are unknown, invalid or contradict each other: each is rejected, and the message says why.

use anyhow::ensure;

use crate::helm;

/// A value, and what helm's message must contain: the error, and how to fix it if that is not obvious.
const REFUSED: &[(&str, &[&str])] = &[
    ("regoin=eu-west-1", &["additional properties 'regoin' not allowed"]),
    ("agent.image=x", &["/agent", "additional properties 'image' not allowed"]),
    ("exchange=irsa", &["must be one of 'web-identity', 'assume-role', 'eks-auth'"]),
    ("certificates=self", &["must be one of 'own', 'cert-manager', 'files'"]),
    ("injection.default=none", &["must be one of 'labelled', 'all'"]),
    ("webhook.port=70000", &["/webhook/port", "maximum"]),
    ("webhook.replicas=0", &["/webhook/replicas", "minimum"]),
    ("region=europe", &["/region", "does not match pattern"]),
    ("image.digest=latest", &["/image/digest", "does not match pattern"]),
    ("agent.hostFolder=var/lib", &["/agent/hostFolder", "does not match pattern"]),
    ("associations[0].namespace=shop", &["/associations/0", "missing property 'serviceAccount'"]),
    ("region=", &["region is missing", "--set region="]),
    (
        "exchange=assume-role,associationObjects.enabled=false",
        &[
            "takes roles from associations",
            "set associationObjects.enabled=true, or `associations`",
        ],
    ),
    (
        "passRole.enabled=true,associationObjects.enabled=false",
        &["passRole.enabled is about writing associations", "set associationObjects.enabled=true"],
    ),
    (
        "exchange=assume-role,agent.allowAnnotationRoles=true",
        &["puts the cluster into session tags", "set cluster.name and cluster.arn"],
    ),
    (
        "exchange=assume-role,associationObjects.enabled=false,agent.disableSessionTags=true,associations[0].namespace=a,associations[0].serviceAccount=b",
        &["the association of a/b has no roleArn", "add its roleArn"],
    ),
    ("exchange=eks-auth", &["calls EKS Auth with the cluster's name", "set cluster.name"]),
    (
        "local.enabled=true,exchange=eks-auth,cluster.name=a",
        &["local.enabled works only with exchange: web-identity", "set exchange=web-identity"],
    ),
    (
        "tokenAudience=amazonaws.com,exchange=eks-auth,cluster.name=a",
        &["tokenAudience is for exchange: web-identity", "remove tokenAudience"],
    ),
    (
        "injection.configMapNamespace=kube-system",
        &["injection.configMap is false", "set injection.configMap=true"],
    ),
    ("local.enabled=true,agent.enabled=false", &["through the agent", "set agent.enabled=true"]),
    ("local.upstream=http://moto:5000", &["behind the sandbox", "set local.enabled=true"]),
    ("local.enabled=true,local.autoRoles=false", &["has no roles", "set local.config"]),
    ("local.enabled=true,local.accounts[0]=shop", &["/local/accounts/0", "does not match pattern"]),
    ("webhook.pathSegment=short", &["/webhook/pathSegment", "does not match pattern"]),
    (
        "webhook.pathSegment=0123456789abcdef",
        &["is for certificates: cert-manager or files", "remove it"],
    ),
    ("certificates=files", &["set certificateFiles.secret"]),
    ("certificateFiles.secret=tls", &["is for certificates: files", "change one of them"]),
    ("certManager.issuer.name=ca", &["is for certificates: cert-manager", "change one of them"]),
    (
        "monitoring.serviceMonitor=true,monitoring.podMonitor=true",
        &["count everything twice", "set only one of them"],
    ),
    ("agent.namespace=podrole", &["agent.namespace is the release namespace", "set another"]),
    (
        "injection.endpointURLs[0]=https://good.example*",
        &["/injection/endpointURLs/0", "does not match pattern"],
    ),
    (
        "injection.endpointURLs[0]=http://good.svc.example/*",
        &["http://good.svc.example/* would get tokens in clear text", "use https"],
    ),
    (
        "associations[0].namespace=a,associations[0].serviceAccount=b,associations[1].namespace=a,associations[1].serviceAccount=b",
        &["associations has two entries for the ServiceAccount a/b", "remove one"],
    ),
    (
        r"labels.app\.kubernetes\.io/name=x",
        &["labels: app.kubernetes.io/name selects podrole's own pods", "remove it"],
    ),
    (
        r"webhook.podLabels.app\.kubernetes\.io/instance=x",
        &["webhook.podLabels: app.kubernetes.io/instance selects", "remove it"],
    ),
    (
        r"monitoring.labels.app\.kubernetes\.io/component=x",
        &["monitoring.labels: app.kubernetes.io/component selects", "remove it"],
    ),
    (
        "webhook.extraEnv[0].name=A,webhook.extraEnv[0].value=1,webhook.extraEnv[1].name=A",
        &["webhook.extraEnv has two entries for A", "remove one"],
    ),
    ("agent.extraEnv[0].name=NODE_NAME", &["agent.extraEnv", "the chart sets NODE_NAME", "remove"]),
];

/// `--set` cannot write an empty list.
#[test]
fn automatic_roles_need_an_account() -> anyhow::Result<()> {
    let chart = helm::chart();
    let chart = chart.to_str().unwrap_or_default();
    let words = ["template", "podrole", chart, "--namespace", "podrole"];
    let none = ["--set", "local.enabled=true", "--set-json", "local.accounts=[]"];
    let Err(complaint) = helm::helm(&[&words[..], &none].concat(), None) else {
        anyhow::bail!("it is taken");
    };
    let complaint = complaint.to_string();
    ensure!(complaint.contains("none is named: set local.accounts"), "{complaint}");
    let file = ["--set-string", "local.config=accounts: {}"];
    helm::helm(&[&words[..], &none, &file].concat(), None)?;
    Ok(())
}

#[test]
fn each_is_refused_with_its_sentence() -> anyhow::Result<()> {
    for (set, parts) in REFUSED {
        let Err(complaint) = helm::template(&[*set]) else {
            anyhow::bail!("--set {set} is taken");
        };
        let complaint = complaint.to_string();
        for part in *parts {
            ensure!(complaint.contains(part), "--set {set}: no {part:?} in {complaint}");
        }
    }
    Ok(())
}

/// Roles come from objects then, and an entry of the list without a role only chooses the provider.
#[test]
fn association_objects_are_enough_for_assume_role() -> anyhow::Result<()> {
    let untagged = "exchange=assume-role,agent.disableSessionTags=true";
    helm::template(&[untagged])?;
    helm::template(&[untagged, "associations[0].namespace=a,associations[0].serviceAccount=b"])?;
    Ok(())
}

#[test]
fn a_namespace_whose_pods_need_roles_is_no_place_for_podrole() -> anyhow::Result<()> {
    let chart = helm::chart();
    let chart = chart.to_str().unwrap_or_default();
    let result = helm::helm(&["template", "podrole", chart, "--namespace", "kube-system"], None);
    let error = result.unwrap_err().to_string();
    ensure!(error.contains("the release namespace is kube-system"), "{error}");
    ensure!(error.contains("--create-namespace"), "{error}");
    Ok(())
}

#[test]
fn an_older_kubernetes_is_refused() -> anyhow::Result<()> {
    let chart = helm::chart();
    let chart = chart.to_str().unwrap_or_default();
    let template = |version| {
        helm::helm(
            &["template", "podrole", chart, "-n", "podrole", "--kube-version", version],
            None,
        )
    };
    ensure!(template("1.29.9").unwrap_err().to_string().contains("requires kubeVersion: >=1.30.0"));
    // Managed clusters call their versions so.
    template("v1.30.4-eks-a737599")?;
    Ok(())
}

#[test]
fn helm_lint_finds_nothing() -> anyhow::Result<()> {
    let chart = helm::chart();
    let chart = chart.to_str().unwrap_or_default();
    helm::helm(&["lint", "--strict", "--quiet", chart], None)?;
    Ok(())
}
